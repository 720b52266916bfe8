"""A company's server: PostgreSQL, an S3-compatible store, two replicas, and a proxy in front that signs people on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from support.company.s3_server import BUCKET, S3, s3_server
from support.company.sso_proxy import Proxy, serving
from support.databases import database_server
from support.serving import PASSWORDS, SCRIPT, Process, Server, clean_environment, free_port

SECRET = "0123456789abcdef0123456789abcdef-for-tests"


@dataclass
class Company:
    """What stands, and what to reach it by."""

    folder: Path
    proxy: Proxy
    replicas: list[Server]
    s3: S3
    database: str
    logins: str

    @property
    def front(self) -> Server:
        """The server as people see it: through the proxy."""
        return Server(self.proxy.uri, self.folder, self.replicas[0].process)

    def kill(self, replica: int) -> None:
        """End every process of a replica at once, as a machine that loses its power does."""
        os.killpg(self.replicas[replica].process.process.pid, signal.SIGKILL)
        self.replicas[replica].process.process.wait(30)


@contextmanager
def company(
    *options: str, passwords: Mapping[str, str] = PASSWORDS, replicas: int = 2, **env: str
) -> Iterator[Company]:
    """The whole topology on empty databases; ``options`` and ``env`` go to each replica."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="registry-hooks-")))
        new = stack.enter_context(database_server("postgresql", folder / "postgresql"))
        s3 = stack.enter_context(s3_server())
        database, logins = new(), new()
        (folder / "proxy.secret").write_text(SECRET + "\n")
        command = [
            *("--backend-store-uri", database, "--auth-database-uri", logins, "--workers", "1"),
            *("--artifacts-destination", f"s3://{BUCKET}/mlflow", "--sso-secret-file", str(folder / "proxy.secret")),
            *("--state-dir", str(folder / "state")),
            *options,
        ]
        login = {"MLFLOW_AUTH_ADMIN_USERNAME": "admin"}
        started = []
        for number in range(replicas):  # at the same time, on empty databases
            home = folder / f"replica{number}"
            home.mkdir()
            port = free_port()
            environment = clean_environment(home, **s3.environment, **login, **env)
            process = Process([str(SCRIPT), "server", "--port", str(port), *command], environment, home)
            started.append(Server(f"http://127.0.0.1:{port}", home, process))
            stack.callback(process.stop)
        for server in started:
            server.process.wait_until_healthy(server.uri)
        proxy = stack.enter_context(serving(Proxy([server.uri for server in started], passwords, SECRET)))
        yield Company(folder, proxy, started, s3, database, logins)
