"""Rows are counted by operations that every processor rounds alike, so that Summaries are the same bytes on each."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

import mlflow_eval_plugin.engines
from mlflow_eval_plugin.engines.arrow.logarithm import logarithm

ENGINES = Path(mlflow_eval_plugin.engines.__file__).parent
PROBE = Path(__file__).parents[2] / "support" / "probes" / "summaries_on_a_processor.py"

# Functions of libm, and what is made of them: IEEE 754 does not say how they round.
OF_LIBM = frozenset(
    {
        "exp", "exp2", "expm1", "pow", "power", "float_power", "log", "log2", "log10", "log1p", "logaddexp",
        "logaddexp2", "cbrt", "hypot", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos",
        "arctan", "arctan2", "asin", "acos", "atan", "atan2", "ndtr", "ndtri", "expit", "logit", "xlogy",
        "xlog1py", "entr", "erf", "erfc", "erfinv", "gamma", "lgamma", "gammaln",
    }
)  # fmt: skip
LIBM = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-AVX2"}
NUMPY = {"NPY_DISABLE_CPU_FEATURES": " ".join(one for one in __cpu_dispatch__ if __cpu_features__[one])}


def unportable(source: str) -> list[str]:
    """Powers and functions whose last bit is the processor's, each with its line; squares are products."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Pow):
            base, exponent = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
            square = isinstance(exponent, ast.Constant) and exponent.value == 2
            whole = isinstance(base, ast.Constant) and isinstance(base.value, int)
            if not square and not whole:
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
        if name in OF_LIBM:
            found.append(f"{node.lineno}: {name}")
    return found


@pytest.mark.parametrize("path", sorted(ENGINES.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINES)))
def test_engines_take_no_power_above_two_and_no_function_of_libm(path):
    assert unportable(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("y**3", 1), ("y**2.5", 1), ("y**n", 1), ("2.0**n", 1), ("y **= 3", 1), ("np.exp(y)", 1), ("math.pow(y, 3)", 1),
        ("from math import log\nlog(y)", 1), ("map(np.log, y)", 1), ("y**2", 0), ("2**53", 0), ("2**n", 0),
        ("y * y * y", 0), ("logarithm(y)", 0), ("np.sqrt(y)", 0),
    ],
)  # fmt: skip
def test_what_is_not_portable_is_found(source, found):
    assert len(unportable(source)) == found


def counted(environment: dict[str, str]) -> dict[str, str]:
    ran = subprocess.run(
        [sys.executable, str(PROBE)], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, str] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def as_it_is():
    return counted({})


@pytest.mark.parametrize("without", [LIBM, LIBM | NUMPY], ids=["libm", "libm and numpy"])
def test_summaries_are_the_same_bytes_without_features_of_the_processor(as_it_is, without):
    found = counted(without)
    assert {path for path in as_it_is if as_it_is[path] != found.get(path)} == set()
    assert found.keys() == as_it_is.keys() and len(found) > 100


def test_a_logarithm_is_within_a_unit_in_the_last_place():
    rng = np.random.default_rng(5)
    near_one = 1 + rng.uniform(-1, 1, 40_000) * 10.0 ** -rng.integers(1, 16, 40_000)
    numbers = np.concatenate([rng.random(40_000), 10.0 ** rng.uniform(-300, 300, 40_000), near_one])
    found, exact = logarithm(numbers), np.log(numbers.astype(np.longdouble))
    assert float((np.abs(found - exact) / np.spacing(np.abs(found))).max()) <= 1
    assert logarithm(np.array([1.0, 2.0, 0.5, np.finfo(float).eps])).tolist() == [
        0.0, 0.6931471805599453, -0.6931471805599453, -36.04365338911715
    ]  # fmt: skip


def test_a_logarithm_leaves_what_it_is_given():
    numbers = np.array([[0.25, 0.5], [0.75, 1.0]])[:, 0]
    assert logarithm(numbers).tolist() == [np.log(0.25), np.log(0.75)]
    assert numbers.tolist() == [0.25, 0.75]
