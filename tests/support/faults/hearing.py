"""A receiver of webhooks beside servers that are killed: what it heard, held against what was committed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from support.faults.killing import kill_loop
from support.probes.receiving import LET_IN, Receiver, receiver
from support.serving import ADMIN, Server

from registry_hooks.rules.log.merkle import leaf_hash

LONGEST = 120.0  # seconds in which all must have arrived once the killing has ended


def hear_through_kills(directory: Path, database_uri: str, kills: int, seed: int, **options: object) -> int:
    """Kill servers ``kills`` times while a receiver listens; the number of changes, each of which it heard.

    Raises:
        AssertionError: when a committed change did not arrive, arrived out of order, or what arrived was not committed.
    """
    with receiver(directory / "hook") as hook:
        return kill_loop(directory, database_uri, kills, seed, beside=lambda server: _listen(server, hook),
                         **LET_IN, **options)  # type: ignore[arg-type]  # fmt: skip


def _listen(server: Server, hook: Receiver) -> Callable[[], str]:
    body = {"name": "counts", "kind": "webhook", "address": hook.url}
    answer = server.ask(ADMIN, "POST", "notify/add", json=body)
    assert answer.ok, answer.text
    since = answer.json()["entry"]

    def ended() -> str:
        until = time.monotonic() + LONGEST
        while (target := server.ask(ADMIN, "GET", "notify").json()["targets"][0])["waiting"]:
            assert time.monotonic() < until, target
            time.sleep(0.05)
        return _held_against(server, hook, since)

    return ended


def _held_against(server: Server, hook: Receiver, since: int) -> str:
    lines = server.ask(ADMIN, "GET", "audit/export").content.splitlines()
    committed = {number: leaf_hash(line).hex() for number, line in enumerate(lines, 1) if number > since}
    heard = [each["data"] for each in hook.taken]
    told = {each["ledger"]["seq"]: each["ledger"]["leaf"] for each in heard}
    assert len(heard) == len(told), "a change came under two ids"
    assert told == committed, f"missing {committed.keys() - told.keys()}, never committed {told.keys() - committed}"
    last: dict[str | None, int] = {}
    for each in heard:  # each at the first time
        seq, model = each["ledger"]["seq"], each["model"]
        assert seq > last.get(model, 0), f"{model}: {seq} came after {last[model]}"
        last[model] = seq
    tries = Counter(each["headers"]["webhook-id"] for each in hook.requests)
    again = sum(tries.values()) - len(tries)
    return f"{len(told)} changes, {again} of them told again"
