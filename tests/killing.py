"""Kills a governed server in the middle of its work, again and again, and holds what is left against itself.

A driver promotes and rolls back over HTTP as fast as the server answers, while the whole server (every worker) is
killed with SIGKILL at a random moment. After each kill the database is opened as the next server would, and registry,
stages and ledger must agree; whatever the server had acknowledged must be there.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests
from releasing import govern, register
from serving import Server, start

from registry_hooks.store import GovernedStore

OPTIONS = ("--workers", "2", "--auth-cache-seconds", "600")


@dataclass
class Driver:
    """Promotes and rolls back one model until told to stop; remembers the ledger entries that were acknowledged."""

    server: Server
    model: str
    versions: list[int]
    acknowledged: set[int] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)
    done: int = 0

    def post(self, user: str, path: str, **body: object) -> requests.Response | None:
        """One request; None once the server is gone."""
        try:
            answer = self.server.ask(user, "POST", path, json={"model": self.model, **body})
        except requests.RequestException:
            return None
        if answer.ok and "entry" in answer.json():
            self.acknowledged.add(int(answer.json()["entry"]))
        return answer

    def run(self) -> None:
        """Until stopped: swap champion and challenger, and now and then roll back."""
        while not self.stopped.is_set():
            for version in self.versions:
                self.post("ana", "nominate", version=version)
                self.post("ana", "request", version=version, comment="again")
                self.post("raj", "approve", version=version, comment="yes")
                self.post("mei", "approve", version=version, comment="yes")
                promoted = self.post("ana", "promote", version=version)
                self.done += bool(promoted is not None and promoted.ok)
                if self.stopped.is_set():
                    return
            self.post("oncall", "rollback", reason="drill")


def kill_loop(directory: Path, kills: int, seed: int, tell: Callable[[str], None] = lambda line: None) -> int:
    """Kill a server ``kills`` times in the middle of promotions; the number of promotions that were acknowledged.

    Raises:
        AssertionError: naming what disagreed after which kill.
    """
    chance = random.Random(seed)
    server = start(directory, *OPTIONS)
    model, versions, promotions = govern(server), [], 0
    acknowledged: set[int] = set()
    for number in range(1, kills + 1):
        # Fresh versions, because a rollback condemns those that it leaves.
        versions = [register(server, model)[0] for _ in range(2)]
        driver = Driver(server, model, versions)
        thread = threading.Thread(target=driver.run)
        thread.start()
        time.sleep(chance.uniform(0.2, 3))
        os.killpg(server.process.process.pid, signal.SIGKILL)
        server.process.process.wait()
        driver.stopped.set()
        thread.join()
        promotions += driver.done
        acknowledged |= driver.acknowledged
        size = assert_agreement(directory, number, acknowledged)
        tell(f"kill {number} of {kills}: {size} entries, {promotions} promotions acknowledged, all agree")
        if number < kills:
            server = start(directory, *OPTIONS, users=False)
    return promotions


def assert_agreement(directory: Path, number: int, acknowledged: set[int]) -> int:
    """Registry, stages and ledger agree, and nothing that was acknowledged is lost; the ledger's size."""
    store = GovernedStore(f"governed:sqlite:///{directory / 'mlflow.db'}")
    try:
        found = store.desk.audit_verify()
        assert found["ok"], f"after kill {number}: {found['problems']}"
        assert max(acknowledged, default=0) <= found["size"], f"after kill {number}: acknowledged entries were lost"
        return int(found["size"])
    finally:
        store.engine.dispose()
