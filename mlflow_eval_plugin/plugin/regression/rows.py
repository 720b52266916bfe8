"""From MLflow's data set and model to ``RegressionRows``; the model is asked once per data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines.arrow import predicted_rows
from mlflow_eval_plugin.engines.arrow.columns.inputs import column_of, require_columns
from mlflow_eval_plugin.engines.arrow.regression.inputs import Predicted
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowRegressionRows
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.arrow.sampling import sampled
from mlflow_eval_plugin.evaluators.config.regression import MeanConfig
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.plugin.asking import ask
from mlflow_eval_plugin.plugin.data.frames import Frame, headings
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer, beside, free_name, given_rows, reference_data
from mlflow_eval_plugin.plugin.data.values import to_numbers
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.regression.names import pairs_of

_NAMES = ("prediction", "predictions")  # of the one column among several that is meant where nobody says


@dataclass(eq=False)
class Predictor:
    """Asks the model about tables, each once, whichever evaluators ask."""

    scorer: Scorer
    outputs: dict[int, Any] = field(default_factory=dict)

    def output(self, table: GivenTable) -> Frame | None:
        """The model's output as columns, one row a row; None where there is no model, or it cannot be asked.

        Raises:
            InputError: for an output of another shape or length.
        """
        if self.scorer.model is None or table.inputs is None:
            return None
        whole = table.given
        if id(whole) not in self.outputs:
            with whole.named():
                self.outputs[id(whole)] = output_columns(ask(self.scorer.model, whole.inputs))
        found: Frame = table.taken(self.outputs[id(whole)])
        return found

    def prediction(self, table: GivenTable, config: MeanConfig) -> Any:
        """The predictions of the mean, or None where there are none.

        Raises:
            InputError: when it cannot be told which column they are in.
        """
        output = self.output(table)
        if output is not None:
            column = config.prediction_column
            return output[chosen_column(output, column, self.scorer.output_column)].to_numpy()
        named = self.named(config)
        if named is not None:
            return column_of(table.features, named, argument="prediction_column").to_numpy()
        return table.predictions if self.scorer.model is None else None

    def named(self, config: MeanConfig) -> str | None:
        """The column of the data that the config names for the prediction; None where it names none, or of a model."""
        column = config.prediction_column
        return None if column is None or self.scorer.model is not None else config.column(column)


def regression_rows_of(table: GivenTable, config: MeanConfig, predictor: Predictor) -> RegressionRows:
    """Everything an evaluator needs of the evaluated data set.

    Raises:
        InputError: for targets, predictions, weights or further columns that cannot be evaluated.
    """
    frame, weight, data = given_rows(table, config, predictor.scorer)
    prediction = predictor.prediction(table, config)
    if prediction is None and not config.takes_columns:
        raise InputError(
            f"{config.kind}: there is neither a model nor a column of predictions; give mlflow 'predictions'"
        )
    named = predictor.named(config)
    name = named or free_name(table.predictions_name or "prediction", frame)
    predictions = {name: prediction, **_forecasts(predictor.output(table), frame, config, required=True)}
    by_row = predictor.scorer.by_row(table, data)
    predicted = _predicted(table, frame, config, predictor, weight, by_row)
    return _rows(table, frame, data, predictions, predicted, by_row)


def regression_reference_rows(
    table: GivenTable, like: RegressionRows, config: MeanConfig, predictor: Predictor
) -> RegressionRows:
    """Everything an evaluator needs of a reference, which may lack targets and, where no model is given, predictions.

    Raises:
        InputError: when its values cannot be evaluated.
    """
    table.require_inputs(predictor.scorer.model, config)
    named = predictor.named(config)
    lacking = config.takes_columns and named is not None and named not in table.features.columns
    prediction = None if lacking else predictor.prediction(table, config)
    data = reference_data(table, predictor.scorer)
    by_row = predictor.scorer.by_row(table, data)
    known = table.labels is not None and prediction is not None
    try:
        predicted = _predicted(table, table.features, config, predictor, None, by_row) if known else None
    except InputError as error:
        raise InputError(f"reference: {error}") from error
    forecasts = _forecasts(predictor.output(table), table.features, config, required=False)
    predictions = {like.score_name: prediction, **forecasts}
    return _rows(table, table.features, data, predictions, predicted, by_row)


def _rows(
    table: GivenTable,
    frame: Frame,
    data: Data,
    predictions: Mapping[str, Any],
    predicted: Predicted | None,
    by_row: Any,
) -> RegressionRows:
    """A table's rows; ``predictions`` are columns by name, that of the mean first, None where there are none."""
    score_name, *forecasts = predictions
    columns = {table.labels_name: table.labels, **predictions}
    return RegressionRows(
        data=data,
        predicted=None if predicted is None else ArrowRegressionRows(frame, predicted, digests=by_row),
        features=tuple(str(name) for name in table.features.columns if name not in predictions),
        label_name=table.labels_name,
        score_name=score_name,
        forecasts=tuple(forecasts),
        everything=ArrowRows(
            beside(frame, {name: _numbers(values) for name, values in columns.items()}), digests=by_row
        ),
        expected=table.expected,
        optional=table.optional,
    )


