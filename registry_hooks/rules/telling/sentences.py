"""What an entry of the ledger says, in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlflow_eval_plugin.verdicts import VERDICT_WORDS
from registry_hooks.records import Entry, Pair

Body = dict[str, Any]


def sentence(entry: Entry) -> str:
    """Who did what is in the entry; this is what was done, and why."""
    told = _SENTENCES.get(entry.action)
    return told(entry, entry.body) if told else entry.action.replace("-", " ")


def _pair(body: Body) -> str:
    pair = Pair.model_validate(body)
    said = [f"{role} {getattr(pair, role)}" for role in ("champion", "challenger", "fallback") if getattr(pair, role)]
    return ", ".join(said) or "no roles"


def _for(body: Body) -> str:
    lender = body["approval"].get("for_whom")
    return (f" for {lender}" if lender else "") + _as(body["approval"].get("sources") or ())


def _as(sources: Iterable[Body]) -> str:
    """In which roles, and where each came from."""
    told = [
        f"{each['role']} ({each['via']} {each['name']}, given by {each['given_by'] or 'nobody known'})"
        for each in sources
    ]
    return f" as {', '.join(told)}" if told else ""


def _evidence(nomination: Body) -> str:
    return ", ".join(
        f"{item['kind']} {VERDICT_WORDS.get(item['verdict'], item['verdict'])}" for item in nomination["evidence"]
    )


def _settled(body: Body) -> str:
    if "found" not in body:
        return ""
    staged = [f"{stage} {', '.join(map(str, held))}" for stage, held in body["found"]["stages"].items() if held]
    told = f"aliases said {_pair(body['found']['aliases'])}, stages {', '.join(staged) or 'nothing'}"
    return f"; {told}, and the {'aliases' if body['adopt'] == 'alias' else 'stages'} counted"


_SENTENCES: dict[str, Callable[[Entry, Body], str]] = {
    "policy-applied": lambda e, b: (
        f"policy {b['name']} version {b['version']} put in force for {', '.join(b['models'])}"
    ),
    "adopted": lambda e, b: f"taken under policy as it was: {_pair(b['pair'])}{_settled(b)}",
    "registered": lambda e, b: f"version {e.version} registered",
    "deleted": lambda e, b: f"version {e.version} deleted",
    "baseline-named": lambda e, b: (
        f"baseline of version {e.version} is {b['baseline']['digest']}"
        + (f" in place of {b['replaces']}" if b["replaces"] else "")
        + f", because: {b['reason']}"
    ),
    "withdrawn": lambda e, b: f"withdrew {b['proposal']}: {b['comment']}",
    "approval-withdrawn": lambda e, b: f"took back the signature under {b['proposal']}: {b['comment']}",
    "files-checked": lambda e, b: (
        f"files of version {e.version} held against its nomination: "
        + (", ".join(b["differences"][:5]) if b["differences"] else "they are the same")
    ),
    "review-closed": lambda e, b: f"closed review {b['review']}: {b['finding']}",
    "broke-glass": lambda e, b: (
        f"BROKE GLASS: version {e.version} became champion past {len(b['overridden'])} rules, because: "
        f"{b['review']['reason']}; now {_pair(b['after'])}"
    ),
    "redacted": lambda e, b: f"redacted the {b['field']} of entry {b['seq']}, because: {b['reason']}",
    "purged": lambda e, b: f"purged {b['count']} entries of before {b['before']}, because: {b['reason']}",
    "nominated": lambda e, b: f"version {e.version} nominated as challenger on {_evidence(b['nomination'])}",
    "requested": lambda e, b: (
        f"asked to promote version {e.version} ({b['proposal']['id']}): {b['proposal']['comment']}"
    ),
    "approved": lambda e, b: f"said yes to {b['approval']['proposal']}{_for(b)}: {b['approval']['comment']}",
    "rejected": lambda e, b: f"said no to {b['approval']['proposal']}{_for(b)}: {b['approval']['comment']}",
    "promoted": lambda e, b: f"version {e.version} became champion; now {_pair(b['after'])}",
    "rolled-back": lambda e, b: (
        f"back to version {e.version}, because: {b['review']['reason']}; now {_pair(b['after'])}"
    ),
    "key-trusted": lambda e, b: f"key {b['key']['id']} trusted as {b['key']['name']}",
    "key-revoked": lambda e, b: f"key {b['key']} revoked: {b['reason']}",
    "delegated": lambda e, b: (
        f"lent {b['delegation']['role']} of policy {b['delegation']['policy']} to {b['delegation']['to']}: "
        f"{b['delegation']['reason']}"
    ),
    "delegation-ended": lambda e, b: f"ended the loan {b['delegation']}",
    "log-key-changed": lambda e, b: "another key signs the log's checkpoints from now on",
    "notify-added": lambda e, b: f"changes are told to {b['name']} ({b['kind']} {b['address']})",
    "notify-removed": lambda e, b: f"changes are no longer told to {b['name']} ({b['kind']} {b['address']})",
}
