"""Evidence: the immutable document that says what was measured, on which data, of which model, with which config.

A document is JSON. Its digest is the SHA-256 of its RFC 8785 canonical form without the ``digest`` member, so that two
documents with the same digest say the same, whoever wrote the bytes. ``dumps`` writes it, ``loads`` refuses whatever
cannot be trusted to be what its digest names. The format is described in ``docs/evidence.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from mlflow_eval_plugin.canonical import Digest, EvidenceError, canonical, digest_of
from mlflow_eval_plugin.verdicts import Verdict

SCHEMA: Final = "mlflow-eval-plugin/evidence/1"
# Those that this release writes; documents may be of others.
KNOWN_KINDS = ("calibration", "comparison", "disaggregated", "drift")
KNOWN_TASKS = ("binary", "multiclass", "regression")

# How a verdict is said, wherever a person reads it.
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]  # the name of a kind or of a task


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Check(_Frozen):
    """One claim with a threshold, a value, an interval and a Verdict."""

    id: str
    claim: str
    metric: str
    scope: str
    n: int = Field(ge=0)
    minimum: float | None = None
    maximum: float | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = Field(default=None, ge=0, le=1)
    p_adjusted: float | None = Field(default=None, ge=0, le=1)
    verdict: Verdict
    reason: str
    n_to_decide: int | None = None
    passes_at: float | None = None

    @model_serializer(mode="wrap")
    def _without_what_it_has_not(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Documents that were written before there was a second tolerance are written again as they were.
        document: dict[str, Any] = written(self)
        if self.passes_at is None:
            del document["passes_at"]
        return document

    @model_validator(mode="after")
    def _has_a_threshold(self) -> Check:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"check {self.id!r} has neither minimum nor maximum")
        return self


class Registered(_Frozen):
    """A version of a model in a registry."""

    name: str
    version: str


class Subject(_Frozen):
    """Of which model the Evidence speaks; all None for a static data set with predictions in a column.

    ``registered`` says by which names and versions the registry knew it then. No gate goes by it: names move, and files
    have a digest. A document without any has no such member, as those of earlier releases.
    """

    model_uri: str | None = None
    model_id: str | None = None
    model_digest: Digest | None = None
    run_id: str
    registered: tuple[Registered, ...] = ()

    @model_serializer(mode="wrap")
    def _only_what_is_known(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = dumped(self)
        return made if self.registered else {name: value for name, value in made.items() if name != "registered"}


class Data(_Frozen):
    """A data set by content: the digest does not depend on the order of its rows."""

    name: str
    digest: Digest
    rows: int = Field(ge=0)
    columns: tuple[str, ...]


class FrozenAs(_Frozen):
    """The baseline that a reference was read from: where it lies, and its digest."""

    uri: str
    digest: Digest


class Reference(Data):
    """The data set that was compared with; ``baseline`` where its rows were not read, but what was once counted of it.

    A document without one has no such member, as those of earlier releases.
    """

    baseline: FrozenAs | None = None

    @model_serializer(mode="wrap")
    def _only_what_is_known(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = dumped(self)
        return made if self.baseline else {name: value for name, value in made.items() if name != "baseline"}


class Inference(_Frozen):
    """How the family of Checks keeps the chance of any false ``fail`` at or below ``alpha``."""

    method: str
    alpha: float = Field(gt=0, lt=1)
    family_size: int = Field(ge=0)


class Producer(_Frozen):
    """Which software wrote the document."""

    name: str
    version: str


class Evidence(_Frozen):
    """An immutable Evidence document; make one with ``seal``, read one with ``loads``.

    ``task`` is what the model is for; a document of an earlier release has no such member, see ``of_task``.
    """

    schema_: Literal["mlflow-eval-plugin/evidence/1"] = Field(alias="schema", default=SCHEMA)
    kind: Word
    task: Word | None = None
    subject: Subject
    data: Data
    reference: Reference | None = None
    config: dict[str, Any]
    config_digest: Digest
    inference: Inference
    checks: tuple[Check, ...]
    verdict: Verdict
    measurements: dict[str, Any]
    producer: Producer
    created_at: str
    digest: Digest

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    @model_validator(mode="after")
    def _a_comparison_has_a_champion(self) -> Evidence:
        if self.kind == "comparison" and not isinstance(self.measurements.get("champion"), dict):
            raise ValueError("a comparison names the champion among its measurements")
        return self

    @model_serializer(mode="wrap")
    def _without_a_task_it_does_not_name(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = dumped(self)
        return made if self.task is not None else {name: value for name, value in made.items() if name != "task"}

    @property
    def of_task(self) -> str:
        """The task, also of a document that was written before it was a member."""
        return self.task or str(self.measurements.get("task", "binary"))

    @property
    def champion_digest(self) -> Digest | None:
        """The digest of the champion's files, where a comparison names a model; else None."""
        champion = self.measurements.get("champion")
        found = champion.get("model_digest") if self.kind == "comparison" and isinstance(champion, dict) else None
        return found if isinstance(found, str) else None

    def document(self) -> dict[str, Any]:
        """The document as JSON values."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The Checks whose verdict is ``fail``, in document order."""
        return tuple(check for check in self.checks if check.verdict == "fail")


