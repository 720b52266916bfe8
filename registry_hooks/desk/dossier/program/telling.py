"""What the program tells: what is proven, what the log says of the version, what is not proven; and the exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from registry_hooks.desk.dossier.program.checks import Dossier
from registry_hooks.desk.dossier.program.forms import Json, Members

SOUND, BROKEN = 0, 4
NOT_PROVEN = (
    "That nothing was left out. Other entries of the log may tell of this version too; only an export of the whole log "
    "(registry-hooks audit export) with the same root shows all of them.",
    "That people are who their logins say. The log says how each was authenticated.",
    "That the data and the model behave as measured. The Evidence is what was measured, by whom the document says.",
    "When things happened, beyond the word of the server that wrote the log; a checkpoint that somebody else kept or "
    "cosigned bounds it.",
    "index.html and this program, unless the dossier is sealed and you gave the log's key: rely on what is said here.",
)


def plain(text: object) -> str:
    """On one line, without control characters: a comment must not drive the terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text).replace("\n", " "))


def story(dossier: Dossier) -> Iterator[str]:
    """Who decided what, when and on what, by the entries that are proved."""
    for seq, entry in sorted(dossier.entries.items()):
        yield plain(f"  {entry['at'][:19]}Z  entry {seq}: {entry['actor']} {said(entry, entry['body'])}")
    for tenure in tenures(dossier):
        yield f"  Served {tenure}."


def said(entry: Json, body: Json) -> str:
    """One entry in words."""
    action, version = entry["action"], entry["version"]
    plainly = f"{action}" + (f" version {version}" if version else "")
    return _SAID[action](entry, body) if action in _SAID else plainly


def _signed(entry: Json, body: Json) -> str:
    signed = body["approval"]
    lent = f" for {signed['for_whom']}" if signed.get("for_whom") else ""
    word = "signed" if entry["action"] == "approved" else "rejected"
    as_ = f"{word} {signed['proposal']} as {', '.join(signed['roles'])}{lent}"
    return f"{as_}: {signed['meaning']!r}, {signed['comment']!r}"


def _nominated(entry: Json, body: Json) -> str:
    verdicts = [f"{item['kind']} {item['verdict']}" for item in body["nomination"]["evidence"]]
    return f"nominated version {entry['version']} on {', '.join(verdicts) or 'nothing'}"


def _moved(entry: Json, body: Json) -> str:
    why = f", because: {body['review']['reason']!r}" if "review" in body else ""
    return f"{entry['action']}: champion is {(body.get('after') or body['pair']).get('champion')}{why}"


_SAID: dict[str, Callable[[Json, Json], str]] = {
    "approved": _signed,
    "rejected": _signed,
    "nominated": _nominated,
    "promoted": _moved,
    "broke-glass": _moved,
    "rolled-back": _moved,
    "adopted": _moved,
    "requested": lambda entry, body: (
        f"asked for version {entry['version']} as champion ({body['proposal']['id']}): {body['proposal']['comment']!r}"
    ),
    "baseline-named": lambda entry, body: (
        f"named {body['baseline']['digest']} the baseline of version {entry['version']}"
        f"{' in place of ' + body['replaces'] if body['replaces'] else ''}: {body['reason']!r}"
    ),
    "review-closed": lambda _, body: f"closed review {body['review']}: {body['finding']!r}",
    "redacted": lambda _, body: f"redacted the {body['field']} of entry {body['seq']}: {body['reason']!r}",
    "purged": lambda _, body: f"purged {body['count']} entries of before {body['before']}: {body['reason']!r}",
    "policy-applied": lambda _, body: f"put policy {body['name']} version {body['version']} in force",
}


def tenures(dossier: Dossier) -> Iterator[str]:
    """When the version served, by the changes of the champion that are proved."""
    version, since = dossier.index["version"], None
    for _, entry in sorted(dossier.entries.items()):
        pair = entry["body"].get("after") or entry["body"].get("pair")
        if entry["model"] != dossier.index["model"] or not isinstance(pair, dict):
            continue
        if pair["champion"] == version:
            since = since or entry["at"]
        elif since:
            yield f"from {since} until {entry['at']}"
            since = None
    if since:
        yield f"from {since}, and still at the end of this dossier"


def tell(dossier: Dossier) -> Iterator[str]:
    """All of it, in lines."""
    index = dossier.index
    yield plain(f"Dossier of {index.get('model')} version {index.get('version')}, as of {index.get('as_of')}")
    yield from ("", "What holds:", *(f"  {plain(each)}" for each in dossier.proven))
    if dossier.problems:
        yield from ("", "What does NOT hold:", *(f"  {plain(each)}" for each in dossier.problems))
        yield from ("", "BROKEN: do not rely on this dossier.")
        return
    yield from ("", "What the log says:", *story(dossier))
    yield from ("", "What this does not prove:", *(f"  {each}" for each in NOT_PROVEN))
    if not (dossier.keys or dossier.given_root):
        yield "  WHOSE log this is: give its key (--key) or a root that you know (--root). Else all may be invented."
    yield from ("", "SOUND: all that can be checked holds.")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Verify the dossier of a model version, without its server.")
    here = Path(__file__).resolve().parent
    parser.add_argument("dossier", nargs="?", type=Path, default=here, help="a zip file or folder; else where this is")
    parser.add_argument("--key", action="append", default=[], help="a public key of the log, as name+id+base64")
    parser.add_argument("--root", help="the root of the log that you know, in hex")
    given = parser.parse_args(arguments)
    try:
        dossier = Dossier(Members(given.dossier), given.key, given.root)
        dossier.check()
        lines, code = list(tell(dossier)), BROKEN if dossier.problems else SOUND
    except Exception as error:  # noqa: BLE001 - a door: whatever a forged dossier brings about, it does not pass
        lines, code = [plain(f"BROKEN: it cannot be read: {type(error).__name__} {error}")], BROKEN
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
