"""What is checked of a dossier, each thing against what it is bound by."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from registry_hooks.desk.dossier.program.forms import (
    Broken,
    Json,
    Members,
    canonical,
    digest_of,
    read_json,
    root_from,
    signed_by,
)

SCHEMA, SEAL = "registry-hooks/dossier/1", "registry-hooks/dossier/1"
EVIDENCE_TYPE = b"application/vnd.mlflow-eval-plugin.evidence.v1+json"


class Dossier:
    """A dossier while it is checked; ``problems`` says what does not hold, ``proven`` what does."""

    def __init__(self, members: Members, keys: list[str], root: str | None) -> None:
        self.members, self.keys, self.given_root = members, keys, root
        self.problems: list[str] = []
        self.proven: list[str] = []
        self.entries: dict[int, Json] = {}
        self.altered: set[int] = set()
        self.index: Json = {}
        self.listed: dict[str, Json] = {}

    def check(self) -> None:
        """Check all that can be checked; what comes first is what the rest stands on."""
        for step in (self._list, self._checkpoint, self._entries, self._policies, self._documents, self._files):
            try:
                step()
            except Broken as error:
                self.problems.append(str(error))
            except (KeyError, TypeError, ValueError, AttributeError, IndexError, zipfile.BadZipFile) as error:
                self.problems.append(f"the dossier is not in its form: {type(error).__name__} {error}")

    def _list(self) -> None:
        data = self.members.read("dossier.json")
        self.index = read_json(data, "dossier.json")
        if self.index.get("schema") != SCHEMA:
            raise Broken(f"expected a dossier of {SCHEMA}, found {str(self.index.get('schema'))[:60]}")
        if self.index["digest"] != digest_of({k: v for k, v in self.index.items() if k != "digest"}):
            self.problems.append("dossier.json does not match its own digest")
        self.listed = {each["path"]: each for each in self.index["members"]}
        self.problems += self.members.unlisted({*self.listed, "dossier.json", "dossier.note"})
        for name, each in self.listed.items():
            if self.members.measured(name) != (each["size"], each["sha256"]):
                self.problems.append(f"{name} is not the file that was put into the dossier")
        self.problems += [f"{each['path']} is missing: {each['why']}" for each in self.index["missing"]]
        if self.keys:
            sealed = signed_by(self.members.read("dossier.note"), self.keys)
            if sealed != f"{SEAL}\nsha256:{hashlib.sha256(data).hexdigest()}\n":
                raise Broken("the seal of the dossier is over another list of members")
            self.proven.append("The list of members, and with it every file here, is sealed by a key that you gave.")

    def _checkpoint(self) -> None:
        data = self.members.read("checkpoint")
        text = signed_by(data, self.keys) if self.keys else data.decode().rpartition("\n\n")[0] + "\n"
        origin, size, root, rest = text.split("\n", 3)
        if rest or not origin:
            raise Broken("the checkpoint is not in its form")
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        if self.keys:
            self.proven.append(f"The checkpoint of {self.size} entries is signed by a key that you gave.")
        if self.given_root and self.given_root.lower() != self.root.hex():
            self.problems.append(f"the root is not the one that you gave: it is {self.root.hex()}")
        elif self.given_root:
            self.proven.append("The root is the one that you gave.")

    def _entries(self) -> None:
        proofs, texts = read_json(self.members.read("proofs.json"), "proofs.json"), {}
        for number, proof in proofs.items():
            seq, text = int(number), self.members.read(f"entries/{int(number):08d}.json")
            leaf, path = bytes.fromhex(proof["leaf_hash"]), [bytes.fromhex(each) for each in proof["path"]]
            if root_from(seq, leaf, self.size, path) != self.root:
                self.problems.append(f"entry {seq} is not proved to stand in the log")
            if hashlib.sha256(b"\x00" + text).digest() != leaf:
                self.altered.add(seq)
            entry = read_json(text, f"entry {seq}")
            if entry.get("seq") != seq:
                self.problems.append(f"entry {seq} says to be another")
            self.entries[seq], texts[seq] = entry, text
        held = {name for name in self.listed if name.startswith("entries/")}
        if held != {f"entries/{seq:08d}.json" for seq in self.entries}:
            self.problems.append("the entries are not those that are proved")
        self._redacted(texts)
        self.proven.append(f"{len(self.entries)} entries stand in the log of {self.size} entries, each unchanged.")

    def _redacted(self, texts: dict[int, bytes]) -> None:
        """An entry that does not match its leaf is the text that a later entry, itself sound, says it is now."""
        unsound = set(self.altered)
        for seq in sorted(self.altered, reverse=True):
            now = "sha256:" + hashlib.sha256(texts[seq]).hexdigest()
            later = [e for n, e in self.entries.items() if n > seq and n not in unsound and e["action"] == "redacted"]
            bound = [e["body"]["rows"][str(seq)] for e in later if str(seq) in e["body"]["rows"]]
            if bound[-1:] == [now] and b"[redacted]" in texts[seq]:
                unsound.discard(seq)
                self.proven.append(f"Entry {seq} was redacted; its text is the one that the log says it has now.")
            else:
                self.problems.append(f"entry {seq} was changed: it does not match its leaf hash")

    def of_version(self, *actions: str) -> Iterator[Json]:
        """The entries with one of these actions that are of the version itself, in order."""
        for _, entry in sorted(self.entries.items()):
            mine = entry["model"] == self.index["model"] and entry["version"] == self.index["version"]
            if mine and entry["action"] in actions:
                yield entry

    def nominations(self) -> list[Json]:
        """Every nomination of the version."""
        return [entry["body"]["nomination"] for entry in self.of_version("nominated", "broke-glass")]

    def _policies(self) -> None:
        texts = {
            e["body"]["digest"]: e["body"]["text"] for e in self.entries.values() if e["action"] == "policy-applied"
        }
        for digest, text in texts.items():
            data = self.members.read(f"policies/{digest[7:]}.yaml")
            if data != text.encode() or "sha256:" + hashlib.sha256(data).hexdigest() != digest:
                self.problems.append(f"the policy {digest[:19]} is not the text that was applied")
        for entry in self.of_version("requested"):
            asked = entry["body"]["proposal"]
            if asked["policy_digest"] not in texts:
                self.problems.append(f"the policy on which {asked['id']} was asked for is missing")
            whole = {k: v for k, v in asked.items() if k not in ("digest", "approvals")}
            if entry["seq"] not in self.altered and asked["digest"] != digest_of(whole):
                self.problems.append(f"{asked['id']} does not match its digest")

    def _documents(self) -> None:
        """Evidence, signatures and report pages are those that the nominations are bound to; of one file the newest."""
        evidence: dict[str, tuple[Json, str]] = {}
        pages: dict[str, str] = {}
        for nomination in self.nominations():
            found = {f"runs/{item['run_id']}/{item['path']}": item for item in nomination["evidence"]}
            evidence.update({name: (item, nomination["at"]) for name, item in found.items()})
            pages.update({f"runs/{page['run_id']}/{page['path']}": page["sha256"] for page in nomination["pages"]})
        for name, (item, at) in evidence.items():
            self._document(name, item, at)
        for name, sha256 in pages.items():
            if self.listed.get(name, {}).get("sha256") != sha256:
                self.problems.append(f"{name} is not the report page that was nominated")
        bound = {*evidence, *(f"{name}.dsse" for name in evidence), *pages}
        strange = [name for name in self.listed if name.startswith("runs/") and name not in bound]
        self.problems += [f"{name} is nominated by no entry" for name in strange]
        self.proven.append(f"{len(evidence)} Evidence documents and {len(pages)} report files are those nominated.")

    def _document(self, name: str, item: Json, at: str) -> None:
        document = read_json(self.members.read(name), name)
        found = digest_of({k: v for k, v in document.items() if k != "digest"})
        if not found == document.get("digest") == item["digest"] or document.get("verdict") != item["verdict"]:
            self.problems.append(f"{name} is not the Evidence that was nominated")
        envelope = self.listed.get(name + ".dsse")
        if envelope and item.get("envelope_sha256") not in (None, envelope["sha256"]):
            self.problems.append(f"{name}.dsse is not the signature that was nominated")
        for key_id in item.get("signed_by", ()):
            self._signature(name, document, self._key(key_id, at))

    def _signature(self, name: str, document: Json, pem: Json) -> None:
        envelope = read_json(self.members.read(name + ".dsse"), name + ".dsse")
        payload = base64.b64decode(envelope["payload"], validate=True)
        if payload != canonical(document).encode():
            self.problems.append(f"{name}.dsse signs another document")
        (signature,) = [each["sig"] for each in envelope["signatures"] if each["keyid"] == pem["id"]]
        signed = b"DSSEv1 %d %s %d %s" % (len(EVIDENCE_TYPE), EVIDENCE_TYPE, len(payload), payload)
        public = load_pem_public_key(pem["public"].encode())
        try:
            if not isinstance(public, Ed25519PublicKey):
                raise InvalidSignature
            public.verify(base64.b64decode(signature, validate=True), signed)
        except InvalidSignature:
            self.problems.append(f"{name} is not signed by {pem['name']}")
        else:
            self.proven.append(f"{name} is signed by the key {pem['name']}, trusted when it was nominated.")

    def _key(self, key_id: str, at: str) -> Json:
        """A key that was trusted at a time, by the log."""
        trusted = [
            e for e in self.entries.values() if e["action"] == "key-trusted" and e["body"]["key"]["id"] == key_id
        ]
        ended = [e for e in self.entries.values() if e["action"] == "key-revoked" and e["body"]["key"] == key_id]
        if not [e for e in trusted if e["at"] <= at] or [e for e in ended if e["at"] <= at]:
            raise Broken(f"the key {key_id[:19]} was not trusted when it signed for this version")
        key: Json = trusted[0]["body"]["key"]
        if ended:
            self.proven.append(f"The key {key['name']} was revoked later, at {ended[0]['at']}.")
        return key

    def _files(self) -> None:
        wanted = {nomination["files_digest"] for nomination in self.nominations()}
        lists = {}
        for digest in wanted:
            files = lists[digest] = read_json(self.members.read(f"manifests/{digest[7:]}.json"), "a list of files")
            listing = [{"path": p, "size": size, "sha256": sha} for p, (size, sha) in sorted(files.items())]
            if digest_of(listing) != digest:
                self.problems.append(f"the list of files {digest[:19]} is not the one that was nominated")
        newest = lists[self.nominations()[-1]["files_digest"]] if wanted else {}
        copied = {n[6:]: [m["size"], m["sha256"]] for n, m in self.listed.items() if n.startswith("files/")}
        if copied and copied != newest:
            self.problems.append("the model's files are not those that were nominated")
        told = "They are here, unchanged." if copied else "They are not in this dossier."
        self.proven.append(f"The version has the {len(newest)} files that were nominated, by their digests. {told}")
