"""Server processes that start in a second: all is imported once, and each one is a fork that makes and serves the app.

Run as a program with the environment that a real server's workers have. It listens, and for each line on standard
input forks one more server on that socket and prints its id. What a client sends while no server lives waits in the
socket's queue, as with a supervisor that starts a worker again.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

# In the parent only what opens no database: each fork opens its own, as a process started anew would.
import uvicorn

import registry_hooks.app
import registry_hooks.app.api.door
import registry_hooks.store


def serve(listening: socket.socket, log: Path) -> None:
    """Become a server process: the real app under uvicorn, on the parent's socket."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    config = uvicorn.Config(registry_hooks.app.create_app, factory=True, log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


def main() -> None:
    """Fork a server for each line; end with the last line, and end what was forked."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(sys.argv[1])))
    listening.listen(256)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that were killed
    print("listening", flush=True)
    forked: list[int] = []
    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(listening, Path(sys.argv[2]))
            os._exit(0)
        forked.append(pid)
        print(pid, flush=True)
    for pid in forked[-8:]:  # whoever asked for them is gone; older ones were killed, and their ids may be others' now
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
