"""What stands outside the database: the key that signs checkpoints, and copies of the checkpoints themselves.

Who can write the database can rewrite the log; without the key they cannot sign what they made of it, and against a
copy that they cannot reach it does not hold. So neither is kept in the database.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry_hooks.errors import Invalid, RegistryError
from registry_hooks.rules.log.checkpoints import Checkpoint, read_checkpoint
from registry_hooks.rules.log.notes import Note, Vkey, read_note, read_vkey
from registry_hooks.rules.policy import duration
from registry_hooks.rules.signatures import new_key, private_pem, read_private
from registry_hooks.storage.mlflow_io import log_file

KEY, PASSPHRASE = "REGISTRY_HOOKS_LOG_KEY", "REGISTRY_HOOKS_LOG_KEY_PASSPHRASE"
ORIGIN, DIRECTORY = "REGISTRY_HOOKS_LOG_ORIGIN", "REGISTRY_HOOKS_CHECKPOINTS"
WITNESSES, RUN = "REGISTRY_HOOKS_WITNESSES", "REGISTRY_HOOKS_CHECKPOINT_RUN"
RETENTION = "REGISTRY_HOOKS_RETENTION"
NEWEST = "checkpoint"
_LARGEST_KEY = 16 * 1024


def retention() -> timedelta | None:
    """How long this server keeps entries at least, by ``REGISTRY_HOOKS_RETENTION``; None where none is set.

    Raises:
        Invalid: when that is no duration.
    """
    told = os.environ.get(RETENTION)
    try:
        return duration(told) if told else None
    except ValueError as error:
        raise Invalid(f"{RETENTION}: {error}; found {told!r}") from error


class NoKey(RegistryError):
    """There is no key to sign with, and why."""

    code = "RESOURCE_CONFLICT"


class NotKept(RegistryError):
    """A checkpoint could not be kept outside the database, and why."""

    code = "TEMPORARILY_UNAVAILABLE"


def log_key(*, make: bool = False) -> Ed25519PrivateKey:
    """The key that signs checkpoints, from the file that ``REGISTRY_HOOKS_LOG_KEY`` names.

    Args:
        make: whether to make it where there is no such file. Of several workers that do, all get the same.

    Raises:
        NoKey: when there is none, or it cannot be read or made.
    """
    if not (named := os.environ.get(KEY)):
        raise NoKey(f"no key is configured: set {KEY} to the name of a file, which is made where there is none")
    file = Path(named)
    try:
        return _read(file)
    except FileNotFoundError:
        if not make:
            raise NoKey(f"the key's file {file} is not there: put it back, or have another one made and named in the "
                        "log with registry-hooks audit key rotate") from None  # fmt: skip
    except OSError as error:
        raise NoKey(f"the key's file {file} cannot be read: {error.strerror}") from error
    try:
        _make(file)
        return _read(file)
    except OSError as error:
        told = f"the key's file {file} cannot be made: {error.strerror}; name one that this server may write"
        raise NoKey(told) from error


def _read(file: Path) -> Ed25519PrivateKey:
    # What is no file (a pipe, say) must not keep us waiting.
    with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise NoKey(f"{file} is no file that could hold a key; {KEY} names one")
        pem = opened.read(_LARGEST_KEY)
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and os.name == "posix":
        raise NoKey(f"others can read the key's file {file}; run: chmod 600 {file}")
    try:
        return read_private(pem, os.environ.get(PASSPHRASE) or None)
    except Invalid as error:
        raise NoKey(f"the key's file {file} holds no key: {error}") from error


def _make(file: Path) -> None:
    """Whole or not at all, and never over a key that another worker has made meanwhile."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(private_pem(new_key(), os.environ.get(PASSPHRASE) or None))
            part.flush()
            os.fsync(part.fileno())
        with suppress(FileExistsError):
            os.link(made, file)
    finally:
        made.unlink()


def origin() -> str | None:
    """The name that an operator gave the log."""
    return os.environ.get(ORIGIN) or None


def witnesses() -> tuple[Vkey, ...]:
    """The keys of witnesses whose cosignatures are kept, one a line of the file ``REGISTRY_HOOKS_WITNESSES``.

    Raises:
        RegistryError: when the file cannot be read, or has a line that is no key.
    """
    if not (named := os.environ.get(WITNESSES)):
        return ()
    try:
        lines = Path(named).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{WITNESSES}: {named} cannot be read: {error}") from error
    return tuple(read_vkey(line) for line in lines if line.strip() and not line.startswith("#"))


