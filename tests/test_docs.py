"""What the documents say is true: commands and options exist, policies load, keys are whole, links lead somewhere."""

from __future__ import annotations

import ast
import configparser
import re
import runpy
from datetime import timedelta
from pathlib import Path
from typing import get_args, get_origin

import click
import pytest
from click.testing import CliRunner

from mlflow_eval_plugin.commands.group import main as evidence
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.keys import CONFIGS, parse
from mlflow_eval_plugin.evaluators.config.regression import CONFIGS as REGRESSION_CONFIGS
from mlflow_eval_plugin.report_cli import main as reports
from mlflow_eval_plugin.stats.binary.calibration.report import CALIBRATION_METRICS
from mlflow_eval_plugin.stats.binary.metrics import METRICS
from mlflow_eval_plugin.stats.drift.report import CATEGORICAL_METRICS, NUMERIC_METRICS
from mlflow_eval_plugin.stats.multiclass.metrics import MULTICLASS_METRICS
from mlflow_eval_plugin.stats.regression.calibration.report import METRICS as OF_THE_MEAN
from mlflow_eval_plugin.stats.regression.names import OF_ALL
from mlflow_eval_plugin.stats.slices.fairness import FAIRNESS
from registry_hooks.cli import main
from registry_hooks.rules.policy import Policy, PolicyPart, duration
from registry_hooks.rules.policy_file import load_policy

ROOT = Path(__file__).parents[1]
PAGES = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
README, CLI, POLICY = (TEXTS[name] for name in ("README.md", "docs/cli.md", "docs/policy.md"))
EVALUATORS = TEXTS["docs/evaluators.md"]
AT_A_GLANCE = EVALUATORS.partition("\n## All keys at a glance\n")[2].partition("\n## ")[0]
ALL = "\n".join(text for name, text in TEXTS.items() if name != "CHANGELOG.md").replace("\\\n", " ")
CALLS = sorted(set(re.findall(r"^\$ registry-hooks (.+?)(?:\s+#.*)?$", ALL, re.MULTILINE)))
REPORT_CALLS = sorted(set(re.findall(r"^\$ evidence-report (.+)$", ALL, re.MULTILINE)))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("call", CALLS)
def test_every_command_and_option_that_is_shown_exists(call):
    words, command = call.split(), main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, call
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    if command.name != "server":  # which passes on what it does not know
        assert {word for word in words if word.startswith("--")} <= known


def leaves(command, path=()):
    """The path of every command below ``command`` that is no group."""
    if not isinstance(command, click.Group):
        return [" ".join(path)]
    return [leaf for name, each in command.commands.items() for leaf in leaves(each, (*path, name))]


@pytest.mark.parametrize("command", leaves(main))
def test_every_command_has_its_place_and_an_example_in_the_page(command):
    assert len(re.findall(rf"^### `{command}(?: [A-Z\[][^`]*)?`$", CLI, re.MULTILINE)) == 1
    assert any(call.startswith(command) for call in CALLS)


def test_the_reference_of_commands_is_what_the_commands_say():
    made = runpy.run_path(str(ROOT / "tools" / "cli_reference.py"))["page"]()
    assert made == CLI, "run: python tools/cli_reference.py"
    assert made.count("\n### `") == sum(map(len, map(leaves, (main, reports, evidence))))


