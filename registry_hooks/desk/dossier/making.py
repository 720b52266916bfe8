"""The dossier of a version, as a zip file: facts gathered in one transaction, then files read one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Literal

from mlflow_eval_plugin.canonical import canonical
from registry_hooks.desk.dossier.gathering import Gathered, Proved, gathered, proved, refuse_unseen
from registry_hooks.desk.dossier.index import index_page
from registry_hooks.desk.dossier.program import program
from registry_hooks.desk.dossier.zipping import Packing
from registry_hooks.desk.grounds.case import Cases
from registry_hooks.desk.grounds.times import moment
from registry_hooks.desk.log.checkpointing import Checkpointing
from registry_hooks.errors import Invalid, NotFound, RegistryError
from registry_hooks.identity import current_sight
from registry_hooks.rules.log.checkpoints import Checkpoint
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.nodes import Nodes
from registry_hooks.storage.log.rows import StoredLog
from registry_hooks.storage.mlflow_io import run_file, version_files
from registry_hooks.storage.mlflow_rows import Registry, VersionRow

SCHEMA = "registry-hooks/dossier/1"
Files = Literal["digests", "copies"]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Dossiers:
    """Makes dossiers; nothing here changes anything."""

    cases: Cases
    checkpointing: Checkpointing

    def dossier(self, model: str, version: int, as_of: str | None = None, files: Files = "digests") -> Iterator[bytes]:
        """Everything about one version in one zip file, which an outsider verifies without the server.

        ``as_of`` (RFC 3339) leaves out what was decided later. With ``copies`` its own files are in it.
        The same facts give the same bytes.

        Raises:
            NotFound: when the log has nothing about such a version.
            Refused: when the caller may not READ all that is in it.
        """
        until = moment("as_of", as_of) if as_of is not None else None
        with self.cases.unit_of_work(write=False) as session:
            found = gathered(Ledger(session), StoredLog(session), model, version, until)
            refuse_unseen(found, current_sight())
            row = _row(Registry(session), model, version) if files == "copies" else None
        proofs, packing = self._proved(found), Packing()
        yield from _facts(packing, found, proofs)
        yield from _documents(packing, found)
        if row is not None:
            yield from _files(packing, row)
        yield packing.put("index.html", index_page(found, proofs, packing.missing))
        yield packing.put("verify.py", program())
        listing = packing.listing(_whose(found))
        yield packing.put("dossier.json", listing)
        if (seal := self.checkpointing.sealed(f"{SCHEMA}\nsha256:{_sha256(listing)}\n")) is not None:
            yield packing.put("dossier.note", seal)
        yield packing.close()

    def _proved(self, found: Gathered) -> Proved:
        """The proofs under the first checkpoint that has all entries, so that they stay the same as the log grows."""
        self.checkpointing.fill()
        kept, standing = self.checkpointing.covering(found.newest), self.checkpointing.standing()
        with self.cases.unit_of_work(write=False) as session:
            nodes = Nodes(session)
            if kept is not None:
                return proved(nodes.tree(kept.checkpoint.size), found, kept.checkpoint, bytes(kept.note))
            tree = nodes.tree(found.newest)
            unsigned = Checkpoint(standing.origin, tree.size, tree.root(0, tree.size))
            return proved(tree, found, unsigned, None)


def _row(registry: Registry, model: str, version: int) -> VersionRow:
    try:
        return registry.version(model, version)
    except NotFound as error:
        raise NotFound(f"version {version} of {model} is deleted, and has no files; leave them out") from error


def _whose(found: Gathered) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "model": found.model,
        "version": found.version,
        "as_of": found.entries[-1].as_json()["at"],
        "made_by": f"mlflow-registry-hooks {installed('mlflow-registry-hooks')}",
    }


def _facts(packing: Packing, found: Gathered, proofs: Proved) -> Iterator[bytes]:
    """What the ledger itself says, and its proofs."""
    yield packing.put("checkpoint", proofs.checkpoint)
    paths = {
        str(row.seq): {"leaf_hash": row.leaf_hash, "path": [each.hex() for each in proofs.paths[row.seq]]}
        for row in found.rows
    }
    yield packing.put("proofs.json", canonical(paths))
    for row in found.rows:
        yield packing.put(f"entries/{row.seq:08d}.json", row.entry)
    texts = {e.body["digest"]: e.body["text"] for e in found.entries if e.action == "policy-applied"}
    for digest, text in sorted(texts.items()):
        yield packing.put(f"policies/{digest[7:]}.yaml", text.encode())
    for digest, files in sorted(found.manifests.items()):
        path = f"manifests/{digest[7:]}.json"
        if files is None:
            packing.leave_out(path, "the list of files that was nominated is not kept any more")
        else:
            yield packing.put(path, canonical({name: list(each) for name, each in files.items()}))


def _documents(packing: Packing, found: Gathered) -> Iterator[bytes]:
    """Evidence, the signatures over it, and report pages, as the runs hold them."""
    for run_id, path, sha256, needed in found.documents:
        name = f"runs/{run_id}/{path}"
        content = _read(run_id, path)
        if content is not None and sha256 in (None, _sha256(content)):
            yield packing.put(name, content)
        elif needed:
            packing.leave_out(name, "it is gone from its run" if content is None else "it was changed in its run")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(run_id: str, path: str) -> bytes | None:
    try:
        return run_file(run_id, path)
    except (NotFound, Invalid):  # a run that is gone, or a store that does not give it
        return None


def _files(packing: Packing, row: VersionRow) -> Iterator[bytes]:
    try:
        for path, local in version_files(row):
            yield from packing.stream(f"files/{path}", _chunks(local), local.stat().st_size)
    except (RegistryError, OSError):
        packing.leave_out("files", "the version's files cannot be read")


def _chunks(local: Path) -> Iterator[bytes]:
    with local.open("rb") as content:
        while chunk := content.read(_CHUNK):
            yield chunk
