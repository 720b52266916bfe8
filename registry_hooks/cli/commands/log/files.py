"""Files of checkpoints, keys and proofs: read whole, and written whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry_hooks.cli.failures import BROKEN_AUDIT, USAGE, Failure, require_name
from registry_hooks.cli.output import clean
from registry_hooks.errors import Invalid

if TYPE_CHECKING:
    from registry_hooks.rules.log.notes import Vkey

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT = click.option(
    "--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file; else standard output."
)
KEYS = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="VKEY",
    help="A key of the log or of a witness, as registry-hooks audit key show prints it, or a file of such lines; may "
    "be given more than once. Take it from elsewhere than what it is to check.",
)
_LARGEST = 64 * 1024 * 1024


def read(file: Path) -> bytes:
    """All of a file.

    Raises:
        Failure: when it cannot be read, or is larger than anything that is read so.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", USAGE) from error
    if len(data) > _LARGEST:
        raise Failure(f"{file} is larger than {_LARGEST} bytes, and no checkpoint or proof", USAGE)
    return data


def write(text: bytes, output: Path | None) -> None:
    """To a file, or to standard output where none is named.

    Raises:
        Failure: when it cannot be written.
    """
    if output is None:
        sys.stdout.buffer.write(text)
        return
    require_name(output)
    part = output.with_name(output.name + ".part")
    try:
        part.write_bytes(text)
        part.replace(output)
    except OSError as error:
        raise Failure(f"cannot write {output}: {error.strerror}", USAGE) from error
    finally:
        part.unlink(missing_ok=True)


def vkeys(given: Iterable[str]) -> list[Vkey]:
    """The keys that were given, as text or as files of lines.

    Raises:
        Failure: when one is no key.
    """
    from registry_hooks.rules.log.notes import read_vkey

    found: list[Vkey] = []
    for each in given:
        lines = [each] if "+" in each else read(Path(each)).decode("utf-8", "replace").splitlines()
        try:
            found += [read_vkey(line) for line in lines if line.strip() and not line.startswith("#")]
        except Invalid as error:
            raise Failure(str(error), USAGE) from error
    return found


@contextmanager
def told_as_broken(where: str = "") -> Iterator[None]:
    """End with the code of a log that does not add up where a checkpoint or a proof does not hold."""
    try:
        yield
    except Invalid as error:
        raise Failure(where + error.headline, BROKEN_AUDIT) from error


def signers(signed: Any) -> str:
    """``signed by NAME, witnessed by NAME``."""
    names = [clean(key.name) for key in signed.keys if key.name not in signed.witnesses]
    seen = ", ".join(clean(name) for name in signed.witnesses)
    return "signed by " + ", ".join(dict.fromkeys(names)) + (f", witnessed by {seen}" if seen else "")
