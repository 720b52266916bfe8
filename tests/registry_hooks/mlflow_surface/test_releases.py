"""What differs between MLflow releases is evened out, and the range that setup.cfg admits is the one told and tried."""

import shutil
from pathlib import Path

import matrix
import mlflow
import pytest
from mlflow.exceptions import MlflowException

from registry_hooks.mlflow_surface.releases import demanded_settings, version_number

ROOT = Path(matrix.ROOT)


@pytest.mark.parametrize("given", ["2", 2, " 2 "])
def test_a_version_is_a_number_however_it_is_written(given):
    assert version_number(given) == 2


@pytest.mark.parametrize("given", ["two", "", "2.5", "latest"])
def test_what_is_no_number_is_a_4xx(given):
    with pytest.raises(MlflowException) as caught:
        version_number(given)
    assert caught.value.get_http_status_code() == 400


def test_a_password_that_mlflow_demands_in_the_file_is_a_new_one_each_time():
    first, second = demanded_settings(), demanded_settings()
    assert first.keys() == second.keys() <= {"admin_password"}
    assert not first or first != second


def test_the_range_is_at_least_three_minor_releases_and_this_is_one_of_them():
    oldest, newest = (tuple(int(part) for part in each.split(".")) for each in matrix.admitted())
    assert newest[1] - oldest[1] >= 2
    assert oldest <= tuple(int(part) for part in mlflow.__version__.split(".")[:2]) <= newest
    readme = (ROOT / "README.md").read_text()
    assert f"MLflow {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}" in readme


def test_an_interpreter_that_is_missing_is_told_with_what_to_do():
    with pytest.raises(SystemExit, match=r"no python3\.99 .*PYTHONS="):
        matrix.interpreter("python3.99")
    assert shutil.which(matrix.interpreter("python3")) is not None
