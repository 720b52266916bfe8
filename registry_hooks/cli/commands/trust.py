"""The commands about whose word counts: key (who signs Evidence) and delegate (who holds a role for a time)."""

from __future__ import annotations

import os
from pathlib import Path

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.failures import USAGE, Failure, require_name
from registry_hooks.cli.output import clean, heading, show, table, when
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PASSPHRASE = "REGISTRY_HOOKS_KEY_PASSPHRASE"


@click.group(cls=Summarized)
def key() -> None:
    """Create, trust and revoke the Ed25519 keys that sign Evidence.

    \b
    Example:
      registry-hooks key new ci.key
      registry-hooks key trust ci ci.key.pub
    """


@key.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def new(file: Path, as_json: bool) -> None:
    """Create a key: the private half in FILE (mode 0600), the public half in FILE.pub. Needs no server.

    With REGISTRY_HOOKS_KEY_PASSPHRASE set, the private half is encrypted with it.

    \b
    Example:
      registry-hooks key new ci.key
    """
    from registry_hooks.rules import signatures

    require_name(file)
    made, public = signatures.new_key(), file.with_name(file.name + ".pub")
    for each in (file, public):
        if each.exists():
            raise Failure(f"{each} exists; choose another name, so that no key is lost", USAGE)
    text = signatures.public_pem(made.public_key())
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as private:
            private.write(signatures.private_pem(made, os.environ.get(PASSPHRASE)))
        public.write_text(text)
    except OSError as error:
        raise Failure(f"cannot write {error.filename}: {error.strerror}", USAGE) from error
    known = signatures.key_id(made.public_key())
    answer = {"id": known, "private": str(file), "public": str(public)}
    show(answer, as_json, [f"Key {known}", f"  {file} signs; keep it secret.",
                           f"  Next, by an admin: registry-hooks key trust NAME {public}"])  # fmt: skip


@key.command()
@click.argument("name")
@click.argument("file", type=FILE)
@talks_to_server
def trust(client: Client, name: str, file: Path, as_json: bool) -> None:
    """Trust the public key in FILE under NAME, which policies name under signed_by. Administrators only.

    \b
    Example:
      registry-hooks key trust ci ci.key.pub
    """
    answer = client.key_trust(name, _read(file).decode("utf-8", "replace"))
    show(answer, as_json, [f"Key {clean(answer['key']['id'])} is trusted as {heading(clean(name))}.",
                           f"  Ledger entry {answer['entry']}."])  # fmt: skip


@key.command()
@click.argument("key_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the audit log.")
@talks_to_server
def revoke(client: Client, key_id: str, reason: str, as_json: bool) -> None:
    """Revoke the key with this ID: nothing that it signed counts any more. Administrators only.

    \b
    Example:
      registry-hooks key revoke sha256:9f86d081884c7d65… --reason "laptop lost"
    """
    answer = client.key_revoke(key_id, reason)
    show(answer, as_json, [f"Key {clean(key_id)} is {heading('revoked', 'red')}. Ledger entry {answer['entry']}."])


@key.command("list")
@talks_to_server
def list_keys(client: Client, as_json: bool) -> None:
    """List the keys that are or were trusted.

    \b
    Example:
      registry-hooks key list
    """
    answer = client.keys()
    rows = [
        (each["name"], "revoked " + when(each["revoked_at"]) if each["revoked_at"] else "trusted",
         each["trusted_by"], when(each["trusted_at"]), each["id"])
        for each in answer["keys"]
    ]  # fmt: skip
    lines = list(table(("name", "state", "by", "since", "id"), rows))
    show(answer, as_json, lines or ["No key was ever trusted."])


@click.group(cls=Summarized)
def delegate() -> None:
    """Lend your role to somebody for a time, end a loan, and list loans.

    \b
    Example:
      registry-hooks delegate give acs risk --to bob --for 7d --reason "on leave"
    """


@delegate.command()
@click.argument("policy")
@click.argument("role")
@click.option("--to", required=True, metavar="USER", help="Who signs in your place.")
@click.option("--for", "lasts", required=True, metavar="TIME", help="How long, from now: 12h, 7d, 2w.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the audit log.")
@talks_to_server
def give(client: Client, policy: str, role: str, to: str, lasts: str, reason: str, as_json: bool) -> None:
    """Lend your ROLE of POLICY to somebody. A role that was lent to you cannot be lent on.

    \b
    Example:
      registry-hooks delegate give acs risk --to bob --for 7d --reason "on leave"
    """
    answer = client.delegate(policy, role, to, lasts, reason)
    lent = answer["delegation"]
    told = f"{clean(lent['to'])} signs as {clean(role)} in {clean(lent['by'])}'s place until {when(lent['until'])}."
    show(answer, as_json, [told, f"  To end it before: registry-hooks delegate end {lent['id']}"])


@delegate.command()
@click.argument("number", metavar="ID")
@talks_to_server
def end(client: Client, number: str, as_json: bool) -> None:
    """End a loan before its time.

    \b
    Example:
      registry-hooks delegate end D-7
    """
    answer = client.delegation_end(number)
    show(answer, as_json, [f"Delegation {clean(number)} has ended. Ledger entry {answer['entry']}."])


@delegate.command("list")
@talks_to_server
def list_delegations(client: Client, as_json: bool) -> None:
    """List the loans in force.

    \b
    Example:
      registry-hooks delegate list
    """
    answer = client.delegations()
    rows = [
        (each["id"], each["policy"], each["role"], each["by"], each["to"], when(each["until"]), each["reason"])
        for each in answer["delegations"]
    ]
    lines = list(table(("id", "policy", "role", "of", "to", "until", "reason"), rows))
    show(answer, as_json, lines or ["Nobody has lent a role."])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", USAGE) from error
