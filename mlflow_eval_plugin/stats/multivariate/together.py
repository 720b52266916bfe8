"""What is found of two sides whose columns are looked at together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlflow_eval_plugin.stats.inference.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.inference.quantities import AucQuantity
from mlflow_eval_plugin.stats.multivariate.shifts import LargestShift
from mlflow_eval_plugin.stats.multivariate.two_sample import Carrier, Fold, carriers, two_sample_auc


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Errors of rows that are written in the reference's principal components and read back.

    Attributes:
        components: how many there are, of how many numbers.
        reference, current: the mean error of rows of either side that the components were not found from.
        change: of the mean, in the reference's standard deviations.
    """

    components: int
    numbers: int
    reference: float
    current: float
    change: LargestShift


@dataclass(frozen=True, eq=False)
class Together:
    """Two sides, on rows that were drawn of both.

    Attributes:
        columns: what the classifier was given.
        folds: see ``two_sample_auc``; none where there are too few rows.
        reconstruction: None where there are too few rows.
        axes: how far the mean has moved along the reference's principal axes; None where that was not asked for.
        software: what the classifier is of.
        passed_over: by name, why a column was left out.
    """

    n_reference: int
    n_current: int
    columns: tuple[str, ...]
    folds: tuple[Fold, ...]
    reconstruction: Reconstruction | None
    axes: LargestShift | None
    software: str
    passed_over: Mapping[str, str] = field(default_factory=dict)

    @property
    def auc(self) -> AucQuantity:
        """How well both sides can be told apart."""
        return two_sample_auc(self.folds, min(self.n_reference, self.n_current))

    @property
    def report(self) -> TogetherReport:
        """All of it, with pointwise 95 % intervals."""
        one = self.reconstruction
        return TogetherReport(
            n_reference=self.n_reference,
            n_current=self.n_current,
            columns=self.columns,
            two_sample_auc=estimates(self.auc)[0],
            carriers=carriers(self.folds, self.columns),
            mean_shift=None if self.axes is None else estimates(self.axes)[0],
            reconstruction=None
            if one is None
            else ReconstructionReport(
                one.components, one.numbers, one.reference, one.current, estimates(one.change)[0]
            ),
            software=self.software,
        )


@dataclass(frozen=True)
class ReconstructionReport:
    """See ``Reconstruction``."""

    components: int
    numbers: int
    reference: float
    current: float
    change: Estimate


@dataclass(frozen=True)
class TogetherReport:
    """See ``Together``."""

    n_reference: int
    n_current: int
    columns: tuple[str, ...]
    two_sample_auc: Estimate
    carriers: tuple[Carrier, ...]
    mean_shift: Estimate | None
    reconstruction: ReconstructionReport | None
    software: str
