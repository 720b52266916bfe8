"""``/registry-hooks/metrics``, as Prometheus reads it.

What is in the database is read there, and so is the same on each replica. What is not, refusals and when an audit was
last verified here, is of the host that is asked. A scraper shows a token, or logs in as somebody who may READ
everything.
"""

from __future__ import annotations

import hmac
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from registry_hooks.app.governed import governed_desk
from registry_hooks.app.refusing import in_flask
from registry_hooks.app.watching import numbers
from registry_hooks.desk.log.counting import Counted
from registry_hooks.errors import Invalid, Reason, Refused, RegistryError
from registry_hooks.identity import current_sight, require_actor
from registry_hooks.mlflow_surface.settings import METRICS_TOKEN_FILE

PATH = "/registry-hooks/metrics"
_SHORTEST = 32


class InTheLog:
    """What the database says, as a collector of prometheus_client."""

    def __init__(self) -> None:
        self._lock, self._seen, self._actions = Lock(), 0, Counter[str]()

    def collect(self) -> Iterator[Any]:
        """All families of metrics that are read from the database."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:  # entries that were counted do not change; only newer ones are counted again
            counted = governed_desk().counting.counted(self._seen)
            if counted.size < self._seen:  # an older backup was put in its place
                self._actions.clear()
                counted = governed_desk().counting.counted(0)
            self._actions.update(counted.actions)
            self._seen = counted.size
            actions = dict(self._actions)
        done = CounterMetricFamily("registry_hooks_decisions", "Entries of the audit log.", labels=["action"])
        for action, number in sorted(actions.items()):
            done.add_metric([action], number)
        yield done
        yield GaugeMetricFamily("registry_hooks_ledger_head", "Entries of the audit log.", value=counted.size)
        yield from _of_checkpoints(counted)
        lag = GaugeMetricFamily("registry_hooks_outbox_lag_entries", "Entries not delivered yet.", labels=["target"])
        age = GaugeMetricFamily(
            "registry_hooks_outbox_lag_seconds", "Age of the oldest entry not delivered yet.", labels=["target"]
        )
        failing = GaugeMetricFamily("registry_hooks_outbox_failing", "1 where deliveries fail.", labels=["target"])
        for target in counted.targets:
            lag.add_metric([target.name], target.entries)
            waited = 0.0 if target.since is None else (counted.now - target.since).total_seconds()
            age.add_metric([target.name], max(waited, 0.0))
            failing.add_metric([target.name], int(target.failing))
        yield from (lag, age, failing)


def _of_checkpoints(counted: Counted) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    if counted.checkpoint is not None:
        size, at = counted.checkpoint
        yield GaugeMetricFamily("registry_hooks_checkpoint_size", "Entries in the newest checkpoint.", value=size)
        age = max((counted.now - at).total_seconds(), 0.0)
        yield GaugeMetricFamily("registry_hooks_checkpoint_age_seconds", "Age of the newest checkpoint.", value=age)


def tokens() -> tuple[bytes, ...]:
    """The tokens that a scraper may show; none where none is set.

    Raises:
        Invalid: when the file cannot be read, or holds one that is too short.
    """
    file = os.environ.get(METRICS_TOKEN_FILE)
    if not file:
        return ()
    mend = f"openssl rand -hex 32 > {file}"
    try:
        found = tuple(line.strip() for line in Path(file).read_bytes().splitlines() if line.strip())
    except OSError as error:
        reason = Reason(METRICS_TOKEN_FILE, "a file that the server can read", f"{file}: {error.strerror}", mend)
        raise Invalid("there is no token for metrics", [reason]) from error
    if not found or any(len(each) < _SHORTEST for each in found):
        expected = f"a token of at least {_SHORTEST} characters in each line"
        raise Invalid("there is no token for metrics", [Reason(METRICS_TOKEN_FILE, expected, "a shorter one", mend)])
    return found


def install(app: Any, shown: tuple[bytes, ...], prefix: str) -> None:
    """Add the route.

    Args:
        app: MLflow's Flask app, with its logins.
        shown: the tokens that let a scraper in without a login.
        prefix: the server's static prefix.
    """
    from flask import request
    from mlflow.server import auth

    path, in_the_log = prefix + PATH, InTheLog()

    def by_token() -> Any:
        if request.path != path or request.method != "GET":
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # All are compared, so that the time does not tell which came near.
        known = [hmac.compare_digest(each, token.strip().encode()) for each in shown]
        return _answer(in_the_log) if scheme.lower() == "bearer" and any(known) else None

    def view() -> Any:
        try:
            _require_read()
        except RegistryError as error:
            return in_flask(error)
        return _answer(in_the_log)

    app.add_url_rule(path, "registry-hooks-metrics", view, methods=["GET"])
    auth.BEFORE_REQUEST_VALIDATORS[path, "GET"] = lambda: True  # it authorises itself
    app.before_request_funcs.setdefault(None, []).insert(0, by_token)


def _require_read() -> None:
    actor = require_actor()
    if not current_sight().everything():
        expected = "READ on every registered model and every experiment, or the scraper's token"
        mend = "ask an administrator to grant it, or for the token"
        reason = Reason("mlflow-permission", expected, f"{actor.name} does not have it", mend)
        raise Refused("permission denied", [reason])


def _answer(in_the_log: InTheLog) -> Any:
    from flask import Response
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    registry = CollectorRegistry()
    for collector in (numbers.OfThisHost(), in_the_log):
        registry.register(collector)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(generate_latest(registry), 200, headers, content_type=CONTENT_TYPE_LATEST)
