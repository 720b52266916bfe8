"""Self-contained HTML pages, of one Evidence document or of several, drawn from the documents and from nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.figures.pictures import Gallery
from mlflow_eval_plugin.reports.figures.ranges import Forest, forests
from mlflow_eval_plugin.reports.kinds import Kind, kind_of
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.reports.sentences import wording
from mlflow_eval_plugin.reports.sentences.naming import named
from mlflow_eval_plugin.reports.sentences.ranking import by_verdict, too_few
from mlflow_eval_plugin.reports.sentences.unchecked import Unchecked, first_lines, unchecked_of_page
from mlflow_eval_plugin.reports.tables import late_labels
from mlflow_eval_plugin.reports.tables.cells import PageTable
from mlflow_eval_plugin.reports.tables.full import checks_table
from mlflow_eval_plugin.reports.tables.heatmap import Heatmap
from mlflow_eval_plugin.verdicts import Verdict

_ROWS, _ROWS_OF_MANY = 150, 75  # of a table
_LISTED: tuple[tuple[str, Verdict, int], ...] = (
    ("What failed", "fail", 21),
    ("What could not be decided", "insufficient", 9),
)


_SCRIPTS = ("tables.js", "links.js")
# Should a label ever get through as markup, it runs nothing and loads nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Listed:
    """The worst Checks of one verdict, each with the name of its document, and how many there are.

    Attributes:
        small: lines about slices below the minimum count, which are not among them.
    """

    title: str
    checks: tuple[tuple[Check, str], ...]
    total: int
    small: tuple[str, ...] = ()


@dataclass(frozen=True)
class PagePart:
    """What a page shows of one document; ``told`` is the document with the names that its values have."""

    evidence: Evidence
    told: Evidence
    id: str
    name: str
    sentence: str
    kind: Kind
    heatmap: Heatmap | None
    forests: tuple[Forest, ...]
    galleries: tuple[Gallery, ...]
    unchecked: Unchecked | None
    tables: tuple[PageTable, ...]
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
    return render_parts([page_part(evidence) for evidence in evidences])


def render_parts(parts: Sequence[PagePart]) -> str:
    """``render_joined`` of documents whose parts are made; they may stand on several pages.

    Raises:
        ValueError: for no part at all.
    """
    if not parts:
        raise ValueError("evidences: expected at least one Evidence document, found none")
    evidences, placed = [part.told for part in parts], _placed(parts)
    return template("report.html.j2").render(
        parts=placed,
        harm=first_lines(evidences, [part.unchecked for part in placed]),
        verdict=joined.verdict(evidences),
        title=joined.title(evidences),
        headline=joined.headline(evidences),
        on_what=wording.on_what(*evidences),
        assurance=joined.assurance(evidences),
        listed=[_listed(evidences, *each) for each in _LISTED],
    )


def page_part(evidence: Evidence) -> PagePart:
    """What a page shows of one document, with all rows of its tables; most of the work of a page."""
    told = named(evidence)
    kind, small = kind_of(told), too_few(told).checks
    return PagePart(
        evidence=evidence,
        told=told,
        id=evidence.kind,
        name="",
        sentence=joined.headline([evidence]),
        kind=kind,
        heatmap=kind.heatmap(told) if kind.heatmap else None,
        forests=tuple(forests([check for check in told.checks if kind.drawn(check) and check not in small])),
        galleries=tuple(filter(None, [draw(told) for draw in kind.pictures])),
        unchecked=None,
        tables=(checks_table(told.checks), *late_labels.tables(told.measurements), *kind.tables(told.measurements)),
        config=config_of(evidence.config),
    )


@cache
def template(name: str) -> Template:
    """One of the templates beside this module."""
    loader = PackageLoader("mlflow_eval_plugin.reports.pages")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = "\n".join(files(__package__).joinpath("templates", name).read_text() for name in _SCRIPTS)
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    environment.globals.update(
        wording=wording,
        script=Markup(script),
        content_security_policy=_POLICY.format(allowed),
    )
    return environment.get_template(name)


def config_of(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys of a config and their values as JSON, sorted."""
    return tuple((key, json.dumps(value, ensure_ascii=False)) for key, value in sorted(config.items()))


def _listed(evidences: Sequence[Evidence], title: str, verdict: Verdict, most: int) -> Listed:
    total = sum(len(by_verdict(evidence, verdict)) for evidence in evidences)
    lines = dict.fromkeys(too_few(evidence).line for evidence in evidences if verdict == "insufficient")
    return Listed(title, tuple(joined.worst(evidences, verdict, most)), total, tuple(filter(None, lines)))


def _placed(parts: Sequence[PagePart]) -> list[PagePart]:
    """The parts of one page: with ids and names that differ, their tables cut to what it can hold."""
    placed: list[PagePart] = []
    evidences = [part.told for part in parts]
    most = _ROWS if len(parts) == 1 else _ROWS_OF_MANY
    for part, name, unchecked in zip(parts, joined.names(evidences), unchecked_of_page(evidences), strict=True):
        before = sum(one.evidence.kind == part.evidence.kind for one in placed)
        id_ = f"{part.id}-{before + 1}" if before else part.id
        tables = tuple(table.cut(most) for table in part.tables)
        placed.append(replace(part, id=id_, name=name, unchecked=unchecked, tables=tables))
    return placed
