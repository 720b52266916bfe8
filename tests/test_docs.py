"""What the README says is true: its commands and options exist, its policy loads, its config is taken."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mlflow_eval_plugin.evaluators.config.keys import CONFIGS, Config, parse
from mlflow_eval_plugin.evaluators.config.regression import CONFIGS as REGRESSION_CONFIGS
from mlflow_eval_plugin.report_cli import main as reports
from mlflow_eval_plugin.stats.binary.calibration import CALIBRATION_METRICS
from mlflow_eval_plugin.stats.binary.metrics import METRICS
from mlflow_eval_plugin.stats.drift.report import CATEGORICAL_METRICS, NUMERIC_METRICS
from mlflow_eval_plugin.stats.multiclass.metrics import MULTICLASS_METRICS
from mlflow_eval_plugin.stats.regression.calibration import METRICS as OF_THE_MEAN
from mlflow_eval_plugin.stats.regression.names import OF_ALL
from mlflow_eval_plugin.stats.slices.fairness import FAIRNESS
from registry_hooks.cli import main
from registry_hooks.rules.policy_file import load_policy

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
REPORTS = (ROOT / "docs" / "reports.md").read_text()
CALLS = sorted(set(re.findall(r"^\$ registry-hooks (.+?)(?:\s+#.*)?$", README, re.MULTILINE)))
REPORT_CALLS = sorted(set(re.findall(r"^\$ evidence-report (.+)$", README + REPORTS, re.MULTILINE)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("call", CALLS)
def test_every_command_and_option_of_the_readme_exists(call):
    words, command = call.split(), main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, call
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_command_is_in_the_readme():
    shown = {call.split()[0] for call in CALLS}
    assert set(main.list_commands(click.Context(main))) <= shown


@pytest.mark.parametrize("call", REPORT_CALLS)
def test_every_report_call_writes_its_page(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = call.split()
    for name in (word for word in words if word.endswith(".json")):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes((ROOT / "tests" / "golden" / f"{Path(name).stem}-v1.json").read_bytes())
    result = CliRunner().invoke(reports, words)
    assert result.exit_code == 0, result.output
    assert Path(words[-1]).read_text().startswith("<!doctype html>")


def test_the_policy_of_the_readme_is_that_of_the_example():
    (shown,) = blocks("yaml")
    example = load_policy((ROOT / "examples" / "policy.yaml").read_text())
    assert load_policy(shown) == example


def test_the_config_of_the_readme_is_taken():
    (code,) = blocks("python")
    call = next(node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    given = next(keyword.value for keyword in call.keywords if keyword.arg == "evaluator_config")
    given = ast.literal_eval(ast.unparse(given).replace("training_rows", "'rows'"))
    assert set(given) == set(CONFIGS)
    for kind, config in given.items():
        parse(kind, config)


def test_the_table_of_keys_is_whole_and_right():
    rows = dict(re.findall(r"^\| (all|`\w+`) \| (.*) \|$", README, re.MULTILINE))
    common = set(re.findall(r"`(\w+)`", rows.pop("all")))
    assert set(rows) == {f"`{kind}`" for kind in CONFIGS}
    for kind, model in CONFIGS.items():
        named = set(re.findall(r"`(\w+)`", rows[f"`{kind}`"])) - {"edges", "quantiles"}
        assert named | common == set(model.model_fields), kind


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_manual_of_an_evaluator_has_all_of_its_keys(kind):
    manual = (ROOT / "docs" / "evaluators.md").read_text().partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    rows = " ".join(re.findall(r"^\| (`.*?) \|", manual, re.MULTILINE))
    own = set(CONFIGS[kind].model_fields) - set(Config.model_fields)
    assert {key for key in own if f"`{key}`" not in rows} == set()


def test_the_table_of_keys_of_a_regression_is_whole_and_right():
    kinds = "all four|all but comparison|calibration|disaggregated|comparison"
    rows = dict(re.findall(rf"^\| ({kinds}) \| (.*) \|$", README, re.MULTILINE))
    named = {kind: set(re.findall(r"`(\w+)`", text)) - {"lower", "upper", "level"} for kind, text in rows.items()}
    forecasts = named["all but comparison"] | named["all four"]
    for kind in ("calibration", "disaggregated", "comparison"):
        own = set(REGRESSION_CONFIGS[kind].model_fields) - set(Config.model_fields)
        assert named[kind] | (named["all four"] if kind == "comparison" else forecasts) == own, kind
        manual = (ROOT / "docs" / "evaluators.md").read_text().partition("## Regression")[2]
        assert {key for key in own if f"`{key}`" not in manual} == set(), kind
    also = set(REGRESSION_CONFIGS["drift"].model_fields) - set(CONFIGS["drift"].model_fields)
    assert also == forecasts


def test_links_and_pictures_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_the_targets_of_the_makefile_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_statistic_is_in_its_table_and_every_test_that_it_cites_exists():
    page = (ROOT / "docs" / "statistics.md").read_text()
    named = {name for row in page.splitlines() if row.startswith("| ") for name in re.findall(r"`(\w+)`", row)}
    assert {*MULTICLASS_METRICS, *OF_ALL, *OF_THE_MEAN, "p_adjusted"} <= named
    assert {*METRICS, *CALIBRATION_METRICS, *FAIRNESS, *NUMERIC_METRICS, *CATEGORICAL_METRICS} <= named
    for cited in re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", page):
        assert (ROOT / cited).exists(), cited
