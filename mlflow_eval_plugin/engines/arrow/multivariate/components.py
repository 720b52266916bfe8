"""Principal components of the reference: how well rows can be read back from them, and how far their mean has moved."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from mlflow_eval_plugin.stats.arrays import Float64Array
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.multivariate.shifts import LargestShift, largest_shift
from mlflow_eval_plugin.stats.multivariate.together import Reconstruction

KEPT_VARIANCE = 0.65  # of the reference, by the components: as NannyML has it by default
AXES_VARIANCE, MOST_AXES = 0.95, 50  # of a vector's own axes, as many as hold so much of the variance
NOTHING_VARIES = "one of the sides has too few rows, or nothing varies"


def reconstruction(reference: Float64Array, current: Float64Array) -> Reconstruction | None:
    """The errors of both sides; the components are of every second row of the reference, its error of the others.

    Numbers are standardised, and a missing one is the mean. The error of a row is the length of what is lost of it.

    Returns:
        None where nothing varies.
    """
    known, others = reference[::2], reference[1::2]
    with np.errstate(invalid="ignore"):
        has = ~np.isnan(known).all(axis=0)
    if not has.any():
        return None
    known, others, current = known[:, has], others[:, has], current[:, has]
    mean, spread = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    varies = spread > 0
    if not varies.any():
        return None

    def standard(rows: Float64Array) -> Float64Array:
        return np.asarray(np.nan_to_num((rows[:, varies] - mean[varies]) / spread[varies], nan=0.0))

    components = PCA(KEPT_VARIANCE if varies.sum() > 1 else 1, svd_solver="full").fit(standard(known))
    errors = []
    for rows in map(standard, (others, current)):
        errors.append(np.linalg.norm(rows - components.inverse_transform(components.transform(rows)), axis=1))
    change = largest_shift(errors[0][:, None], errors[1][:, None], "every row is read back as it was")
    before, after = (float(one.mean()) for one in errors)
    return Reconstruction(int(components.n_components_), int(varies.sum()), before, after, change)


def axes_shift(reference: Float64Array, current: Float64Array) -> LargestShift:
    """How far the mean of vectors has moved along the reference's own principal axes; rows without one are left out."""
    before, after = (rows[~np.isnan(rows).any(axis=1)] for rows in (reference, current))
    if min(len(before), len(after)) < 2:
        raise InputError(NOTHING_VARIES)
    centre = before.mean(axis=0)
    axes = PCA(min(MOST_AXES, *before.shape), svd_solver="covariance_eigh").fit(before - centre)
    enough = int(np.searchsorted(np.cumsum(axes.explained_variance_ratio_), AXES_VARIANCE)) + 1
    turned = [axes.transform(rows - centre)[:, :enough] for rows in (before, after)]
    return largest_shift(turned[0], turned[1], NOTHING_VARIES)
