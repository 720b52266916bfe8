"""A new task is one entry of a table, and so is a new kind: a ranking, and how often its first choice is right."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from support.evaluating import World, evidence_of

import mlflow_eval_plugin
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.document import About, document
from mlflow_eval_plugin.evidence import KNOWN_KINDS, KNOWN_TASKS, Data, Evidence, EvidenceError, dumps, loads, seal
from mlflow_eval_plugin.plugin import _Evaluator
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer, given_rows
from mlflow_eval_plugin.plugin.tasks import TASKS, Task
from mlflow_eval_plugin.reports.figures.diagrams import Bars, Diagram
from mlflow_eval_plugin.reports.kinds import TOLD, Kind, kind_and_task
from mlflow_eval_plugin.reports.layouts import LAYOUTS
from mlflow_eval_plugin.reports.pages.page import render
from mlflow_eval_plugin.reports.png.figures import figures
from mlflow_eval_plugin.reports.tables.cells import Cell, table_of
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.estimate import QuantityBounds
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity


class FirstConfig(Config):
    """The least share of queries whose first choice is relevant."""

    kind: ClassVar[str] = "first_choice"
    min_right: float = 0.5


@dataclass(frozen=True, eq=False)
class Ranking:
    """The first choice of every query, and the relevant one."""

    frame: Any
    data: Data
    right: Any
    apart: frozenset[str] = frozenset()
    labels: None = None


class RankingReader:
    """Predictions beside labels."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def ask(self, table: GivenTable, reference: GivenTable | None, config: Config) -> None:
        """There is no model to ask."""
        assert self.scorer.model is None and reference is None

    def rows(self, table: GivenTable, config: Config) -> Ranking:
        """Whether the first choice is the relevant one."""
        frame, _, data = given_rows(table, config, self.scorer)
        return Ranking(frame, data, np.asarray(table.labels) == np.asarray(table.predictions))


def first_choice(config: FirstConfig, rows: Ranking, _: None, about: About) -> Evidence:
    """How often the first choice is right."""
    n = np.array([len(rows.right)])
    share = rows.right.mean(keepdims=True)
    quantity = ProportionQuantity(share, n.astype(float), n, n.astype(float), "no queries")
    claim = Claim(
        id="right:overall",
        claim=f"the first choice is right in at least {config.min_right:.0%} of queries",
        metric="right",
        scope="overall",
        bounds=QuantityBounds(quantity),
        minimum=config.min_right,
        maximum=None,
        minimum_count=1,
    )
    return document(config, rows, [claim], {"share": float(share[0])}, about)


RANKING = Task(
    model_type="ranker",
    configs={"first_choice": FirstConfig},
    evaluate={"first_choice": first_choice},
    reader=RankingReader,  # type: ignore[arg-type]
)
TOLD_BY = Kind(
    title="First choice",
    question="Is what stands first what was looked for?",
    scope="Queries",
    tables=lambda measured: [table_of("Right", ("Share",), [(Cell(f"{measured['share']:.3f}"),)])],
)


def diagram_of(evidence: Evidence) -> Diagram:
    """What is right against what is asked for."""
    share = evidence.measurements["share"]
    return Diagram(
        span=(0, 1),
        observed="Right",
        predicted="Asked for",
        curve=((0, share), (1, share)),
        curve_name="all queries",
        band=(),
        bins=({"asked": 0.5, "right": share, "interval": None},),
        across="asked",
        up="right",
        bars=Bars((0, 1), (1,)),
    )


class FirstChoiceEvaluator(_Evaluator):
    """Is what stands first what was looked for?"""

    kind: ClassVar[str] = "first_choice"


