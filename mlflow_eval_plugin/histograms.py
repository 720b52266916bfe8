"""How histograms stand in Evidence: what counts and what draws them must know of it alike; light to import."""

from typing import Final

HISTOGRAM_BARS: Final = 30
"""Bars at most; of more categories the rarest are one bar, the last."""
