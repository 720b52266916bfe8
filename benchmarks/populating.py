"""A registry of many governed models with a long ledger, written with bulk statements; the ledger is a sound one.

Each model has a hundred versions. Seventy-nine are from before it was governed; the others were registered under its
policy, fifteen of them went all the way to champion, and one stands as challenger with an approved Proposal. The steps
of all models are interleaved, as on a server.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import Any

import rfc8785
import sqlalchemy as sa
import yaml
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlRegisteredModel, SqlRegisteredModelAlias

from registry_hooks.records import Action, Approval, Entry, EvidenceRef, ModelState, Nomination, Proposal
from registry_hooks.rules.log.merkle import Growing, leaf_hash
from registry_hooks.rules.matters import Matter, matters
from registry_hooks.rules.pair import fold, pair_after_promotion
from registry_hooks.rules.policy_file import policy_digest
from registry_hooks.storage import schema
from registry_hooks.storage.mlflow_io import Manifest, manifest
from registry_hooks.storage.mlflow_rows import VersionRow

VERSIONS, BEFORE, RELEASES = 100, 79, 15
POLICY = """
schema: registry-hooks/policy/1
name: scale
models: ["scale-*"]
roles:
  data-science: [ana]
  risk: [raj, mei, guest]
  oncall: [oncall]
nominate: {by: [data-science]}
promote:
  by: [data-science, risk]
  evidence: [{kind: calibration}]
  approvals: [{role: risk, count: 2}]
rollback: {by: [oncall]}
"""
PLAIN = "plain"
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Step:
    """One entry of a model's story: by whom, what, and of which version."""

    actor: str
    action: Action
    version: int


def story() -> list[Step]:
    """What happens to each model, in a hundred entries."""
    steps: list[Step] = []
    for version in range(BEFORE + 1, BEFORE + RELEASES + 2):
        steps += [Step("ana", "registered", version), Step("ana", "nominated", version)]
        steps += [Step("ana", "requested", version), Step("raj", "approved", version), Step("mei", "approved", version)]
        if version <= BEFORE + RELEASES:
            steps.append(Step("ana", "promoted", version))
    later = range(BEFORE + RELEASES + 2, VERSIONS + 1)
    return steps + [Step("ana", "registered", version) for version in later]


CHALLENGER = BEFORE + RELEASES + 1


def name_of(number: int) -> str:
    """The name of a model."""
    return f"scale-{number:05}"


