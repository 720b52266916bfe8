"""A baseline says what the rows said that it was frozen of, and nothing that is not sealed is read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from support.frozen_rows import CASES, Case, binary, evidence, said

from mlflow_eval_plugin import freeze
from mlflow_eval_plugin.canonical import canonical
from mlflow_eval_plugin.plugin.baseline.document import DOCUMENT, TABLES
from mlflow_eval_plugin.plugin.baseline.opening import opened_baseline
from mlflow_eval_plugin.stats.errors import InputError


def frozen(case: Case, **more: object) -> str:
    return freeze(case.reference, **{"evaluator_config": case.configs, **case.named, **more})


@pytest.fixture(scope="module")
def folder(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a baseline."""
    case = CASES["binary"]
    uri = freeze(case.reference.head(300), **case.named)
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path_factory.mktemp("frozen"))))


@pytest.mark.parametrize("task", CASES)
def test_without_the_rows_the_same_is_measured_and_judged(task: str, store: Path) -> None:
    case = CASES[task]
    uri = frozen(case)
    with_rows, without = evidence(case, case.reference), evidence(case, uri)
    assert canonical(said(without)) == canonical(said(with_rows))
    for kind, document in without.items():
        reference = dict(document["reference"])
        found = opened_baseline(uri).document
        assert reference.pop("baseline") == {"uri": uri, "digest": found.digest}
        assert {**reference, "name": "reference"} == with_rows[kind]["reference"]
        assert document["config"]["reference"] == uri


def test_thirty_columns_take_a_megabyte_at_most(store: Path) -> None:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    rows = pd.DataFrame({f"x{place}": rng.normal(size=100_000) for place in range(30)})
    rows["label"] = rng.integers(0, 2, len(rows))
    uri = freeze(rows, targets="label", evaluator_config={"drift": {}})
    files = Path(mlflow.artifacts.download_artifacts(uri)).iterdir()
    assert sum(one.stat().st_size for one in files) <= 1_000_000


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_byte_can_be_changed(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([DOCUMENT, TABLES]))
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    other = folder.parent / "changed"
    shutil.copytree(folder, other, dirs_exist_ok=True)
    (other / name).write_bytes(content)
    with pytest.raises(InputError, match=f"baseline: .*changed: {name}"):
        opened_baseline(str(other))


@pytest.mark.parametrize("name", [DOCUMENT, TABLES])
@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_no_file_can_be_cut_short(folder: Path, tmp_path: Path, name: str, length: int) -> None:
    other = tmp_path / "cut"
    shutil.copytree(folder, other)
    (other / name).write_bytes((folder / name).read_bytes()[:length])
    with pytest.raises(InputError, match=f"{name}.*(cut short|changed)"):
        opened_baseline(str(other))
    (other / name).unlink()
    with pytest.raises(InputError, match=f"there is no {name}"):
        opened_baseline(str(other))


def test_a_document_in_another_form_is_not_the_one_that_was_sealed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "pretty"
    shutil.copytree(folder, other)
    (other / DOCUMENT).write_text(json.dumps(json.loads((folder / DOCUMENT).read_text()), indent=1))
    with pytest.raises(InputError, match="does not match its digest"):
        opened_baseline(str(other))


def test_a_folder_is_a_baseline_too(folder: Path) -> None:
    case = replace(CASES["binary"], configs={"drift": {}})
    document = evidence(case, str(folder))["drift"]
    assert document["reference"]["baseline"]["uri"] == str(folder)


def test_nothing_is_written_over(store: Path) -> None:
    case = CASES["binary"]
    with mlflow.start_run() as run:
        uri = frozen(case)
        assert uri == f"runs:/{run.info.run_id}/baseline"
        with pytest.raises(MlflowException, match=f"name: run {run.info.run_id} has 'baseline' already"):
            frozen(case)
        assert frozen(case, name="later") == f"runs:/{run.info.run_id}/later"


def test_what_differs_is_refused_all_at_once(store: Path) -> None:
    case = CASES["binary"]
    uri = frozen(case, evaluator_config={"drift": {}})
    other = Case(
        case.reference,
        case.current.rename(columns={"default": "y", "score": "p"}),
        {"targets": "y", "predictions": "p", "model_type": "classifier"},
        {"drift": {}, "calibration": {}},
    )
    with pytest.raises(MlflowException) as refused:
        evidence(other, uri, drift={"pos_label": 0, "evidently": True})
    message = refused.value.message
    for reason in (
        f"baseline: {uri}: Evidently's report needs rows, and a baseline has none",
        "the column of labels: expected 'default', found 'y'",
        "the column of predictions: expected 'score', found 'p'",
        "the positive class: expected '1', found '0'",
        "calibration: it was frozen for drift, and not for calibration",
    ):
        assert reason in message
    assert refused.value.get_http_status_code() == 400