@dataclass(frozen=True)
class Copy:
    """The newest checkpoint of one log in the folder outside, and the file that it is in."""

    file: Path
    checkpoint: Checkpoint
    signer: tuple[str, bytes]


def newest_outside() -> Checkpoint | None:
    """The newest checkpoint in the folder that ``REGISTRY_HOOKS_CHECKPOINTS`` names.

    Raises:
        NotKept: when the folder cannot be read, or what is there is no checkpoint.
    """
    found = _copy(Path(named) / NEWEST) if (named := os.environ.get(DIRECTORY)) else None
    return None if found is None else found.checkpoint


def copies_outside() -> list[Copy]:
    """The newest checkpoint of each log in that folder: of the one that was signed last, and of those before it.

    Raises:
        NotKept: when one cannot be read.
    """
    if not (named := os.environ.get(DIRECTORY)):
        return []
    try:
        files = [Path(named) / NEWEST, *sorted(Path(named).glob(f"*/{NEWEST}"))]
    except OSError as error:
        raise NotKept(f"the folder {named} cannot be read: {error}") from error
    return [found for file in files if (found := _copy(file)) is not None]


def _copy(file: Path) -> Copy | None:
    try:
        note = read_note(file.read_bytes())
        first = note.signatures[0]
        return Copy(file, read_checkpoint(note.text), (first.name, first.id))
    except FileNotFoundError:
        return None
    except (OSError, Invalid) as error:
        raise NotKept(f"{file} is no checkpoint that can be read: {error}") from error


def keep_outside(size: int, note: bytes) -> Path | None:
    """Write a checkpoint into that folder, under its size and as the newest; None where no folder is configured.

    Copies of a log of another name, or signed by another key, are put into a folder of their own before. No
    checkpoint is written over another of its size.

    Raises:
        NotKept: when it cannot be written, or there is another one of its size.
    """
    if not (named := os.environ.get(DIRECTORY)):
        return None
    folder = Path(named)
    newest = folder / NEWEST
    try:
        if newest.is_file() and newest.read_bytes() == note:
            return newest
        folder.mkdir(parents=True, exist_ok=True)
        _set_aside(folder, read_note(note))
        _refuse_fork(folder / f"{size:012}", read_note(note))
        for name in (f"{size:012}", NEWEST):
            _write(folder, name, note)
    except OSError as error:
        raise NotKept(f"the checkpoint cannot be kept in {folder}: {error.strerror}") from error
    return newest


def _write(folder: Path, name: str, note: bytes) -> None:
    handle, made = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    part = Path(made)
    with os.fdopen(handle, "wb") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o644)  # it is there to be read
    part.replace(folder / name)


def _set_aside(folder: Path, note: Note) -> None:
    """Move the copies of another log, or of another key, into a folder of their own; the newest last of all."""
    with suppress(NotKept):  # what cannot be read is nobody's
        held, mine = _copy(folder / NEWEST), note.signatures[0]
        if held is None or held.signer == (mine.name, mine.id):
            return
        name, key = held.signer
        aside = folder / f"{re.sub('[^A-Za-z0-9.-]', '_', name)[:80]}+{key.hex()}"
        aside.mkdir(exist_ok=True)
        for each in (*sorted(folder.glob("[0-9]" * 12)), folder / NEWEST):
            if each.name == NEWEST or not (aside / each.name).exists():
                each.replace(aside / each.name)


def _refuse_fork(file: Path, note: Note) -> None:
    with suppress(FileNotFoundError, Invalid):
        if read_note(file.read_bytes()).text != note.text:
            raise NotKept(f"the log has forked: {file} is another checkpoint of as many entries, and is kept")


def keep_in_run(size: int, note: bytes) -> None:
    """Log a checkpoint to the run that ``REGISTRY_HOOKS_CHECKPOINT_RUN`` names; nothing where none is configured.

    Raises:
        NotKept: when it cannot be logged.
    """
    if run_id := os.environ.get(RUN):
        _keep_in_run(run_id, size, note)


@lru_cache(maxsize=1)  # the same one is asked for every second
def _keep_in_run(run_id: str, size: int, note: bytes) -> None:
    try:
        log_file(run_id, "checkpoints", f"{size:012}", note)
    except RegistryError as error:
        raise NotKept(f"the checkpoint cannot be kept: {error}") from error
