"""``index.html``: what a person reads of a dossier; drawn from what was gathered, and from nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlflow_eval_plugin.verdicts import VERDICT_WORDS
from registry_hooks.desk.answers import tenures, warnings
from registry_hooks.desk.dossier.gathering import Gathered, Proved
from registry_hooks.desk.dossier.program.telling import NOT_PROVEN
from registry_hooks.records import Entry, Nomination
from registry_hooks.rules.telling.sentences import sentence

_BECAME = {
    "promoted": "by a promotion",
    "rolled-back": "by a rollback",
    "broke-glass": "by break-glass, past the rules",
    "adopted": "as it was found when the model came under policy",
}


def index_page(found: Gathered, proofs: Proved, missing: list[dict[str, str]]) -> bytes:
    """The page, as UTF-8."""
    mine, nominations = found.mine, found.nominations
    newest = nominations[-1] if nominations else None
    context = {
        "found": found,
        "as_of": _when(found.entries[-1]),
        "headline": _headline(found),
        "tenures": [each for each in tenures(mine) if each["version"] == found.version],
        "signatures": [(_when(e), e, e.body["approval"]) for e in mine if e.action in ("approved", "rejected")],
        "proposals": [(_when(e), e.body["proposal"]) for e in mine if e.action == "requested"],
        "evidence": _evidence(newest, {each["path"] for each in missing}),
        "pages": [f"runs/{page.run_id}/{page.path}" for page in newest.pages] if newest else [],
        "reviews": _reviews(mine),
        "lineage": [(_when(e), e.body.get("lineage") or {}) for e in mine if e.action == "nominated"],
        "files": found.manifests.get(newest.files_digest) if newest else None,
        "files_digest": newest.files_digest if newest else None,
        "policies": [(_when(e), e, e.body) for e in found.entries if e.action == "policy-applied"],
        "log": [(_when(entry), entry, sentence(entry)) for entry in found.entries],
        "warnings": warnings(newest) if newest else [],
        "missing": missing,
        "not_proven": NOT_PROVEN,
        "root": proofs.root.hex(),
        "signed": proofs.signed,
    }
    return _template().render(context).encode()


def _when(entry: Entry) -> str:
    return f"{entry.at:%Y-%m-%d %H:%M:%S}Z"


def _headline(found: Gathered) -> str:
    served = [each for each in tenures(found.mine) if each["version"] == found.version]
    if not served:
        return "It has not served."
    last = served[-1]
    how = _BECAME[last["how"]]
    since = last["since"][:19].replace("T", " ")
    until = f"It served until {last['until'][:19].replace('T', ' ')}Z" if last["until"] else "It serves"
    return f"{until}, from {since}Z on, {how} of {last['by']}."


def _evidence(newest: Nomination | None, missing: set[str]) -> list[dict[str, Any]]:
    return [
        {
            "kind": item.kind,
            "verdict": item.verdict,
            "word": VERDICT_WORDS.get(item.verdict, item.verdict),
            "at": f"{item.created_at:%Y-%m-%d %H:%M:%S}Z",
            "failed": item.failed,
            "digest": item.digest,
            "path": path if (path := f"runs/{item.run_id}/{item.path}") not in missing else None,
            "signed": bool(item.signed_by),
        }
        for item in (newest.evidence if newest else ())
    ]


def _reviews(mine: list[Entry]) -> list[dict[str, Any]]:
    closed = {e.body["review"]: e for e in mine if e.action == "review-closed"}
    opened = [e.body["review"] for e in mine if isinstance(e.body.get("review"), dict)]
    return [{**each, "closed": closed.get(each["id"])} for each in opened]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("registry_hooks.desk.dossier"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("index.html.j2")