def overall_verdict(checks: Iterable[Check]) -> Verdict:
    """``fail`` if any Check fails, else ``insufficient`` if any is (or there is none at all), else ``pass``."""
    verdicts = {check.verdict for check in checks}
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts == {"pass"} else "insufficient"


def seal(  # noqa: PLR0913 - a document has as many members as it has
    *,
    kind: str,
    task: str | None = None,
    subject: Subject,
    data: Data,
    reference: Data | None,
    config: Mapping[str, Any],
    inference: Inference,
    checks: Iterable[Check],
    measurements: Mapping[str, Any],
    producer: Producer,
    created_at: str,
) -> Evidence:
    """Make the Evidence document: overall verdict, config digest and self-digest are computed here.

    Args:
        created_at: RFC 3339, UTC, given by the caller; nothing here reads a clock.

    Raises:
        EvidenceError: when a part is not JSON or not in the schema (a NaN anywhere, a kind that is no word).
    """
    checks = tuple(checks)
    body = {
        "schema": SCHEMA,
        "kind": kind,
        **({} if task is None else {"task": task}),
        "subject": subject.model_dump(mode="json"),
        "data": data.model_dump(mode="json"),
        "reference": reference.model_dump(mode="json") if reference else None,
        "config": (given := _as_read_again(config)),
        "config_digest": digest_of(given),
        "inference": inference.model_dump(mode="json"),
        "checks": [check.model_dump(mode="json") for check in checks],
        "verdict": overall_verdict(checks),
        "measurements": dict(measurements),
        "producer": producer.model_dump(mode="json"),
        "created_at": created_at,
    }
    return _validated({**body, "digest": digest_of(body)})


def _as_read_again(config: Mapping[str, Any]) -> Any:
    # 1.0 is written as 1: a page is the same before a document was written and after.
    return json.loads(canonical(dict(config)))


def dumps(evidence: Evidence) -> bytes:
    """The document's canonical bytes, digest included."""
    return canonical(evidence.document())


def load(path: str | Path) -> Evidence:
    """Read a file that holds a document, and hold it against its own digest.

    Raises:
        EvidenceError: as ``loads``, naming the file.
        OSError: when it cannot be read.
    """
    try:
        return loads(Path(path).read_bytes())
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error}") from error


def loads(text: bytes | str) -> Evidence:
    """Read a document and hold it against its own digest.

    Raises:
        EvidenceError: when the text is cut short, has duplicate members, NaN, an unknown schema, or another digest
            than the one it claims.
    """
    try:
        document = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(
            f"Evidence is not readable JSON ({error}); the file was cut short or is not Evidence. Fetch it again."
        ) from error
    if not isinstance(document, dict):
        raise EvidenceError(f"Evidence must be a JSON object, found {type(document).__name__}")
    if document.get("schema") != SCHEMA:
        raise EvidenceError(
            f"unknown Evidence schema: expected {SCHEMA!r}, found {document.get('schema')!r}; "
            "a newer mlflow-registry-hooks may read it"
        )
    claimed = document.get("digest")
    found = digest_of({key: value for key, value in document.items() if key != "digest"})
    if claimed != found:
        raise EvidenceError(
            f"Evidence does not match its digest: it claims {claimed}, its content is {found}. "
            "It was changed after it was written; evaluate again."
        )
    return _validated(document)


def _validated(document: dict[str, Any]) -> Evidence:
    try:
        evidence = Evidence.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise EvidenceError(f"Evidence member {where!r}: {first['msg']} (found {first.get('input')!r:.80})") from error
    if evidence.verdict != overall_verdict(evidence.checks):
        raise EvidenceError(
            f"Evidence says {evidence.verdict!r} but its checks give {overall_verdict(evidence.checks)!r}"
        )
    return evidence


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EvidenceError(f"Evidence has the member {twice!r} twice in one object")
    return document


def _no_constants(name: str) -> NoReturn:
    raise EvidenceError(f"Evidence holds {name}, which is not JSON; a verdict is never computed from it")
