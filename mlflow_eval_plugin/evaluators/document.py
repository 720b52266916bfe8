"""What every evaluator is given: the rows, who is judged, and the one way to a sealed document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, Protocol

from mlflow_eval_plugin.engines.arrow.multiclass.summaries import ClassScored
from mlflow_eval_plugin.evaluators.config.keys import Config
from mlflow_eval_plugin.evidence import Check, Data, Evidence, Inference, Producer, Subject, seal
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import CheckRecord, Claim, judge

_LEAVES = frozenset({float, int, str, bool, type(None)})
Frame = Any  # a data frame of an engine; only engines/ know which


@dataclass(frozen=True)
class LabelsReceived:
    """How many labels have arrived where the rows without one are not judged; see ``SlicedConfig.missing_labels``.

    Attributes:
        column: what the labels are called.
        rows: how many rows the data have.
        received_reference: of the reference; None where there is none, or it has no labels.
    """

    column: str
    rows: int
    received: int
    received_reference: int | None


@dataclass(frozen=True, eq=False)
class Rows:
    """One data set, scored.

    Attributes:
        frame: features and further slice columns; never changed and never copied.
        label: 0 or 1 a row; None where a reference has no labels.
        score: probability of the positive class; None where only hard predictions are known.
        prediction: predicted class, 0 or 1; None where there are scores.
        weight: None when unweighted.
        pos_label: the positive class, as text.
        features: the columns of the data that hold no score.
        label_name, score_name: under which names label and score are columns of ``everything``.
        everything: the frame with label and score, for drift.
        apart: the columns that some config of the call names as a score, a weight, a cost or the like.
        expected: of a reference, the columns that the evaluated data are to have too.
        optional: of a reference, the columns of the evaluated data that it may lack.
        labels: how many labels have arrived, where these are the rows that have one.
    """

    frame: Frame
    data: Data
    label: Any
    score: Any
    prediction: Any
    weight: Any
    pos_label: str
    features: tuple[str, ...]
    label_name: str
    score_name: str
    everything: Frame
    apart: frozenset[str] = frozenset()
    expected: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    labels: LabelsReceived | None = None


@dataclass(frozen=True, eq=False)
class MulticlassRows:
    """One data set of three or more classes, scored.

    Attributes:
        frame, features: as in ``Rows``.
        scored: labels, predictions, probabilities and weights by class; None where a reference lacks labels or
            probabilities.
        apart, labels: as in ``Rows``.
    """

    frame: Frame
    data: Data
    features: tuple[str, ...]
    scored: ClassScored | None
    apart: frozenset[str] = frozenset()
    labels: LabelsReceived | None = None

    @property
    def known(self) -> ClassScored:
        """What is scored, of rows that have it."""
        if self.scored is None:
            raise ValueError(f"{self.data.name} has no labels, or no probabilities")
        return self.scored


class Measured(Protocol):
    """Rows of any kind: they have a name and a digest."""

    @property
    def data(self) -> Data:
        """The data set by content, with the rows that are not judged."""

    @property
    def labels(self) -> LabelsReceived | None:
        """How many labels have arrived, where the rows without one are not judged."""


@dataclass(frozen=True)
class About:
    """Who is judged, by what software, when: the parts of a document that do not depend on the data."""

    subject: Subject
    producer: Producer
    created_at: str


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


def as_json(record: Any) -> Any:
    """A record of ``stats`` as JSON values; ``dataclasses.asdict`` copies every leaf, which takes thrice the time."""
    if type(record) in _LEAVES:
        return record
    if is_dataclass(record) and not isinstance(record, type):
        return {name: as_json(getattr(record, name)) for name in record.__dataclass_fields__}
    if isinstance(record, (tuple, list)):
        return [as_json(value) for value in record]
    if isinstance(record, dict):
        return {name: as_json(value) for name, value in record.items()}
    return record


def slice_json(report: Any) -> dict[str, Any]:
    """The record of one slice as JSON, its levels by column."""
    return {**as_json(report), "slice": dict(report.slice)}


def document(
    config: Config,
    rows: Measured,
    claims: Iterable[Claim],
    measurements: Mapping[str, Any],
    about: About,
    *,
    reference: Data | None = None,
    certain: Iterable[CheckRecord] = (),
) -> Evidence:
    """Judge the Claims as one family and seal the document.

    Args:
        certain: Checks that are facts without an uncertainty; they are no part of the family.
    """
    judgement = judge(claims, alpha=config.alpha)
    return seal(
        kind=config.kind,
        subject=about.subject,
        data=rows.data,
        reference=reference,
        config=config.document(),
        inference=Inference(method=judgement.method, alpha=judgement.alpha, family_size=judgement.family_size),
        checks=[Check(**vars(record)) for record in (*certain, *judgement.checks)],
        measurements=measurements if rows.labels is None else {**measurements, "labels": as_json(rows.labels)},
        producer=about.producer,
        created_at=about.created_at,
    )