@pytest.mark.parametrize("call", REPORT_CALLS)
def test_every_report_call_writes_its_page(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell = {"evidence/*.json": "evidence/calibration.json evidence/drift.json",
             "*/calibration.json": "march/calibration.json april/calibration.json"}  # fmt: skip
    words = " ".join(shell.get(word, word) for word in call.split()).split()
    for name in (word for word in words if word.endswith(".json")):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes((ROOT / "tests" / "golden" / f"{Path(name).stem}-v1.json").read_bytes())
    result = CliRunner().invoke(reports, words)
    assert result.exit_code == 0, result.output
    assert Path(words[-1]).read_bytes().startswith((b"<!doctype html>", b"\x89PNG"))


def test_the_policy_of_the_page_is_that_of_the_example():
    (shown,) = blocks(POLICY, "yaml")
    assert load_policy(shown) == load_policy((ROOT / "examples" / "policy.yaml").read_text())


def keys_of(model, before=""):
    """Every key of a policy, with its field: ``promote.evidence[].kind``; ``*`` is any name."""
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        yield key, field
        inner = [each for each in _types(field.annotation) if isinstance(each, type) and issubclass(each, PolicyPart)]
        mark = {dict: ".*", tuple: "[]"}.get(get_origin(field.annotation), "")
        for each in inner:
            yield from keys_of(each, f"{key}{mark}.")


def _types(annotation):
    return [annotation, *(each for part in get_args(annotation) for each in _types(part))]


@pytest.mark.parametrize(("key", "field"), list(keys_of(Policy)))
def test_every_key_of_a_policy_is_in_its_page_with_its_default(key, field):
    (told,) = re.findall(rf"^\| `{re.escape(key)}` \| (.*?) \| .+ \|$", POLICY, re.MULTILINE)
    if field.is_required():
        assert told == "required"
    elif isinstance(field.default, timedelta):
        assert duration(told) == field.default
    elif field.default not in (None, ()):
        assert told == str(field.default).lower()
    else:
        assert told != "required"


def test_the_page_of_the_policy_names_no_key_that_is_none():
    table = POLICY.partition("\n## Every key\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)) == dict(keys_of(Policy)).keys()


def test_the_config_of_the_manual_is_taken():
    code = blocks(EVALUATORS, "python")[0]
    call = next(node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    given = next(keyword.value for keyword in call.keywords if keyword.arg == "evaluator_config")
    rows = ast.unparse(given).replace("last_year", "'rows'").replace("people[['RAC1P']]", "'rows'")
    given = ast.literal_eval(rows)
    assert set(given) == set(CONFIGS)
    for kind, config in given.items():
        parse(kind, config)


def test_the_table_of_keys_is_whole_and_right():
    rows = dict(re.findall(r"^\| (all|`\w+`) \| (.*) \|$", AT_A_GLANCE, re.MULTILINE))
    common = set(re.findall(r"`(\w+)`", rows.pop("all")))
    assert set(rows) == {f"`{kind}`" for kind in CONFIGS}
    for kind, model in CONFIGS.items():
        named = set(re.findall(r"`(\w+)`", rows[f"`{kind}`"])) - {"edges", "quantiles"}
        assert named | common == set(model.model_fields), kind


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_manual_of_an_evaluator_has_all_of_its_keys(kind):
    manual = EVALUATORS.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    rows = " ".join(re.findall(r"^\| (`.*?) \|", manual, re.MULTILINE))
    own = set(CONFIGS[kind].model_fields) - set(Config.model_fields)
    assert {key for key in own if f"`{key}`" not in rows} == set()


def test_the_table_of_keys_of_a_regression_is_whole_and_right():
    kinds = "all four|all but comparison|calibration|disaggregated|comparison"
    rows = dict(re.findall(rf"^\| ({kinds}) \| (.*) \|$", AT_A_GLANCE, re.MULTILINE))
    named = {kind: set(re.findall(r"`(\w+)`", text)) - {"lower", "upper", "level"} for kind, text in rows.items()}
    forecasts = named["all but comparison"] | named["all four"]
    for kind in ("calibration", "disaggregated", "comparison"):
        own = set(REGRESSION_CONFIGS[kind].model_fields) - set(Config.model_fields)
        assert named[kind] | (named["all four"] if kind == "comparison" else forecasts) == own, kind
        manual = EVALUATORS.partition("## Regression")[2]
        assert {key for key in own if f"`{key}`" not in manual} == set(), kind
    also = set(REGRESSION_CONFIGS["drift"].model_fields) - set(CONFIGS["drift"].model_fields)
    assert also == forecasts


def home() -> str:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    return settings["metadata"]["url"]


def anchors(text: str) -> set[str]:
    """The names by which headings are linked to, as they are made from the headings' words."""
    words = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in words}


@pytest.mark.parametrize("name", TEXTS)
def test_links_and_pictures_lead_somewhere(name):
    page = ROOT / name
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", TEXTS[name]):
        ours = re.fullmatch(rf"{re.escape(home())}/(?:blob|tree|raw)/main/(.+)", target)
        if target.startswith("http") and not ours:
            continue
        leads = (ROOT / ours[1]) if ours else (page.parent / target).resolve() if target else page
        assert leads.exists(), target
        if anchor:
            assert anchor in anchors(leads.read_text()), f"{target}#{anchor}"


def test_the_links_of_the_readme_lead_there_from_the_package_index_too():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) > 10 and all(target.startswith(f"{home()}/") for target in targets)
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert picture == f"{home()}/raw/main/docs/images/joined-report.png"


def test_the_readme_is_short():
    (quickstart,) = blocks(README, "python")
    assert len(README.splitlines()) <= 150 and len(quickstart.splitlines()) <= 25
    assert len(README.partition("\n\n")[2].partition("\n\n")[0].splitlines()) <= 5


def test_every_page_is_found_from_the_readme():
    linked = {target.rpartition("/main/")[2] for target in re.findall(r"\]\(([^)#]+)", README)}
    assert {name for name in TEXTS if name.startswith("docs/") and "/adr/" not in name} <= linked


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([\w-]+)`|^\$ make ([\w-]+)", ALL, re.MULTILINE))))
def test_the_targets_of_the_makefile_are_there(target):
    assert re.search(rf"^{''.join(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_statistic_is_in_its_table_and_every_test_that_it_cites_exists():
    page = (ROOT / "docs" / "statistics.md").read_text()
    named = {name for row in page.splitlines() if row.startswith("| ") for name in re.findall(r"`(\w+)`", row)}
    assert {*MULTICLASS_METRICS, *OF_ALL, *OF_THE_MEAN, "p_adjusted"} <= named
    assert {*METRICS, *CALIBRATION_METRICS, *FAIRNESS, *NUMERIC_METRICS, *CATEGORICAL_METRICS} <= named
    for cited in re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", page):
        assert (ROOT / cited).exists(), cited
