"""Which of our evaluators a call asks for, and with which configs.

MLflow tells an evaluator its own config only, and only just before it runs; whether it was named in ``evaluators``, and
what the others were given, it does not tell. Both matter: an evaluator that is named must run without a config, and a
misspelt key of the third must be found before the first has logged. So the two functions of MLflow that hold the answer
are looked for on the stack. Where they are not found (another MLflow, a direct call) only the evaluator's own config is
known, and everything still works, with later errors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from mlflow_eval_plugin.evaluators.config.base import Config, ConfigError, did_you_mean
from mlflow_eval_plugin.evaluators.config.keys import is_configured, parse
from mlflow_eval_plugin.plugin.tasks import TASKS, configs_of, configs_of_all, model_types_of
from mlflow_eval_plugin.reports.sentences.wording import listed

_MODULE = "mlflow.models.evaluation.base"
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """Our evaluators in one evaluate call, with the configs as given; ``flat`` ones were copied to all evaluators."""

    given: Mapping[str, Given]
    flat: bool
    model_type: str

    def configs(self) -> dict[str, Config]:
        """All configs, validated.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE, naming every evaluator and key that is wrong.
        """
        found: dict[str, Config] = {}
        wrong: list[ConfigError] = []
        for kind, given in self.given.items():
            try:
                found[kind] = parse(kind, given, flat=self.flat, configs=configs_of(self.model_type))
            except ConfigError as error:
                wrong.append(error)
        if wrong:
            raise invalid("; ".join(map(str, wrong))) from wrong[0]
        return found


def invalid(error: Exception | str) -> MlflowException:
    """MLflow's exception for what the caller got wrong."""
    return MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE)


def can_evaluate(kind: str, model_type: str | None, given: Given | None) -> bool:
    """See ``plugin.CalibrationEvaluator.can_evaluate``."""
    known = configs_of(model_type)
    asked = asked_of_mlflow(model_type)
    if asked is None:
        return kind in known and is_configured(kind, given, known)
    if kind not in asked.given:
        return False
    if kind not in known:
        types = " or ".join(map(repr, model_types_of(kind)))
        raise invalid(f"{kind}: expected model_type={types}, found {model_type!r}; other models are not evaluated")
    asked.configs()
    return True


def asked_by_name(evaluators: str | Sequence[str] | None, given: Given | None, model_type: str | None) -> Asked:
    """What the arguments of our own ``evaluate`` ask for, which mean what they mean to MLflow's.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, for a model type or evaluators that there are not, or a config that
            belongs to none of them.
    """
    known = configs_of(model_type)
    if not known:
        types = " or ".join(map(repr, dict.fromkeys(task.model_type for task in TASKS.values())))
        raise invalid(f"model_type: expected {types}, found {model_type!r}; other models are not evaluated")
    config = dict(given or {})
    names = [evaluators] if isinstance(evaluators, str) else list(known if evaluators is None else evaluators)
    nested = any(name in config for name in known)
    wrong = [_no_evaluator(str(name), known) for name in names if name not in known]
    if nested or len(names) > 1:
        strays = [key for key in config if key not in names] if nested or evaluators is not None else []
        wrong += [f"evaluator_config: {key!r} is none of the evaluators asked for, {listed(names)}" for key in strays]
    if wrong:
        raise invalid("; ".join(wrong))
    flat = not nested and evaluators is None
    by_name = {name: config.get(name, {}) if nested else config for name in names}
    if evaluators is None:
        by_name = {name: one for name, one in by_name.items() if is_configured(name, config if nested else one, known)}
    if not by_name:
        raise invalid(
            f"evaluators: expected some of {listed(list(known))}, found none; name them, or give their config"
        )
    return Asked(by_name, flat, str(model_type))


def _no_evaluator(name: str, known: Iterable[str]) -> str:
    if name in ("default", "classifier", "regressor", "shap"):
        return f"evaluators: {name!r} is MLflow's own; ask mlflow.models.evaluate for it"
    return f"evaluators: there is no evaluator {name!r}{did_you_mean(name, tuple(known))}"


def asked_of_mlflow(model_type: str | None) -> Asked | None:
    """What the evaluate call around us asks of our evaluators; None outside of one."""
    for frame in _frames():
        if frame.f_globals.get("__name__") != _MODULE:
            continue
        if frame.f_code.co_name == "_evaluate":
            return _running(frame.f_locals.get("evaluators") or [], str(model_type))
        if frame.f_code.co_name == "resolve_evaluators_and_configs":
            return _resolving(frame.f_locals.get("evaluator_config") or {}, str(model_type))
    return None


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _running(bundles: list[Any], model_type: str) -> Asked:
    # Everyone in this list was named, or has said yes before.
    given = {bundle.name: bundle.config or {} for bundle in bundles if bundle.name in configs_of_all()}
    # By identity: configs hold frames, which have no truth value when compared.
    configs = [bundle.config for bundle in bundles if bundle.config]
    flat = any(sum(config is one for config in configs) > 1 for one in given.values())
    return Asked(given, flat, model_type)


def _resolving(by_name: Mapping[str, Any], model_type: str) -> Asked:
    # A flat config arrives here as one and the same object under every name.
    ours = {kind: by_name[kind] for kind in configs_of_all() if kind in by_name}
    flat = len(by_name) > 1 and len({id(config) for config in by_name.values()}) == 1
    known = configs_of(model_type)
    asked = {
        kind: config
        for kind, config in ours.items()
        if not flat or is_configured(kind, config, known if kind in known else configs_of_all())
    }
    return Asked(asked, flat, model_type)
