"""Redaction: a text that people wrote is taken out of the log, of every place that repeats it, and nothing else.

A text belongs to a *record*: a nomination, a Proposal, an Approval, a review, a loan, or the entry itself. Later
entries and states repeat records whole, and are found by what a record is known by. What was asked, when, by whom and
in which roles is no such text: it is what the log is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from registry_hooks.errors import Reason

REDACTED = "[redacted]"
"""Stands where a text stood."""

Json = dict[str, Any]
Known = tuple[Any, ...]


@dataclass(frozen=True)
class Text:
    """A text by the record that it belongs to, and its name there."""

    record: Known
    field: str


# Of each entry that has such texts, where in its body their record is; "" is the body itself.
_RECORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nominated": ("nomination", ("comment",)),
    "requested": ("proposal", ("comment",)),
    "approved": ("approval", ("comment", "meaning")),
    "rejected": ("approval", ("comment", "meaning")),
    "rolled-back": ("review", ("reason",)),
    "broke-glass": ("review", ("reason",)),
    "delegated": ("delegation", ("reason",)),
    "withdrawn": ("", ("comment",)),
    "approval-withdrawn": ("", ("comment",)),
    "review-closed": ("", ("finding",)),
    "baseline-named": ("", ("reason",)),
    "key-revoked": ("", ("reason",)),
    "account-undone": ("", ("why",)),
    "log-key-changed": ("", ("reason",)),
    "redacted": ("", ("reason",)),
    "purged": ("", ("reason",)),
}


def may_redact(document: Json, field: str) -> list[Reason]:
    """Why a field of an entry cannot be redacted; empty when it can."""
    seq, action = document["seq"], document["action"]
    _, fields = _RECORDS.get(action, ("", ()))
    mend = "registry-hooks history MODEL shows what each entry says"
    if field not in fields:
        wanted = f"a text that somebody wrote into entry {seq} ({action}): {', '.join(fields) or 'it has none'}"
        return [Reason("field", wanted, field[:80], mend)]
    if all(_read(document, text) in (None, "", REDACTED) for text in texts(document, field)):
        return [Reason("field", "a text that is there", f"the {field} of entry {seq} is empty or redacted", mend)]
    return []


def texts(document: Json, field: str) -> list[Text]:
    """The texts that a field of an entry is: one, and where a break-glass made a nomination the same text in that."""
    where, _ = _RECORDS[document["action"]]
    body = document["body"]
    found = [Text(_known(body[where]) if where else _entry(document), field)]
    nomination = body.get("nomination")
    if document["action"] == "broke-glass" and nomination["at"] == document["at"]:
        found.append(Text(_known(nomination), "comment"))
    return found


def all_texts(document: Json) -> list[Text]:
    """Every text that somebody wrote into an entry."""
    _, fields = _RECORDS.get(document["action"], ("", ()))
    return [text for field in fields for text in texts(document, field)]


def without(value: Json, taken: Iterable[Text]) -> tuple[Json, bool]:
    """An entry or a state without these texts, and whether it had any of them."""
    wanted = {(text.record, text.field) for text in taken}
    changed = _taken_out(value, wanted)
    return changed, changed != value


def _taken_out(value: Any, wanted: set[tuple[Known, str]]) -> Any:
    if isinstance(value, list):
        return [_taken_out(each, wanted) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _taken_out(each, wanted) for name, each in value.items()}
    if "tree" in value and "body" in value:
        made["body"] = _marked(made["body"], _entry(value), wanted)
        return made
    return _marked(made, _known(value), wanted)


def _marked(record: Json, known: Known, wanted: set[tuple[Known, str]]) -> Json:
    return {name: REDACTED if each and (known, name) in wanted else each for name, each in record.items()}


def _entry(document: Json) -> Known:
    return "entry", document["seq"]


def _known(record: Json) -> Known:
    """What a record is known by, wherever it is repeated; nothing for what is no such record."""
    if "proposal_digest" in record:
        return "approval", record["proposal"], record["actor"], record["at"]
    if "expected_champion" in record and "requester" in record:
        return "proposal", record["id"]
    if "due_at" in record:  # a review, or a notice about one, which names it
        return "review", record.get("id", record.get("review"))
    if "files_digest" in record and "actor" in record:
        return "nomination", record["version"], record["at"]
    if "until" in record and "to" in record:
        return "delegation", record["id"]
    return ()


def _read(document: Json, text: Text) -> str | None:
    """A text as it stands in an entry; None where it is not in it."""
    found = _found(document["body"], text)
    return next(found, document["body"].get(text.field) if text.record == _entry(document) else None)


def _found(value: Any, text: Text) -> Iterator[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and _known(value) == text.record and text.field in value:
        yield value[text.field]
    for each in inner:
        yield from _found(each, text)
