"""A real MariaDB for tests: without root, without a system service, and ready in a second.

What is installed is used; else Debian's own packages are fetched with apt and unpacked into the virtual environment,
which needs neither root nor a change of the system. Run as a program it only does that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
from support.serving import free_port

UNPACKED = Path(sys.prefix) / "mariadb"
PACKAGE = "mariadb-server-core"
EVERYWHERE = {"libc6", "libgcc-s1", "libstdc++6", "libcrypt1"}
HOW_TO_GET_IT = (
    "no MariaDB to test on: expected mariadbd or mysqld on PATH, or apt to fetch Debian's {package} into {folder}. "
    "Install mariadb-server (or mysql-server), or set REGISTRY_HOOKS_NO_MARIADB=1 to leave these tests out. {why}"
)


class NoMariaDB(Exception):
    """There is none, and none could be fetched; says how to get one."""

    def __init__(self, why: str) -> None:
        super().__init__(HOW_TO_GET_IT.format(package=PACKAGE, folder=UNPACKED, why=why))


@dataclass(frozen=True)
class Installation:
    """A server program and what it needs to find its own files."""

    program: Path
    options: tuple[str, ...] = ()
    libraries: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment to run the program in."""
        known = os.environ.get("LD_LIBRARY_PATH", "")
        found = ":".join(filter(None, (self.libraries, known)))
        return {**os.environ, **({"LD_LIBRARY_PATH": found} if found else {})}


def installation() -> Installation:
    """The server program on PATH, or the unpacked one, fetched if need be.

    Raises:
        NoMariaDB: when there is none, and none can be fetched.
    """
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
    if found:
        return Installation(Path(found))
    program = UNPACKED / "usr/sbin/mariadbd"
    if not program.exists():
        _fetch_once(program)
    share = UNPACKED / "usr/share/mysql"
    options = (f"--basedir={UNPACKED / 'usr'}", f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets")
    folders = {str(file.parent) for file in UNPACKED.glob("usr/lib/*/*.so*")}
    folders |= {str(file.parent) for file in UNPACKED.glob("lib/*/*.so*")}
    return Installation(program, options, ":".join(sorted(folders)))


def _fetch_once(program: Path) -> None:
    UNPACKED.parent.mkdir(parents=True, exist_ok=True)
    with (UNPACKED.parent / "mariadb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes start at once
        if not program.exists():
            _fetch()
        if not program.exists():
            raise NoMariaDB(f"{PACKAGE} holds no {program.relative_to(UNPACKED)}")


def _fetch() -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NoMariaDB("There is no apt here.")
    work = UNPACKED.with_name("mariadb.fetching")
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "debs", "root"):
        (work / folder).mkdir(parents=True)
    # Lists of our own: a fresh machine has none, and writing the system's needs root.
    own = [f"-oDir::State::lists={work}/lists", f"-oDir::Cache={work}/cache", "-oAPT::Sandbox::User=root"]
    _apt("apt-get", *own, "-qq", "update", cwd=work)
    depends = _apt("apt-cache", *own, "depends", "--important", PACKAGE, cwd=work).splitlines()
    needed = {line.split(":", 1)[1].strip() for line in depends if line.strip().startswith("Depends:")}
    libraries = sorted(name for name in needed - EVERYWHERE if name.startswith("lib"))
    _apt("apt-get", *own, "-qq", "download", PACKAGE, *libraries, cwd=work / "debs")
    for deb in sorted((work / "debs").glob("*.deb")):
        _apt("dpkg", "-x", str(deb), str(work / "root"), cwd=work)
    (work / "root").rename(UNPACKED)
    shutil.rmtree(work)


def _apt(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise NoMariaDB(f"{' '.join(command[:1] + command[-2:])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


@dataclass
class MariaDB:
    """A running server on loopback, open to everybody on this machine: for tests only."""

    process: subprocess.Popen[bytes]
    port: int

    def uri(self, database: str = "", **options: str) -> str:
        """The address of a database as MLflow takes it."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}" + (f"?{query}" if query else "")

    @contextmanager
    def connected(self, database: str | None = None) -> Iterator[pymysql.cursors.Cursor]:
        """A connection of the administrator's, whose statements commit by themselves."""
        where = {"host": "127.0.0.1", "port": self.port, "user": "root", "database": database}
        connection = pymysql.connect(**where, autocommit=True)
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def run(self, statement: str) -> list[tuple[object, ...]]:
        """Run one statement as the administrator; its rows."""
        with self.connected() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def mariadb_server(folder: Path) -> Iterator[MariaDB]:
    """Start a server with its data in ``folder``, and end it."""
    found, data, port = installation(), folder / "data", free_port()
    data.mkdir(parents=True)
    is_mysql = b"MariaDB" not in subprocess.check_output([found.program, "--version"], env=found.environment)
    common = ["--no-defaults", *found.options, f"--datadir={data}"]
    if hasattr(os, "getuid") and os.getuid() == 0:
        common.append("--user=root")
    if is_mysql:  # MariaDB serves without system tables, MySQL does not
        subprocess.run([found.program, *common, "--initialize-insecure"], env=found.environment, check=True)
    command = [
        str(found.program), *common, "--bind-address=127.0.0.1", f"--port={port}",
        # A socket's path must be short, which a test's folder is not.
        f"--socket=/tmp/registry-hooks-{port}.sock", f"--pid-file={folder / 'pid'}",
        # A test outlives no power cut; without waiting for the disk, MLflow's migrations take 2 s instead of 17.
        "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync",
        # Nor is it worth a file for each of the tables of each of its databases, which is slower to make.
        "--loose-innodb-file-per-table=0", "--innodb-buffer-pool-size=64M", "--max-connections=400",
        *([] if is_mysql else ["--skip-grant-tables", "--innodb-log-file-size=64M"]),
    ]  # fmt: skip
    log = folder / "mariadb.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=found.environment, stdout=file, stderr=file, start_new_session=True)
    server = MariaDB(process, port)
    try:
        _wait_until_it_answers(server, log)
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_until_it_answers(server: MariaDB, log: Path) -> None:
    until = time.monotonic() + 60
    while server.process.poll() is None and time.monotonic() < until:
        try:
            server.run("SELECT 1")
            return
        except pymysql.err.OperationalError:
            time.sleep(0.05)
    raise NoMariaDB(f"It did not start:\n{log.read_text()}")


if __name__ == "__main__":
    print(installation().program)
