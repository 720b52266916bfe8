"""The names of a regression's metrics, and of the intervals that pairs of quantiles make; light to import."""

from __future__ import annotations

from collections.abc import Mapping

SMALLEST_LEVEL = 1e-6  # beyond it no sample tells a quantile's coverage
OF_ALL = ("mae", "rmse", "bias", "r2")


def level_text(level: float) -> str:
    """A quantile level as it stands in the name of a metric."""
    return f"{level:.12g}"


def pairs_of(levels: tuple[float, ...]) -> Mapping[str, tuple[float, float]]:
    """The central intervals that quantile levels make in pairs, by name: 0.1 and 0.9 make "80 %"."""
    lower = [level for level in levels if level < 0.5]
    found = {low: next((level for level in levels if abs(low + level - 1) < 1e-9), None) for low in lower}
    return {f"{100 * (high - low):.10g} %": (low, high) for low, high in found.items() if high is not None}


def metric_names(levels: tuple[float, ...], bands: tuple[str, ...]) -> tuple[str, ...]:
    """Every metric there is, given the quantile levels and the names of the intervals."""
    of_levels = [f"{kind}_{level_text(level)}" for level in levels for kind in ("pinball", "coverage")]
    of_bands = [f"{kind}_{band}" for band in bands for kind in ("coverage", "width", "interval_score")]
    return (*OF_ALL, *of_levels, *of_bands)


def changed_names(levels: tuple[float, ...], bands: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics whose change since a reference is known."""
    coverages = (f"coverage_{name}" for name in (*map(level_text, levels), *bands))
    return (*OF_ALL, "mean_error", "slope", *coverages)


def can_be_best(metric: str) -> bool:
    """Whether more or less of a metric is better; neither is so of a bias, a coverage or a width."""
    return not metric.startswith(("bias", "coverage_", "width_"))


def can_be_divided(metric: str) -> bool:
    """Whether a metric is 0 or more, so that ratios of it mean something."""
    return metric not in ("bias", "r2")
