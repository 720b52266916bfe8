"""What every evaluator is given: the rows, who is judged, and the one way to a sealed document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, Protocol

from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evidence import Check, Data, Evidence, Inference, Producer, Subject, seal
from mlflow_eval_plugin.stats.inference.checks import CheckRecord, Claim, judge

_LEAVES = frozenset({float, int, str, bool, type(None)})


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
    """Who is judged, by what software, when, at what task: the parts of a document that do not depend on the data."""

    subject: Subject
    producer: Producer
    created_at: str
    task: str | None = None


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
        task=about.task,
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
