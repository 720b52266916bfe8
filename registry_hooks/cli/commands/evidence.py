"""The commands about Evidence documents: sign and verify."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from registry_hooks.cli.commands.trust import FILE, PASSPHRASE
from registry_hooks.cli.failures import NO_ANSWER, REFUSED, USAGE, Failure
from registry_hooks.cli.output import clean, heading, show
from registry_hooks.cli.summaries import Summarized

RUN = click.option("--run", "run_id", metavar="ID", help="Every Evidence document of this run, on the server.")


@click.group(cls=Summarized)
def evidence() -> None:
    """Sign and verify Evidence; the signatures (DSSE) stand in a file beside each document.

    \b
    Example:
      registry-hooks evidence sign --run 8d0f1c2b3a4e5f60718293a4b5c6d7e8 --model models:/churn/2 --key ci.key
    """


@evidence.command()
@click.argument("files", nargs=-1, type=FILE)
@RUN
@click.option("--model", "model_uri", required=True, metavar="URI", help="The model that you evaluated.")
@click.option("--key", "key_file", required=True, type=FILE, help="The private key (registry-hooks key new).")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def sign(files: tuple[Path, ...], run_id: str | None, model_uri: str, key_file: Path, as_json: bool) -> None:
    """Sign Evidence FILES, or all Evidence of a run, each in a FILE.dsse beside it.

    Only documents that match their own digest are signed, and only those that are about the files at --model: what a
    model says of itself need not be true. An encrypted key is opened with the passphrase in
    REGISTRY_HOOKS_KEY_PASSPHRASE.

    \b
    Example:
      registry-hooks evidence sign --run 8d0f1c2b3a4e5f60718293a4b5c6d7e8 --model models:/churn/2 --key ci.key
    """
    from registry_hooks.rules import signatures

    private = _told(lambda: signatures.read_private(key_file.read_bytes(), os.environ.get(PASSPHRASE)), str(key_file))
    known = signatures.key_id(private.public_key())
    signed = []
    with _documents(files, run_id) as (documents, upload):
        read = [(name, path, _document(path, name)) for name, path in documents]
        _require_model({name: document for name, _path, document in read}, model_uri)
        for name, path, document in read:
            beside = path.with_name(path.name + signatures.SUFFIX)
            held = beside.read_bytes() if beside.exists() else None
            text = _told(lambda d=document, h=held: signatures.sign(d, private, h), name)
            beside.write_bytes(text)
            upload(beside)
            signed.append({"document": name, "digest": document.digest, "envelope": name + signatures.SUFFIX})
    answer = {"key": known, "signed": signed}
    show(answer, as_json, [f"Signed {clean(each['document'])} with {known[:19]}…" for each in signed])


@evidence.command()
@click.argument("files", nargs=-1, type=FILE)
@RUN
@click.option("--key", "keys", multiple=True, required=True, type=FILE, help="A public key; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def verify(files: tuple[Path, ...], run_id: str | None, keys: tuple[Path, ...], as_json: bool) -> None:
    """Verify the signatures of Evidence FILES, or of all Evidence of a run. Exit code 1 where one is not signed.

    \b
    Example:
      registry-hooks evidence verify evidence/calibration.json --key ci.key.pub
    """
    from registry_hooks.rules import signatures

    pems = [(file, file.read_text(errors="replace")) for file in keys]
    trusted = {_told(lambda p=pem: signatures.key_id(signatures.read_public(p)), str(file)): pem for file, pem in pems}
    found: list[dict[str, Any]] = []
    with _documents(files, run_id) as (documents, _upload):
        for name, path in documents:
            document, beside = _document(path, name), path.with_name(path.name + signatures.SUFFIX)
            if not beside.exists():
                found.append({"document": name, "signed_by": [], "problem": "it has no envelope"})
                continue
            held, by = _told(lambda b=beside: signatures.signers(b.read_bytes(), trusted), beside.name)
            problem = "the envelope holds another document" if held.digest != document.digest else (
                None if by else "none of these keys signed it"
            )  # fmt: skip
            found.append({"document": name, "signed_by": list(by), "problem": problem})
    lines = [f"{clean(each['document'])}: {_said(each['problem'])}" for each in found]
    show({"ok": not any(e["problem"] for e in found), "documents": found}, as_json, lines)
    if any(each["problem"] for each in found):
        raise click.exceptions.Exit(REFUSED)


def _require_model(documents: dict[str, Any], uri: str) -> None:
    """Refuse to sign anything where a document is about other files than those at ``uri``."""
    from mlflow.artifacts import download_artifacts

    from mlflow_eval_plugin.model_files import model_digest_at

    with tempfile.TemporaryDirectory() as folder:
        try:
            root = Path(download_artifacts(artifact_uri=uri, dst_path=folder))
        except Exception as error:  # every artifact store has errors of its own
            raise Failure(f"the model {uri} cannot be read: {error}", NO_ANSWER) from error
        found = model_digest_at(root)
    others = [name for name, document in documents.items() if document.subject.model_digest != found]
    if others:
        raise Failure(f"{', '.join(others)}: is not about the files of {uri}; nothing was signed", REFUSED)


def _said(problem: str | None) -> str:
    return heading(problem, "red") if problem else heading("signed", "green")


@contextmanager
def _documents(files: tuple[Path, ...], run_id: str | None) -> Iterator[tuple[list[tuple[str, Path]], Any]]:
    """The documents named, as files here, and what puts a file beside them where they came from."""
    if bool(files) == (run_id is not None):
        raise Failure("give either FILES or --run, and not both", USAGE)
    if run_id is None:
        yield [(str(file), file) for file in files], lambda file: None
        return
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        client = MlflowClient()
        try:
            there = Path(client.download_artifacts(run_id, "evidence", folder))
            documents = [(f"evidence/{each.name}", each) for each in sorted(there.glob("*.json"))]
            if not documents:
                raise Failure(f"run {run_id} holds no Evidence", USAGE)
            yield documents, lambda file: client.log_artifact(run_id, str(file), "evidence")
        except MlflowException as error:
            raise Failure(
                f"the Evidence of run {run_id} cannot be read or written: {error.message}", NO_ANSWER
            ) from error


def _document(path: Path, name: str) -> Any:
    from mlflow_eval_plugin.canonical import EvidenceError
    from mlflow_eval_plugin.evidence import loads

    try:
        return loads(path.read_bytes())
    except EvidenceError as error:
        raise Failure(f"{name}: {error}", REFUSED) from error


def _told(make: Any, name: str) -> Any:
    from registry_hooks.errors import Invalid

    try:
        return make()
    except Invalid as error:
        raise Failure(f"{name}: {error.headline}", USAGE) from error
