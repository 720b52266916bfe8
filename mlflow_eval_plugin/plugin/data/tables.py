"""Tables as MLflow and configs give them, without copying the features, and the model that is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.inputs import (
    checked_weights,
    coded_labels,
    column_of,
    require_columns,
)
from mlflow_eval_plugin.engines.arrow.digest import digested
from mlflow_eval_plugin.engines.arrow.sampling import are_many
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.plugin.data.frames import by_position, framed
from mlflow_eval_plugin.stats.counts.slice import rows_countable
from mlflow_eval_plugin.stats.errors import InputError

HEAD_ROWS = 100  # MLflow infers a schema from all values of a text column, which takes minutes on large ones
Said = TypeVar("Said")


@dataclass(frozen=True, eq=False)
class GivenTable:
    """Features with what belongs to them, as given; nothing here is a copy.

    Attributes:
        inputs: what a model is asked with, as MLflow hands it to one; None where columns of a reference are missing.
        needed: the columns that the model cannot do without.
        expected: of a reference, the columns that the evaluated data are to have too: all that it has, unless there is
            a model, which knows what it needs.
        optional: of a reference, the columns of the evaluated data that it may lack, as no model sees them.
        labels, predictions: one value a row; None where there are none.
        mlflow_digest: where the table was given as an MLflow data set, the digest that it has there.
        whole, received: of the rows whose labels have arrived, the table as given, and which of its rows they are.
    """

    name: str
    features: pd.DataFrame
    inputs: Any
    labels: Any
    labels_name: str
    predictions: Any
    predictions_name: str | None
    mlflow_digest: str | None = None
    needed: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    is_reference: bool = False
    whole: GivenTable | None = None
    received: Any = None
    _coded: dict[str, tuple[Any, str]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def classes(self) -> int:
        """How many different labels there are."""
        return 0 if self.labels is None else int(pd.Series(self.labels).nunique())

    def coded(self, positive: object | None) -> tuple[Any, str]:
        """Labels as 0 and 1, and the positive label as text, found once for all evaluators; see ``coded_labels``.

        Raises:
            InputError: as ``coded_labels``.
        """
        key = repr(positive)
        if key not in self._coded:
            self._coded[key] = coded_labels(pd.Series(self.labels), positive)
        return self._coded[key]

    @property
    def given(self) -> GivenTable:
        """The table as it was given, with the rows whose labels have not arrived."""
        return self.whole or self

    def taken(self, values: Any) -> Any:
        """Of values of all rows those of the rows that are judged: of all, unless labels were late."""
        if values is None or self.received is None:
            return values
        taken = values[self.received]
        return taken.reset_index(drop=True) if isinstance(taken, pd.DataFrame) else taken

    @contextmanager
    def named(self) -> Iterator[None]:
        """Say of a model's refusal whether it is of the reference; of the evaluated data it goes without saying.

        Raises:
            InputError: what is raised inside.
        """
        try:
            yield
        except InputError as error:
            if self.is_reference:
                raise InputError(f"reference: {error}") from error
            raise

    def require_inputs(self, model: Any, config: Config) -> None:
        """Refuse a reference that a model cannot be asked about, unless the config names the columns to compare.

        Raises:
            InputError: for missing columns, all of them at once.
        """
        if model is not None and self.inputs is None and getattr(config, "columns", None) is None:
            require_columns(self.features, list(self.needed), argument="reference")


@dataclass(eq=False)
class Scorer:
    """The model that is asked about tables, and what it said of each, whichever evaluators ask.

    Attributes:
        output_column: the column of the model's output, as MLflow's argument ``predictions`` names it.
        evaluated: the table of the evaluated data.
        lanes: by digest of many rows, the digest of each row.
    """

    model: Any
    output_column: str | None
    evaluated: GivenTable
    said: dict[tuple[object, ...], object] = field(default_factory=dict)
    digests: dict[tuple[int | str, ...], str] = field(default_factory=dict)
    lanes: dict[str, Any] = field(default_factory=dict)

    def once(self, key: tuple[object, ...], ask: Callable[[], Said]) -> Said:
        """What a model or a column says of a table; asked for once for each key, whose first word is the task."""
        if key not in self.said:
            self.said[key] = ask()
        return cast(Said, self.said[key])

    def digest(self, frame: pd.DataFrame, key: tuple[int | str, ...]) -> str:
        """The digest of a frame; the same key is digested once."""
        if key not in self.digests:
            found = digested(frame)
            self.digests[key] = found.summary.digest
            # Of fewer rows plans are made of all.
            self.lanes[self.digests[key]] = found.lane if are_many(len(frame)) else None
        return self.digests[key]

    def by_row(self, table: GivenTable, data: Data) -> Any:
        """The digest of each row of a table that is judged, by which a sample is chosen; None where there are few."""
        return table.taken(self.lanes.get(data.digest))


def table_of(dataset: Any) -> GivenTable:
    """The evaluated data set, as MLflow holds it."""
    features = dataset.features_data
    names = [str(name) for name in dataset.feature_names]
    if not isinstance(features, pd.DataFrame):
        features = pd.DataFrame(features, columns=names, copy=False)
    elif list(features.columns) != names:
        features = features.copy(deep=False)
        features.columns = names
    label_name = str(dataset.targets_name or "label")
    predictions = dataset.predictions_data
    return GivenTable(
        name=dataset.name,
        features=features,
        inputs=dataset.features_data,
        labels=dataset.labels_data,
        labels_name=label_name,
        predictions=predictions,
        predictions_name=dataset.predictions_name,
    )


def check_tables(table: GivenTable, *references: GivenTable | None) -> None:
    """Refuse what no evaluator can use.

    Raises:
        InputError: when there are no rows or labels, more rows than are counted, or several columns of one name.
    """
    if len(table.features) == 0:
        raise InputError(f"data {table.name!r}: there are no rows to evaluate; check the filter that made the data")
    require_countable(len(table.features), f"data {table.name!r}")
    if table.labels is None:
        raise InputError("there are no labels or targets; give mlflow 'targets'")
    for one in (table, *references):
        if one is not None and not one.features.columns.is_unique:
            twice = one.features.columns[one.features.columns.duplicated()][0]
            raise InputError(f"data {one.name!r}: there are several columns {twice!r}; rename all but one")


def require_countable(rows: int, of: str) -> None:
    """Refuse more rows than one call counts, before a model is asked about them.

    Raises:
        InputError: names whose rows they are, and both numbers.
    """
    rows_countable(rows, of=f"{of}: ", fix="give a random sample of them, or evaluate parts in calls of their own")


def require_features(table: GivenTable, model: Any) -> None:
    """Refuse data that hold nothing for a model to see; predictions that are given with the labels need no features.

    Raises:
        InputError: when there are a model and no feature columns.
    """
    if model is not None and table.features.shape[1] == 0:
        raise InputError(
            f"data {table.name!r}: there are no columns but the labels, and a model to ask; give the rows with their "
            "features, or 'predictions' without a model"
        )


def given_rows(table: GivenTable, config: Config, scorer: Scorer) -> tuple[pd.DataFrame, Any, Data]:
    """The features with ``slice_data``, the weights, and the name of all that was given.

    Raises:
        InputError: for weights or further columns that cannot be used.
    """
    whole = table.given
    frame = with_columns(whole.features, getattr(config, "slice_data", None))
    weight = weight_of(frame, config)
    # What the config was given lives as long as the call, so that no other object can get its id meanwhile.
    given = [getattr(config, key, None) for key in ("slice_data", "sample_weights")]
    key = (id(whole), *(one if isinstance(one, str) else id(one) for one in given))
    data = data_of(whole, _stored(whole, frame, weight), key, scorer)
    return table.taken(frame), table.taken(weight), data


def data_of(table: GivenTable, stored: pd.DataFrame, key: tuple[int | str, ...], scorer: Scorer) -> Data:
    """The name of a data set by content; the same key is digested once."""
    digest = scorer.digest(stored, key)
    return Data(name=table.name, digest=digest, rows=len(stored), columns=tuple(map(str, stored.columns)))


def reference_data(table: GivenTable, scorer: Scorer) -> Data:
    """The name of a reference, with all of its rows."""
    return data_of(table.given, table.given.features, (id(table.given),), scorer)


def beside(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The frame with further columns, as far as they are not None; nothing is copied."""
    found: pd.DataFrame = frame.copy(deep=False)
    for name, values in columns.items():
        if values is not None:
            found[name] = values
    return found


