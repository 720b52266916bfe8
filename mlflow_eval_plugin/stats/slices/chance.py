"""The chance that rows drawn blindly have so high a mean error: a bound, at any size and however skewed errors are.

If errors do not depend on which rows are in a slice, it is a sample of n of all N rows without replacement. By
Hoeffding (1963, "Probability inequalities for sums of bounded random variables", theorem 4) its sum is no more spread
than that of n draws with replacement, so that Chernoff's bound with the errors there are holds for it:

    P(mean >= x) <= exp(-n I(x)),    I(x) = max over t of t x - log(mean of exp(t error))

The rest of the rows is a sample too, whose mean is then as low; the smaller of the two bounds counts. Normal tails, at
the levels of 1e-8 that a search needs, are far too small for skewed errors such as log losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.slice import ONE

SPECTRUM_BINS = 1024
_HALVINGS = 60
_STEEPEST = 2.0**20
_LEAST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The errors of all rows, in ``SPECTRUM_BINS`` equal bins from 0 to the largest.

    Attributes:
        n: rows by bin, int64.
        offset: sum of d, the place of an error inside its bin in [0, 1], in units of ``1 / ONE``, int64.
        largest: the largest error; positive.
        square: the sum of squared errors.
    """

    n: NDArray[np.int64]
    offset: NDArray[np.int64]
    largest: float
    square: float

    @property
    def masses(self) -> FloatArray:
        """Shares at the edges of the bins, which have the same mean.

        An exponential function lies below its chord, so that moving errors to the edges of their bins can only raise
        its mean, and a bound stays one.
        """
        above = self.offset / ONE
        masses = np.append(self.n - above, 0.0)
        masses[1:] += above
        return np.asarray(masses / self.n.sum())


def chance_of_mean(spectrum: Spectrum, n: NDArray[np.int64], mean: FloatArray) -> FloatArray:
    """A bound of the chance that ``n`` rows drawn blindly have at least the mean error ``mean``.

    Args:
        n: rows of slices, ``(S,)``, fewer than there are.
        mean: mean errors, ``(S,)``.

    Returns:
        Chances in (0, 1], ``(S,)``; 1 where the mean is not above that of all rows.
    """
    masses, rows = spectrum.masses, int(spectrum.n.sum())
    inside = mean / spectrum.largest
    overall = float(masses @ np.linspace(0, 1, len(masses)))
    rest = (rows * overall - n * inside) / (rows - n)
    exponent = np.maximum(n * _rate(inside, masses), (rows - n) * _rate(1 - rest, masses[::-1]))
    return np.asarray(np.clip(np.exp(-exponent), _LEAST, 1.0))


def _rate(mean: FloatArray, masses: FloatArray) -> FloatArray:
    """Chernoff's rate at each mean; every ``t`` gives a bound, so it need not be the best one to the last digit."""
    occupied = np.flatnonzero(masses)
    below = (occupied[-1] - occupied) / (len(masses) - 1)
    masses, mean = masses[occupied], mean - occupied[-1] / (len(masses) - 1)
    low, high = np.zeros(len(mean)), np.full(len(mean), _STEEPEST)
    for _ in range(_HALVINGS):
        t = (low + high) / 2
        tilted = masses * np.exp(-t[:, None] * below)
        steeper = -(tilted @ below) / tilted.sum(axis=1) < mean
        low, high = np.where(steeper, t, low), np.where(steeper, high, t)
    spread = (masses * np.exp(-low[:, None] * below)).sum(axis=1)
    return np.asarray(np.maximum(low * mean - np.log(spread), 0.0))
