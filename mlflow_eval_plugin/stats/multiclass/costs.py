"""What the decisions of a model of three or more classes cost."""

from __future__ import annotations

from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.inference.quantities import MeanCost, mean_cost
from mlflow_eval_plugin.stats.multiclass.metrics import MulticlassTable


def class_cost(table: MulticlassTable, costs: ClassCosts) -> MeanCost:
    """The mean cost of a row of every slice of three or more classes, "overall" first.

    Raises:
        InputError: for costs of other classes than there are, or a mistake without one.
    """
    part, kinds = table.part(), costs.matrix(table.summary.classes).reshape(-1)
    return mean_cost(part.confusion.reshape(-1, len(kinds)), kinds, part.sums.effective, part.n)
