"""The natural logarithm, the same to the last bit on every processor.

``numpy.log`` is one routine with AVX-512 and another without, and they round differently. What is here takes sums,
products and quotients alone, which IEEE 754 rounds in one way only, in a fixed order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import Float64Array

_MANTISSA = np.int64(52)  # bits of a double below its exponent
_LEAST = np.int64(0x3FE6A09E) << np.int64(32)  # the bits of sqrt(1/2), and 0 in the lower half
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the high part times 2**11 is exact
_SERIES = (
    1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01,
    2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01,
)  # fmt: skip


_BLOCK = 2**14  # numbers at a time: larger temporaries leave the cache, and are asked of the system anew


def logarithm(numbers: Float64Array) -> Float64Array:
    """The logarithm of each number, within one unit in the last place; 0 of 1.

    Args:
        numbers: one-dimensional, positive and normal: at least 2.3e-308, and finite.
    """
    found = np.empty(len(numbers))
    for start in range(0, len(numbers), _BLOCK):
        some = slice(start, start + _BLOCK)
        _fill(found[some], np.ascontiguousarray(numbers[some]).view(np.int64))
    return found


def _fill(found: Float64Array, bits: NDArray[np.int64]) -> None:
    """The way of FDLIBM (Sun 1993): a number is ``2**k (1 + f)``, and ``log(1 + f)`` a series in ``f / (2 + f)``."""
    octave = bits - _LEAST
    octave >>= _MANTISSA
    k = octave.astype(np.float64)
    octave <<= _MANTISSA
    f = np.subtract(bits, octave, out=octave).view(np.float64)
    f -= 1.0
    s = f + 2.0
    np.divide(f, s, out=s)
    z = s * s
    np.multiply(z, _SERIES[0], out=found)
    for term in _SERIES[1:]:
        found += term
        found *= z
    half = np.multiply(f, f, out=z)
    half *= 0.5
    found += half
    found *= s
    found += np.multiply(k, _LN2_LOW, out=s)
    # The largest term is added last.
    found -= half
    found += f
    k *= _LN2_HIGH
    found += k
