"""What the evaluators are given of three or more classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_eval_plugin.engines.contract import MulticlassData
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.document import LabelsReceived
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class MulticlassRows:
    """One data set of three or more classes, scored.

    Attributes:
        scored: features and further slice columns, with labels, predictions, probabilities and weights by class; None
            where a reference lacks labels or probabilities.
        features, apart, labels: as in ``Rows``.
    """

    data: Data
    features: tuple[str, ...]
    scored: MulticlassData | None
    apart: frozenset[str] = frozenset()
    labels: LabelsReceived | None = None

    @property
    def known(self) -> MulticlassData:
        """What is scored, of rows that have it."""
        if self.scored is None:
            raise ValueError(f"{self.data.name} has no labels, or no probabilities")
        return self.scored


def refuse_keys(config: Config, reasons: Mapping[str, str]) -> None:
    """Refuse keys that are for two classes where there are more.

    Args:
        reasons: why not, by key.

    Raises:
        InputError: for a key that is set to something else than its default.
    """
    for key, why in reasons.items():
        if key in config.model_fields_set and getattr(config, key) != type(config).model_fields[key].default:
            raise InputError(
                f"{config.kind}: {key} is for two classes: {why}; leave it out, or make the label one class against "
                "the rest"
            )
