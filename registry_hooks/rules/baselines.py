"""Which baseline a version has: a decision in the ledger, which Evidence is held against.

The form is that of ``docs/baselines.md``. Of a document no more is read than what says which one it is: its digest,
the model whose predictions were frozen, and the digest of the arrays beside it. What is not what it says is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from mlflow_eval_plugin.canonical import EvidenceError, canonical, digest_of
from registry_hooks.errors import Invalid, Reason
from registry_hooks.records import EvidenceRef, ModelState
from registry_hooks.rules.policy import RequiredEvidence

SCHEMA = "mlflow-eval-plugin/baseline/1"
DOCUMENT, TABLES = "baseline.json", "tables.arrow"
_ADDRESS = re.compile(r"runs:/(?P<run>[0-9A-Za-z_-]{1,64})/(?P<path>[^\\?#%\x00-\x1f]{1,500})")
_AGAIN = "freeze a baseline anew (evidence freeze), and name that one"


class Place(NamedTuple):
    """A folder of a run."""

    run_id: str
    path: str


class Frozen(NamedTuple):
    """What the two files of a baseline say: its digest, and of which model's files it is, None where it names none."""

    digest: str
    model: str | None


def place_of_baseline(address: str) -> Place:
    """The run and the folder that an address such as ``runs:/8d0f1c2b/baseline`` names.

    Raises:
        Invalid: for any other address: the server fetches nothing from elsewhere, and leaves no run's folder.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not all(part.strip(". ") for part in found["path"].split("/")):
        raise Invalid(
            f"address: expected a folder of a run, such as runs:/RUN_ID/baseline, found {address[:80]!r}; "
            "give the address that freeze has answered with"
        )
    return Place(found["run"], found["path"])


def read_baseline(document: bytes | None, tables_sha256: str | None) -> Frozen | list[Reason]:
    """What a baseline is, from the bytes of its document and the SHA-256 of its arrays; else why it is none."""
    if document is None or tables_sha256 is None:
        gone = " and ".join(name for name, held in ((DOCUMENT, document), (TABLES, tables_sha256)) if held is None)
        return [Reason("baseline", f"a folder with {DOCUMENT} and {TABLES}", f"no {gone} there", _AGAIN)]
    given = _members(document)
    if given is None:
        return [Reason("baseline", f"a readable document of {SCHEMA}", "something else", _AGAIN)]
    reasons = []
    if not _is_sealed(given, document):
        found = "other content: it was changed after it was written, or cut short"
        reasons.append(Reason("baseline", f"a {DOCUMENT} that matches its own digest", found, _AGAIN))
    if given["tables"].get("sha256") != tables_sha256:
        found = "another SHA-256: they were changed after they were written, or cut short"
        reasons.append(Reason("baseline", f"the {TABLES} that {DOCUMENT} names", found, _AGAIN))
    return reasons or Frozen(str(given["digest"]), given["model"].get("digest"))


def _members(document: bytes) -> dict[str, Any] | None:
    try:
        given = json.loads(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict) or given.get("schema") != SCHEMA:
        return None
    whole = isinstance(given.get("tables"), dict) and isinstance(given.get("model"), dict)
    return given if whole and isinstance(given.get("digest"), str) else None


def _is_sealed(given: dict[str, Any], document: bytes) -> bool:
    try:
        body = {name: one for name, one in given.items() if name != "digest"}
        return bool(given["digest"] == digest_of(body) and canonical(given) == document)
    except EvidenceError:
        return False


def may_name(state: ModelState, version: int, frozen: Frozen, files_digest: str) -> list[Reason]:
    """Why a baseline cannot become that of the version; empty when it can.

    A baseline that names no model (its predictions were a column of the data) is taken: whose it is, is then said by
    who names it.
    """
    reasons, named = [], state.baselines.get(version)
    if frozen.model is not None and frozen.model != files_digest:
        fix = f"freeze the predictions of models:/{state.model}/{version}, and name that baseline"
        found = f"one of other files, {frozen.model}"
        reasons.append(Reason("baseline", f"a baseline of the files of version {version}, {files_digest}", found, fix))
    if named is not None and named.digest == frozen.digest:
        found = f"{frozen.digest}, which is named since {named.at:%Y-%m-%d %H:%M}Z"
        reasons.append(Reason("baseline", f"another baseline than version {version} has", found, "nothing to do"))
    return reasons


def against_its_baseline(
    required: RequiredEvidence, found: EvidenceRef, state: ModelState, version: int
) -> list[Reason]:
    """Why Evidence was not held against the baseline that the ledger names for the version, where the policy asks."""
    if required.baseline == "optional":
        return []
    model, named = state.model, state.baselines.get(version)
    nominate = f"then registry-hooks nominate {model} {version}"
    reasons = []
    if named is None:
        fix = f"registry-hooks baseline {model} {version} ADDRESS --reason TEXT"
        reasons.append(Reason("baseline", f"a baseline that the ledger names for version {version}", "none", fix))
    if found.baseline is None:
        fix = f"freeze a baseline (evidence freeze), evaluate version {version} with its address as the reference"
        reasons.append(Reason("baseline", f"{required.kind} Evidence that was held against a frozen baseline",
                              "one that was held against rows, or against nothing", f"{fix}, {nominate}"))  # fmt: skip
    elif named is not None and found.baseline != named.digest:
        fix = f"evaluate version {version} with the baseline that registry-hooks status {model} tells as the reference"
        wanted = f"{required.kind} Evidence held against the baseline of version {version}, {named.digest}"
        reasons.append(Reason("baseline", wanted, f"one held against {found.baseline}", f"{fix}, {nominate}"))
    return reasons