def canonical(document: dict[str, Any]) -> bytes:
    """RFC 8785 for documents of ASCII names, whole numbers and texts, by the C encoder."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Population:
    """Writes the rows.

    Args:
        models: how many.
        files: a folder that every version has as its files; made here.
        now: the time of the newest entry.
    """

    def __init__(self, models: int, files: Path, now: datetime | None = None) -> None:
        files.mkdir(parents=True)
        (files / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": {"loader_module": "none"}}}))
        self.models, self.source = models, files.as_uri()
        self.files: Manifest = manifest(VersionRow("any", 1, None, self.source, "None"))
        self.steps = story()
        now = now or datetime.now(timezone.utc).replace(microsecond=0)
        self.times = [now - timedelta(minutes=len(self.steps) - at) for at in range(len(self.steps))]
        self.states: dict[str, ModelState] = {}

    def write(self, engine: sa.Engine) -> int:
        """Fill a database that has its tables; how many entries its ledger has then."""
        with engine.begin() as connection:
            names = [*(name_of(number) for number in range(self.models)), PLAIN]
            put(connection, SqlRegisteredModel.__table__, ("workspace", "name", "creation_time", "last_updated_time"),
                (("default", name, 0, 0) for name in names))  # fmt: skip
            columns = ("workspace", "name", "version", "creation_time", "last_updated_time", "current_stage", "source",
                       "storage_location", "status")  # fmt: skip
            put(connection, SqlModelVersion.__table__, columns, self._versions(names))
            put(connection, SqlRegisteredModelAlias.__table__, ("workspace", "name", "alias", "version"),
                self._aliases(names[:-1]))  # fmt: skip
            tree = Growing()
            put(connection, schema.ledger, ("seq", "model", "action", "entry", "leaf_hash"), self._entries(tree))
            frontier = ",".join(node.hex() for node in tree.frontier)
            connection.execute(sa.update(schema.head).values(size=tree.size, frontier=frontier))
            put(connection, schema.states, ("model", "seq", "state"), self._states())
            waits = (matter for state in self.states.values() for matter in matters(state))
            put(connection, schema.waiting, Matter._fields, waits)
            put(connection, schema.manifests, ("model", "version", "digest", "files"), self._manifests(names[:-1]))
            put(connection, schema.policies, ("name", "version", "text", "applied_by", "applied_at"),
                [("scale", 1, POLICY, "admin", self.times[0].isoformat())])  # fmt: skip
        return tree.size

    def _versions(self, names: list[str]) -> Iterator[Row]:
        staged = {CHALLENGER: "Staging", CHALLENGER - 1: "Production"}
        for name in names:
            for version in range(1, VERSIONS + 1):
                stage = staged.get(version, "None") if name != PLAIN else "None"
                yield "default", name, version, 0, 0, stage, self.source, self.source, "READY"

    @staticmethod
    def _aliases(names: list[str]) -> Iterator[Row]:
        roles = (("champion", CHALLENGER - 1), ("challenger", CHALLENGER), ("fallback", CHALLENGER - 2))
        return (("default", name, alias, version) for name in names for alias, version in roles)

    def _manifests(self, names: list[str]) -> Iterator[Row]:
        files = json.dumps(self.files.files, separators=(",", ":"))
        nominated = range(BEFORE + 1, CHALLENGER + 1)
        return ((name, version, self.files.digest, files) for name in names for version in nominated)

    def _states(self) -> Iterator[Row]:
        first = 2 + (len(self.steps) - 1) * self.models
        for number in range(self.models):
            name = name_of(number)
            yield name, first + number, self.states[name].model_dump_json()

    def _entries(self, tree: Growing) -> Iterator[Row]:
        policy = {"name": "scale", "version": 1, "models": ["scale-*"], "digest": policy_digest(POLICY), "text": POLICY}
        applied = Step("admin", "policy-applied", 0)
        yield self._row(tree, None, self._template(applied, self.times[0], policy, None, None))
        common = ModelState(model=name_of(0))
        self.states = {name_of(number): common for number in range(self.models)}
        proposals: dict[str, Proposal] = {}
        for step, at in zip(self.steps, self.times, strict=True):
            apart = step.version == CHALLENGER or step.version > CHALLENGER
            after: ModelState | None = None
            for number in range(self.models):
                name = name_of(number)
                state = self.states[name]
                body, proposal = self._body(step, at, name, state, proposals.get(name), tree.size + 1)
                if proposal is not None:
                    proposals[name] = proposal
                document = self._template(step, at, body, name, step.version)
                yield self._row(tree, name, document)
                # Proposals differ from model to model; a promotion ends them, so that all states are the same again.
                if after is None or apart or proposal is not None or step.action in ("approved", "promoted"):
                    entry = Entry.model_validate(document)
                    after = fold(state if state.model == name else state.model_copy(update={"model": name}), entry)
                    self.states[name] = after
                else:
                    self.states[name] = after.model_copy(update={"model": name})

    def _row(self, tree: Growing, name: str | None, document: dict[str, Any]) -> Row:
        document["seq"], document["tree"] = tree.size + 1, tree.root.hex()
        text = canonical(document)
        if tree.size % 1009 == 0:
            assert text == rfc8785.dumps(document)
        leaf = leaf_hash(text)
        tree.append(leaf)
        return tree.size, name, document["action"], text.decode(), leaf.hex()

    @staticmethod
    def _template(
        step: Step, at: datetime, body: dict[str, Any], name: str | None, version: int | None
    ) -> dict[str, Any]:
        return {"schema": "registry-hooks/entry/1", "seq": 0, "at": at.isoformat().replace("+00:00", "Z"),
                "actor": step.actor, "authenticated_by": "basic-auth", "action": step.action, "model": name,
                "version": version, "body": body, "tree": ""}  # fmt: skip

    def _nomination(self, version: int, at: datetime) -> Nomination:
        ref = EvidenceRef(kind="calibration", digest="sha256:" + "1" * 64, verdict="pass", created_at=at,
                          run_id="0" * 32, path="evidence/calibration.json")  # fmt: skip
        return Nomination(version=version, evidence=(ref,), files_digest=self.files.digest, actor="ana", at=at)

    def _body(
        self, step: Step, at: datetime, name: str, state: ModelState, open_: Proposal | None, seq: int
    ) -> tuple[dict[str, Any], Proposal | None]:
        match step.action:
            case "nominated":
                nomination, before = self._nomination(step.version, at), state.pair
                after = before.model_copy(update={"challenger": step.version})
                return {"nomination": nomination.as_json(), "before": before.as_json(), "after": after.as_json(),
                        "via": "registry-hooks", "lineage": {"run_id": None}}, None  # fmt: skip
            case "requested":
                proposal = self._proposal(name, state, step.version, at, seq)
                return {"proposal": proposal.as_json()}, proposal
            case "approved":
                assert open_ is not None
                signed = Approval(proposal=open_.id, proposal_digest=open_.digest, actor=step.actor, roles=("risk",),
                                  decision="yes", meaning="I approve.", comment="read it", at=at)  # fmt: skip
                return {"approval": signed.as_json()}, None
            case "promoted":
                after = pair_after_promotion(state, step.version)
                (proposal,) = state.proposals.values()
                return {"proposal": proposal.as_json(), "before": state.pair.as_json(), "after": after.as_json(),
                        "via": "registry-hooks"}, None  # fmt: skip
        return {}, None

    def _proposal(self, name: str, state: ModelState, version: int, at: datetime, seq: int) -> Proposal:
        nomination = state.nominations[version]
        unsealed = Proposal(
            id=f"P-{seq}", model=name, version=version, requester="ana", created_at=at,
            expires_at=at + timedelta(days=7), expected_champion=state.pair.champion, evidence=nomination.evidence,
            files_digest=nomination.files_digest, policy_digest=policy_digest(POLICY), comment="please", digest="",
        )  # fmt: skip
        body = {key: value for key, value in unsealed.as_json().items() if key not in ("digest", "approvals")}
        digest = "sha256:" + hashlib.sha256(canonical(body)).hexdigest()
        return unsealed.model_copy(update={"digest": digest})


def put(connection: sa.Connection, table: Any, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    """Insert many rows by the fastest way that the database has."""
    rows, cursor, listed = iter(rows), connection.connection.cursor(), ", ".join(columns)
    while batch := list(islice(rows, 20_000)):
        if connection.dialect.name == "postgresql":
            lines = io.StringIO("".join("\t".join(map(_copied, row)) + "\n" for row in batch))
            cursor.copy_expert(f"COPY {table.name} ({listed}) FROM STDIN", lines)
        else:
            marks = ", ".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", batch)
    cursor.close()


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