def test_a_change_of_schema_is_found_and_not_refused(store: Path) -> None:
    case = CASES["binary"]
    changed = case.current.assign(town=1.5, more=1, tied=case.current.tied.map("{} EUR".format)).drop(columns=["age"])
    other = Case(case.reference, changed, case.named, {"drift": {}})
    without, with_rows = (evidence(other, one) for one in (frozen(case), case.reference))
    assert canonical(said(without)) == canonical(said(with_rows))
    found = {one["column"]: one["change"] for one in without["drift"]["measurements"]["schema_changes"]}
    assert found == {"town": "type", "tied": "type", "more": "added", "age": "removed"}


def test_the_first_form_is_still_read(store: Path) -> None:
    golden = Path(__file__).parents[2] / "golden" / "baseline-v1"
    found = opened_baseline(str(golden)).document
    assert found.digest == "sha256:81628789f943bacdaf7117ec894fc74bed0f4c361d39a8b7eb85ba09cb166e3d"
    rows = binary(200).drop(columns=["tags"])
    case = Case(
        rows, binary(300, 2, 0.3).drop(columns=["tags"]), CASES["binary"].named, {"drift": {}, "calibration": {}}
    )
    without, with_rows = (evidence(case, one) for one in (str(golden), rows))
    assert canonical(said(without)) == canonical(said(with_rows))


def test_a_baseline_of_another_task_is_refused(store: Path) -> None:
    uri = frozen(CASES["regression"])
    with pytest.raises(MlflowException, match="drift: the task: expected 'regression', found 'binary'"):
        evidence(CASES["binary"], uri)


def test_columns_that_were_not_frozen_so_are_refused_by_name(store: Path) -> None:
    case = CASES["binary"]
    uri = frozen(case, evaluator_config={"drift": {"exclude_columns": ["town"]}})
    narrow = Case(case.reference, case.current.astype({"amount": "float32"}), case.named, {"drift": {}})
    with pytest.raises(MlflowException) as refused:
        evidence(narrow, uri, drift={"categorical": ["when"]})
    for reason in (
        "'town' was not frozen for drift; freeze it anew with the column",
        "'when' was not frozen as categories; freeze it anew with 'categorical': ['when']",
        "'amount' was frozen in double precision, and these rows have it in 32 bits",
    ):
        assert reason in refused.value.message


def test_columns_together_need_rows_and_are_refused_by_name(store: Path) -> None:
    case = CASES["binary"]
    uri = frozen(case, evaluator_config={"drift": {}})
    with pytest.raises(MlflowException, match=r"it holds counts and no rows, and so no rows of .* give the rows as"):
        evidence(Case(case.reference, case.current, case.named, {"drift": {}}), uri, drift={"multivariate": True})


def test_codes_are_counted_as_codes_where_the_baseline_has_few_values_of_them(store: Path) -> None:
    case = CASES["binary"]
    uri, asked = frozen(case), {"categorical": ["age", "tied", "truth"]}
    without, with_rows = (evidence(case, one, drift=asked) for one in (uri, case.reference))
    assert canonical(said(without)) == canonical(said(with_rows))


def test_where_there_is_none_it_says_what_was_expected(store: Path, tmp_path: Path) -> None:
    for uri in ("runs:/0123456789abcdef0123456789abcdef/baseline", str(tmp_path / "nowhere"), "models:/nobody/1"):
        with pytest.raises(MlflowException, match=f"baseline: {uri}"):
            evidence(CASES["binary"], uri)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"targets": "defualt"}, "targets: no column 'defualt'"),
        ({"evaluator_config": {}}, "evaluator_config: it names no evaluator"),
        ({"evaluator_config": {"comparison": {}}}, "evaluator_config: 'comparison' takes no reference"),
        ({"evaluator_config": {"drift": {"reference": 1}}}, "drift: 'reference' is the data here"),
        ({"name": "../up"}, "name: expected letters"),
        ({"register": "models:/nobody/1"}, "register: expected a version of a model"),
    ],
)
def test_what_cannot_be_frozen_is_refused_before_a_run_is_made(
    store: Path, arguments: dict[str, object], reason: str
) -> None:
    before = len(mlflow.search_runs(search_all_experiments=True))
    with pytest.raises(MlflowException, match=reason):
        freeze(binary(100), **{**CASES["binary"].named, **arguments})
    assert len(mlflow.search_runs(search_all_experiments=True)) == before
