"""What arrays of numbers are called: floats of any width and of 64 bits, whole numbers, and places in another array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Index = NDArray[np.intp]
