"""The two files of a baseline: ``baseline.json``, sealed by its own digest, and ``tables.arrow``, whose bytes it names.

Every byte counts: the document is canonical JSON and nothing beside it, so that neither file can be changed, or cut
short, without the other digest being found. The format is described in ``docs/baselines.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlflow_eval_plugin.canonical import Digest, EvidenceError, canonical, digest_of
from mlflow_eval_plugin.engines.frozen.tables import packed, unpacked
from mlflow_eval_plugin.engines.frozen.values import read, written
from mlflow_eval_plugin.evidence import Data, Producer, Registered, Word
from mlflow_eval_plugin.stats.errors import InputError

SCHEMA: Final = "mlflow-eval-plugin/baseline/1"
DOCUMENT, TABLES = "baseline.json", "tables.arrow"


class _Sealed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class ColumnKind(_Sealed):
    """A column by name, with its kind."""

    name: str
    kind: str


class Model(_Sealed):
    """Of which model the predictions are; all None where they were a column of the data, and nobody said whose."""

    uri: str | None = None
    digest: Digest | None = None
    registered: tuple[Registered, ...] = ()


class Part(_Sealed):
    """What one evaluator needs of a reference.

    Attributes:
        task: at which the rows were read.
        config: the effective config, as the Evidence has it.
        label, score: what the columns of labels and of what is predicted are called.
        forecasts: further columns that hold what is predicted.
        pos_label: the positive class of two, as text.
        received: rows with a label, where the others were left out.
        rows: the columns for drift, and what is known of scored rows; Summaries, see ``engines.frozen.values``.
    """

    task: Word
    config: dict[str, Any]
    label: str
    score: str | None = None
    forecasts: tuple[str, ...] = ()
    pos_label: str | None = None
    received: int | None = Field(default=None, ge=0)
    rows: Any = None


class Tables(_Sealed):
    """The file of arrays beside the document."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class BaselineDocument(_Sealed):
    """What ``baseline.json`` says.

    Attributes:
        data: the rows by content, as Evidence names them.
        columns: by name, sorted, with their kinds.
        parts: by kind of Evidence.
    """

    schema_: Literal["mlflow-eval-plugin/baseline/1"] = Field(alias="schema", default=SCHEMA)
    name: str
    model_type: str
    predictions: str | None = None
    data: Data
    columns: tuple[ColumnKind, ...]
    model: Model
    parts: dict[Word, Part]
    tables: Tables
    producer: Producer
    created_at: str
    digest: Digest


@dataclass(frozen=True, eq=False)
class Baseline:
    """A baseline that was read.

    Attributes:
        uri: where it was found, as it is named in Evidence.
        rows: by kind, the handles of ``engines.frozen``.
    """

    document: BaselineDocument
    uri: str
    rows: Mapping[str, Any]

    def received(self, kind: str) -> int | None:
        """How many rows had a label, where an evaluator judges by it; None where none had, or none was asked."""
        return self.document.parts[kind].received if kind in self.document.parts else None


def sealed(body: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a baseline, by name.

    Args:
        body: all members but the handles of the parts, the tables and the digest.
        rows: by kind, what the part holds.
    """
    arrays: list[Any] = []
    parts = {kind: {**one, "rows": written(rows[kind], arrays)} for kind, one in body["parts"].items()}
    tables = packed(arrays)
    named = {"sha256": hashlib.sha256(tables).hexdigest(), "size": len(tables)}
    document = {"schema": SCHEMA, **body, "parts": parts, "tables": named}
    whole = {**document, "digest": digest_of(document)}
    BaselineDocument.model_validate(whole)
    return {DOCUMENT: canonical(whole), TABLES: tables}


def loaded(folder: Path, uri: str) -> Baseline:
    """Read the two files below a folder, and hold them against their digests.

    Raises:
        InputError: names the file, and what is wrong with it.
    """
    text, tables = (_content(folder, name, uri) for name in (DOCUMENT, TABLES))
    document = _document(text, uri)
    if len(tables) != document.tables.size or hashlib.sha256(tables).hexdigest() != document.tables.sha256:
        raise InputError(
            f"baseline: {uri}: {TABLES}: expected {document.tables.size:,} bytes with the SHA-256 "
            f"{document.tables.sha256}, found {len(tables):,} with {hashlib.sha256(tables).hexdigest()}; it was cut "
            "short or changed after it was written: fetch it again, or freeze it anew"
        )
    try:
        arrays = unpacked(tables)
        return Baseline(document, uri, {kind: read(one.rows, arrays) for kind, one in document.parts.items()})
    except InputError as error:
        raise InputError(f"baseline: {uri}: {error}; a newer mlflow-registry-hooks may read it") from error


def _content(folder: Path, name: str, uri: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InputError(
            f"baseline: {uri}: there is no {name} ({error.strerror}); expected a folder that 'freeze' wrote, with "
            f"{DOCUMENT} and {TABLES}"
        ) from error


def _document(text: bytes, uri: str) -> BaselineDocument:
    where = f"baseline: {uri}: {DOCUMENT}"
    try:
        given = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{where} is not readable JSON ({error}); it was cut short or changed: fetch it again"
        ) from error
    if not isinstance(given, dict) or given.get("schema") != SCHEMA:
        found = given.get("schema") if isinstance(given, dict) else type(given).__name__
        raise InputError(
            f"{where}: expected the schema {SCHEMA!r}, found {found!r}; a newer mlflow-registry-hooks may read it"
        )
    claimed = given.get("digest")
    try:
        found = digest_of({key: one for key, one in given.items() if key != "digest"})
        same = claimed == found and canonical(given) == text
    except EvidenceError as error:
        raise InputError(f"{where}: {error}") from error
    if not same:
        raise InputError(
            f"{where} does not match its digest: it claims {claimed}, its content is {found}. It was changed after it "
            "was written; fetch it again, or freeze it anew"
        )
    try:
        return BaselineDocument.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        member = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: member {member!r}: {first['msg']}") from error