@pytest.fixture
def ranking(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[pd.DataFrame]:
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry as registry

    monkeypatch.setitem(TASKS, "ranking", RANKING)
    monkeypatch.setitem(registry._registry, "first_choice", FirstChoiceEvaluator)
    chance = np.random.default_rng(0)
    relevant = chance.integers(0, 50, 2000)
    first = np.where(chance.random(2000) < 0.7, relevant, chance.integers(0, 50, 2000))
    yield pd.DataFrame({"query": np.arange(2000), "relevant": relevant, "first": first})


def _evaluated(world: World, rows: pd.DataFrame, **config: Any) -> Evidence:
    run, _ = world.evaluate(
        rows, model=None, targets="relevant", predictions="first", model_type="ranker", evaluators="first_choice",
        evaluator_config=config,
    )  # fmt: skip
    return evidence_of(world, run, "first_choice")


def test_a_task_and_a_kind_are_an_entry_each(
    world: World, ranking: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _evaluated(world, ranking, min_right=0.6)
    assert (found.task, found.kind, found.verdict) == ("ranking", "first_choice", "pass")
    assert loads(dumps(found)) == found
    page = render(found)
    assert "does not know kind" in page and "binary, multiclass, regression" in page  # it is in no table of reports yet
    assert f"{found.checks[0].value:.3g}" in page
    assert kind_and_task(found) == "first_choice (ranking)"
    monkeypatch.setitem(TOLD, "ranking", {"first_choice": replace(TOLD_BY, plain=True)})
    assert kind_and_task(found) == "first_choice"
    monkeypatch.setitem(TOLD, "ranking", {"first_choice": TOLD_BY})
    assert kind_and_task(found) == "first_choice (ranking)"
    assert set(figures(found)) == {"forest"}
    monkeypatch.setitem(TOLD, "ranking", {"first_choice": replace(TOLD_BY, diagram=diagram_of, figure="share")})
    assert set(figures(found)) == {"share"}
    page = render(found)
    assert "does not know" not in page and TOLD_BY.question in page and "0.7" in page
    assert _evaluated(world, ranking, min_right=0.9).verdict == "fail"


def test_every_task_and_kind_that_this_release_writes_is_in_every_table() -> None:
    assert set(TASKS) == set(TOLD) == set(KNOWN_TASKS)
    assert set(LAYOUTS) == set(KNOWN_KINDS)
    for name, task in TASKS.items():
        assert set(task.configs) == set(task.evaluate) == set(task.scalars) == set(TOLD[name]) == set(KNOWN_KINDS)


# Where a task is named by its word: the two tables that say what a task is, and what the format knows.
_TABLES = {"evidence.py", "plugin/tasks.py", "reports/kinds.py"}
_PACKAGE = Path(mlflow_eval_plugin.__file__).parent
_OF_A_CONFIG = re.compile(r"""isinstance\([^()]*Config\b|hasattr\(config\b|\bconfig\.kind\b [!=]=""")


@pytest.mark.parametrize("path", sorted(_PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_no_file_but_the_tables_asks_which_task_or_which_config_it_has(path: Path) -> None:
    text, where = path.read_text(), str(path.relative_to(_PACKAGE))
    assert _OF_A_CONFIG.findall(text) == []
    words = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    # A room of a task may say whose it is, such as in a key of what is remembered.
    assert where in _TABLES or {word for word in KNOWN_TASKS if word in words} <= set(path.parts)


# Where reports name a kind by its word: what a page shows of it, and what its documents hold.
_TABLES_OF_KINDS = {"reports/kinds.py", "reports/layouts.py"}
_OF_REPORTS = sorted(path for path in (_PACKAGE / "reports").rglob("*") if path.suffix in (".py", ".j2", ".js"))


@pytest.mark.parametrize("path", _OF_REPORTS, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_no_file_of_reports_but_the_tables_names_a_kind(path: Path) -> None:
    named = {word for word in re.findall(r"""["'](\w+)["']""", path.read_text()) if word in KNOWN_KINDS}
    assert named == (set(KNOWN_KINDS) if str(path.relative_to(_PACKAGE)) in _TABLES_OF_KINDS else set())


def test_every_kind_has_its_entry_point_and_no_other_has() -> None:
    setup = ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    lines = setup["options.entry_points"]["mlflow.model_evaluator"].strip().splitlines()
    named = dict(line.split(" = ") for line in lines)
    assert tuple(named) == KNOWN_KINDS
    for kind, place in named.items():
        module, evaluator = place.split(":")
        assert getattr(import_module(module), evaluator).kind == kind


@pytest.mark.parametrize("name", [{"kind": "No Word"}, {"kind": ""}, {"task": "ranking/2"}, {"task": "a" * 33}])
def test_what_is_no_word_names_neither_a_kind_nor_a_task(
    world: World, ranking: pd.DataFrame, name: dict[str, str]
) -> None:
    members = dict(_evaluated(world, ranking))
    kept = {key: value for key, value in members.items() if key in inspect.signature(seal).parameters}
    assert seal(**kept) == loads(dumps(seal(**kept)))
    with pytest.raises(EvidenceError, match=next(iter(name))):
        seal(**{**kept, **name})