def _forecasts(output: Frame | None, frame: Frame, config: MeanConfig, *, required: bool) -> dict[str, Any]:
    """Predicted quantiles and ends of intervals by column, of the model or of the data."""
    columns = config.forecasts.columns
    predicted = () if output is None else tuple(output.columns)
    return {
        config.column(column): _forecast(column, output, frame, config, argument=argument)
        for column, argument in columns.items()
        if required or column in predicted or config.column(column) in frame.columns
    }


def _forecast(column: str, output: Frame | None, frame: Frame, config: MeanConfig, *, argument: str) -> Any:
    if output is not None and column in output.columns:
        return output[column].to_numpy()
    known = frame if output is None else headings(frame, output)
    require_columns(known, [config.column(column)], argument=argument)
    return column_of(frame, config.column(column), argument=argument).to_numpy()


def _predicted(
    table: GivenTable, frame: Frame, config: MeanConfig, predictor: Predictor, weight: Any, by_row: Any
) -> Predicted | None:
    if config.takes_columns:
        return None  # it takes columns as they are, with whatever is missing in them
    output = predictor.output(table)

    def values(column: str, argument: str) -> Any:
        return _forecast(column, output, frame, config, argument=argument)

    known = config.forecasts
    quantiles = {level: values(column, "quantiles") for level, column in known.quantiles.items()}
    given = {
        name: (one.level, values(one.lower, f"intervals {name!r}"), values(one.upper, f"intervals {name!r}"))
        for name, one in known.intervals.items()
    }
    return predicted_rows(
        frame,
        target=table.labels,
        prediction=predictor.prediction(table, config),
        quantiles=quantiles,
        intervals=[(name, *one) for name, one in {**_derived(quantiles), **given}.items()],
        weight=weight,
        sample=None if by_row is None else sampled(by_row),
    )


def _derived(quantiles: Mapping[float, Any]) -> dict[str, tuple[float, Any, Any]]:
    # Where the two cross, their places are exchanged: so an interval never has a negative width.
    found = {}
    for name, (low, high) in pairs_of(tuple(quantiles)).items():
        ends = [to_numbers(quantiles[level]) for level in (low, high)]
        found[name] = (high - low, np.minimum(*ends), np.maximum(*ends))
    return found


def _numbers(values: Any) -> Any:
    # A column that once held text has objects that are numbers all the same.
    if values is None:
        return None
    array = np.asarray(values)
    return to_numbers(array) if array.dtype.kind == "O" else array


def output_columns(output: Any) -> Frame:
    """A model's output as columns.

    Raises:
        InputError: for an array of several columns, which have no names.
    """
    if isinstance(output, Frame):
        return output
    array = output[:, 0] if output.ndim == 2 and output.shape[1] == 1 else output
    if array.ndim != 1:
        raise InputError(
            f"model: expected one number a row, or a frame of named columns, found an array of shape {array.shape}"
        )
    return Frame({"prediction": array})


def chosen_column(output: Frame, column: str | None, of_mlflow: str | None, key: str = "prediction_column") -> str:
    """The column of a model's output that holds the prediction.

    Args:
        column: as the config names it.
        of_mlflow: as MLflow does.
        key: where the config can name it, for messages.

    Raises:
        InputError: when it cannot be told.
    """
    names = [str(name) for name in output.columns]
    if len(names) == 1 and column is None:
        # As MLflow's own evaluator does: its 'predictions' chooses among several columns, and a lone one needs no name.
        return names[0]
    wanted = column or of_mlflow or next((name for name in _NAMES if name in names), None)
    if wanted not in names:
        raise InputError(
            f"model: its output has the columns {', '.join(map(repr, names))}; say with {key!r} which one holds the "
            "prediction"
        )
    return str(wanted)
