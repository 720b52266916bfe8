"""The costs of a config, as the model that is judged can use them: of two classes or of more."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts, Costs


def costs_of_two(costs: Costs | ClassCosts | None) -> Costs | None:
    """The costs of both mistakes.

    Raises:
        InputError: for costs by class.
    """
    if isinstance(costs, ClassCosts):
        raise InputError(
            "costs: costs by class are for three or more classes; of two give those of the mistakes, {'fp': 1, 'fn': 5}"
        )
    return costs


def costs_of_classes(costs: Costs | ClassCosts | None, classes: Sequence[str]) -> ClassCosts | None:
    """The costs of every class taken for another.

    Raises:
        InputError: for costs of two classes, of a class there is none of, or a mistake that has none.
    """
    if isinstance(costs, Costs):
        first, second = classes[:2]
        raise InputError(
            "costs: those of false positives and negatives are for two classes; give those of every class taken for "
            f"another, {{{first!r}: {{{second!r}: 1, …}}, …}}"
        )
    if costs is not None:
        costs.matrix(classes)
    return costs