def free_name(name: str, frame: pd.DataFrame) -> str:
    """The name, or one like it that no column has."""
    while name in frame.columns:
        name = f"model {name}"
    return name


def with_columns(features: pd.DataFrame, given: Any) -> pd.DataFrame:
    """The features with the columns of ``slice_data``; nothing is copied.

    Raises:
        InputError: when it is no table, names a feature, or has another number of rows.
    """
    if given is None:
        return features
    if not isinstance(given, Mapping):
        given = framed(given, argument="slice_data")
    frame: pd.DataFrame = features.copy(deep=False)
    for name, values in ((str(key), given[key]) for key in given):
        if name in features.columns:
            raise InputError(f"slice_data: {name!r} is a feature too; leave it out of slice_data or rename it")
        if len(values) != len(frame):
            raise InputError(f"slice_data: column {name!r} has {len(values)} values, the data has {len(frame)} rows")
        # By position: the two frames need not share an index.
        try:
            frame[name] = by_position(values)
        except ValueError as error:
            raise InputError(f"slice_data: column {name!r} cannot be read ({error})") from error
    return frame


def weight_of(frame: pd.DataFrame, config: Config) -> Any:
    """The weights that the config gives, checked; None where it gives none.

    Raises:
        InputError: when they are missing, negative, all 0, or of another length.
    """
    given = getattr(config, "sample_weights", None)
    if given is None:
        return None
    column = config.column(given) if isinstance(given, str) else given
    return checked_weights(column_of(frame, column, argument="sample_weights"))


def _stored(table: GivenTable, frame: pd.DataFrame, weight: Any) -> pd.DataFrame:
    # What is digested is what was given; a model's scores follow from it.
    stored: pd.DataFrame = frame.copy(deep=False)
    stored[table.labels_name] = table.labels
    if table.predictions is not None:
        stored[free_name(str(table.predictions_name), frame)] = table.predictions
    if weight is not None:
        stored[free_name("sample_weight", frame)] = weight
    return stored
