"""Self-contained HTML pages, of one Evidence document or of several, drawn from the documents and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlflow_eval_plugin.evidence import Check, Evidence, Verdict
from mlflow_eval_plugin.reports import joined, words
from mlflow_eval_plugin.reports.cells import Table
from mlflow_eval_plugin.reports.heatmap import Heatmap
from mlflow_eval_plugin.reports.kinds import Kind, kind_of
from mlflow_eval_plugin.reports.pictures import Gallery
from mlflow_eval_plugin.reports.ranges import Forest, forests
from mlflow_eval_plugin.reports.tables import checks_table

_ROWS, _ROWS_OF_MANY = 150, 75  # of a table
_LISTED: tuple[tuple[str, Verdict, int], ...] = (
    ("What failed", "fail", 21),
    ("What could not be decided", "insufficient", 9),
)


@dataclass(frozen=True)
class Listed:
    """The worst Checks of one verdict, each with the name of its document, and how many there are."""

    title: str
    checks: tuple[tuple[Check, str], ...]
    total: int


@dataclass(frozen=True)
class Part:
    """What a page shows of one document."""

    evidence: Evidence
    id: str
    name: str
    kind: Kind
    heatmap: Heatmap | None
    forests: tuple[Forest, ...]
    gallery: Gallery | None
    tables: tuple[Table, ...]
    config: tuple[tuple[str, str], ...]


def render(evidence: Evidence) -> str:
    """The report of one Evidence document.

    Everything that comes from data (slice labels, names, categories) is escaped. The page needs no network, follows
    the reader's light or dark scheme and stays below 500 kB: tables and plots are cut to the worst rows, and say so.
    """
    return render_joined([evidence])


def render_joined(evidences: Sequence[Evidence]) -> str:
    """One page of all documents of an evaluate call: the joint verdict, what failed, then each kind, then the tables.

    Args:
        evidences: in the order of the page; several of one kind are told apart by the names of their data.

    Raises:
        ValueError: for no document at all.
    """
    if not evidences:
        raise ValueError("evidences: expected at least one Evidence document, found none")
    return template("report.html.j2").render(
        parts=_parts(evidences),
        verdict=joined.verdict(evidences),
        title=joined.title(evidences),
        headline=joined.headline(evidences),
        on_what=words.on_what(*evidences),
        assurance=joined.assurance(evidences),
        listed=[_listed(evidences, *each) for each in _LISTED],
    )


@cache
def template(name: str) -> Template:
    """One of the templates beside this module."""
    loader = PackageLoader("mlflow_eval_plugin.reports")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["words"] = words
    return environment.get_template(name)


def config_of(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys of a config and their values as JSON, sorted."""
    return tuple((key, json.dumps(value, ensure_ascii=False)) for key, value in sorted(config.items()))


def _listed(evidences: Sequence[Evidence], title: str, verdict: Verdict, most: int) -> Listed:
    total = sum(check.verdict == verdict for evidence in evidences for check in evidence.checks)
    return Listed(title, tuple(joined.worst(evidences, verdict, most)), total)


def _parts(evidences: Sequence[Evidence]) -> list[Part]:
    parts: list[Part] = []
    most = _ROWS if len(evidences) == 1 else _ROWS_OF_MANY
    for evidence, name in zip(evidences, joined.names(evidences), strict=True):
        before = sum(part.evidence.kind == evidence.kind for part in parts)
        parts.append(_part(evidence, f"{evidence.kind}-{before + 1}" if before else evidence.kind, name, most))
    return parts


def _part(evidence: Evidence, id_: str, name: str, most: int) -> Part:
    kind = kind_of(evidence)
    return Part(
        evidence=evidence,
        id=id_,
        name=name,
        kind=kind,
        heatmap=kind.heatmap(evidence) if kind.heatmap else None,
        forests=_forests(evidence, kind),
        gallery=kind.pictures(evidence) if kind.pictures else None,
        tables=tuple(table.cut(most) for table in (checks_table(evidence.checks), *kind.tables(evidence.measurements))),
        config=config_of(evidence.config),
    )


def _forests(evidence: Evidence, kind: Kind) -> tuple[Forest, ...]:
    return tuple(forests([check for check in evidence.checks if kind.drawn(check)]))
