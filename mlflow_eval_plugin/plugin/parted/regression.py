"""From columns of a source to ``RegressionRows``, as ``plugin.regression.rows`` makes them of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow_eval_plugin.engines.parts.asking import Question
from mlflow_eval_plugin.engines.parts.regression import (
    GivenInterval,
    PartedPairedRegressionRows,
    PartedRegressionRows,
    RegressionReading,
    checks_of,
    read_of,
)
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.parts.survey.facts import require_names
from mlflow_eval_plugin.evaluators.config.regression import MeanConfig, RegressionComparisonConfig
from mlflow_eval_plugin.evaluators.regression.comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.plugin.parted.side import Side
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.regression.names import pairs_of


def is_of(side: Side, config: MeanConfig) -> bool:
    """All rows of its type of model that are of no task before it."""
    return True


def surveyed(side: Side, config: MeanConfig) -> Sequence[Question]:
    """What the first pass finds of targets and predictions."""
    found = None if config.takes_columns else _reading(side, config)
    if found is None or not set(found.columns) <= set(side.source.schema.names):
        return []  # what is missing is refused by its name, once the rows are made
    return checks_of(found)


def rows(side: Side, config: MeanConfig) -> RegressionRows:
    """The evaluated rows.

    Raises:
        InputError: for targets, predictions, weights or further columns that cannot be evaluated.
    """
    name = _prediction(side, config)
    if name is None and not config.takes_columns:
        raise InputError(
            f"{config.kind}: there is neither a model nor a column of predictions; give mlflow 'predictions'"
        )
    _require_named(side, config)
    if name is None:
        name = "prediction"
        while name in side.features:
            name = f"model {name}"
    return _rows(side, config, name)


def reference(side: Side, like: RegressionRows, config: MeanConfig) -> RegressionRows:
    """The rows of the reference, which may lack targets and predictions.

    Raises:
        InputError: when its values cannot be evaluated.
    """
    try:
        if config.takes_columns:
            return _rows(side, config, like.score_name)
        reading = _reading(side, config)
        if reading is not None:
            _require_named(side, config)
            read_of(reading, side.asking)
        return _rows(side, config, like.score_name)
    except InputError as error:
        raise InputError(f"reference: {error}") from error


def champion(side: Side, own: RegressionRows, config: RegressionComparisonConfig) -> PredictedChampion:
    """What the champion predicts of the evaluated rows, in a column of theirs.

    Raises:
        InputError: when there is no such column, or it cannot be read.
    """
    name, source = side.champion(config, own.score_name)
    held: Any = own.predicted
    reading = RegressionReading(side.sliced, str(side.label), name, weight=side.weight(config))
    both = PartedPairedRegressionRows(held, reading)
    _ = held.reading  # what is wrong with the rows is not the champion's
    try:
        read_of(reading, side.asking)
    except InputError as error:
        raise InputError(f"champion: {error}") from error
    return PredictedChampion(both, source)


def _require_named(side: Side, config: MeanConfig) -> None:
    """Refuse a config that names columns of predictions which there are not."""
    if config.prediction_column is not None:
        require_names(side.sliced, [str(_prediction(side, config))], "prediction_column")
    for column, argument in config.forecasts.columns.items():
        require_names(side.sliced, [config.column(column)], argument)


def _prediction(side: Side, config: MeanConfig) -> str | None:
    """The column of predictions of the mean; None where there is none."""
    return side.prediction if config.prediction_column is None else str(config.column(config.prediction_column))


def _reading(side: Side, config: MeanConfig) -> RegressionReading | None:
    """What parts hold; None where there are no targets or no predictions."""
    prediction = _prediction(side, config)
    if side.label is None or prediction is None:
        return None
    known = config.forecasts
    quantiles = {level: str(config.column(column)) for level, column in known.quantiles.items()}
    derived = {
        name: GivenInterval(name, high - low, quantiles[low], quantiles[high], crossing=True)
        for name, (low, high) in pairs_of(tuple(quantiles)).items()
    }
    given = {
        name: GivenInterval(name, one.level, str(config.column(one.lower)), str(config.column(one.upper)))
        for name, one in known.intervals.items()
    }
    return RegressionReading(
        frame=side.sliced,
        target=side.label,
        prediction=prediction,
        quantiles=tuple(quantiles.items()),
        intervals=tuple({**derived, **given}.values()),
        weight=side.weight(config),
    )


def _rows(side: Side, config: MeanConfig, name: str) -> RegressionRows:
    """The rows, whose predictions of the mean are called ``name``."""
    prediction, reading, names = _prediction(side, config), _reading(side, config), side.source.schema.names
    forecasts = [one for one in map(config.column, config.forecasts.columns) if one in side.features]
    said: dict[str | None, str | None] = {side.label: side.label, name: prediction, **{one: one for one in forecasts}}
    everything = {one.name: one for one in side.sliced.each}
    everything |= {
        str(one): ShownColumn(str(one), source, "given" if side.has_numbers(source) else "number")
        for one, source in said.items()
        if source is not None and source in names
    }
    judged = (
        None if config.takes_columns or reading is None else PartedRegressionRows(side.asking, side.sliced, reading)
    )
    return RegressionRows(
        data=side.data(side.weight(config)),
        predicted=judged,
        features=tuple(one for one in side.features if one not in (name, *forecasts)),
        label_name=side.label_name,
        score_name=name,
        forecasts=tuple(forecasts),
        everything=PartedRows(side.asking, Shown(tuple(everything.values()))),
        expected=side.features if side.is_reference else (),
    )
