"""What this host counts itself: refusals, which no ledger knows. Workers of one host count together.

prometheus_client keeps counts in files of one folder, a file for each worker, where ``PROMETHEUS_MULTIPROC_DIR`` names
one as it is imported; so nothing of it is imported before `prepare`.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from registry_hooks.mlflow_surface.settings import SHARED_NUMBERS

OTHER = "other"
_VERIFIED = "registry_hooks_verified_timestamp_seconds"
_MOST_NAMES = 200  # of rules; a name more is counted as another
_RULE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_CHOSEN_BY_CLIENTS = "INVALID_PARAMETER_VALUE"  # whose reasons may be called as the client called a field
_DECISIONS = {
    "baseline": "baseline-named",
    "nominate": "nominated",
    "request": "requested",
    "approve": "approved",
    "reject": "rejected",
    "withdraw": "withdrawn",
    "promote": "promoted",
    "rollback": "rolled-back",
    "break-glass": "broke-glass",
    "review/close": "review-closed",
    "policy/apply": "policy-applied",
}
"""What a route decides, in the ledger's word for it."""

_rules: set[str] = set()


def prepare() -> None:
    """Let the workers of this host count in one folder, before anything is counted."""
    supervisor = multiprocessing.parent_process()
    if os.environ.get(SHARED_NUMBERS) or supervisor is None:
        return
    folder = Path(tempfile.gettempdir()) / f"registry-hooks-numbers-{os.getuid()}-{supervisor.pid}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:  # then each worker counts for itself
        return
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    os.environ[SHARED_NUMBERS] = str(folder)


@cache
def _counters() -> tuple[Any, Any, Any]:
    from prometheus_client import Counter, Gauge

    reasons = Counter("registry_hooks_refusals", "Reasons of refusals of this host.", ["reason"], registry=None)
    decisions = Counter(
        "registry_hooks_refused_decisions", "Decisions that this host refused.", ["action"], registry=None
    )
    verified_at = Gauge(
        _VERIFIED, "When this host last verified the audit log.", multiprocess_mode="mostrecent", registry=None
    )
    return reasons, decisions, verified_at


def refused(path: str, code: str | None, rules: Sequence[str]) -> None:
    """Count a refusal: each of its reasons once, and the decision that was asked for, if it was one."""
    reasons, decisions, _ = _counters()
    for rule in dict.fromkeys(map(_known, rules if code != _CHOSEN_BY_CLIENTS else ["invalid"])):
        reasons.labels(rule).inc()
    below = path.partition("/registry-hooks/")[2]
    if below in _DECISIONS:
        decisions.labels(_DECISIONS[below]).inc()


def _known(rule: str) -> str:
    if rule in _rules:
        return rule
    if not _RULE.fullmatch(rule) or len(_rules) >= _MOST_NAMES:
        return OTHER
    _rules.add(rule)
    return rule


def verified() -> None:
    """Note that this host has verified the audit log just now, whatever it found."""
    _counters()[2].set_to_current_time()


class OfThisHost:
    """What all workers of this host counted, as a collector of prometheus_client."""

    def collect(self) -> Iterator[Any]:
        """All families of metrics that are counted here."""
        from prometheus_client.core import GaugeMetricFamily

        for family in self._families():
            yield family
            if family.name == _VERIFIED and family.samples and (at := max(each.value for each in family.samples)):
                told = "Age of the newest verification of the audit log that this host made."
                yield GaugeMetricFamily("registry_hooks_verify_age_seconds", told, value=max(time.time() - at, 0.0))

    @staticmethod
    def _families() -> Iterator[Any]:
        counters, folder = _counters(), os.environ.get(SHARED_NUMBERS)
        if folder and Path(folder).is_dir():
            from prometheus_client import CollectorRegistry
            from prometheus_client.multiprocess import MultiProcessCollector

            collector: Any = MultiProcessCollector  # which has no types
            yield from collector(CollectorRegistry(), folder).collect()
        else:
            yield from (family for counter in counters for family in counter.collect())
