"""A real registry to act in: a governed store on a real database, a logged model, and Evidence about it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import mlflow
import numpy as np
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from mlflow_eval_plugin.evidence import Check, Data, FrozenAs, Inference, Producer, Reference, Subject, dumps, seal
from mlflow_eval_plugin.model_files import model_digest_at
from registry_hooks.desk import Desk
from registry_hooks.errors import RegistryError
from registry_hooks.identity import Actor, acting_as
from registry_hooks.store import GovernedStore

MODEL = "acs-employment"
KINDS = ("calibration", "disaggregated", "drift")
POLICY = f"""
schema: registry-hooks/policy/1
name: employment
models: [{MODEL}]
roles:
  author: [ana]
  risk: [raj, mei, ana]
  oncall: [oncall]
nominate: {{by: [author]}}
promote:
  by: [author]
  evidence:
    - {{kind: calibration, max_age: 30d}}
    - {{kind: disaggregated, insufficient: allow}}
    - {{kind: drift}}
  approvals: [{{role: risk, count: 2}}]
  expires: 7d
rollback: {{by: [oncall]}}
"""


DATA: dict[str, Any] = {"name": "test", "digest": "sha256:" + "0" * 64, "rows": 1000, "columns": ("a",)}


def evidence_bytes(
    run_id: str,
    kind: str,
    verdict: str,
    digest: str | None,
    at: datetime,
    champion: str | None = None,
    baseline: str | None = None,
) -> bytes:
    """A small but whole Evidence document."""
    check = Check(
        id=f"{kind}-1",
        claim=f"the {kind} claim holds",
        metric=kind,
        scope="overall",
        n=1000,
        maximum=0.1,
        value=0.2,
        interval=(0.05, 0.3),
        verdict=verdict,
        reason="made for a test",
    )
    sealed = seal(
        kind=kind,
        subject=Subject(run_id=run_id, model_digest=digest),
        data=Data(**DATA),
        reference=Reference(**DATA, baseline=FrozenAs(uri="runs:/1/baseline", digest=baseline)) if baseline else None,
        config={},
        inference=Inference(method="holm", alpha=0.05, family_size=1),
        checks=[check],
        measurements={"champion": {"model_digest": champion}} if kind == "comparison" else {},
        producer=Producer(name="test", version="1"),
        created_at=at.isoformat(),
    )
    return dumps(sealed)


class World:
    """One registry with a clock that a test moves."""

    def __init__(self, database_uri: str, artifacts: Path) -> None:
        self.now = datetime.now(timezone.utc).replace(microsecond=0)
        mlflow.set_tracking_uri(database_uri)
        mlflow.set_registry_uri("governed:" + database_uri)
        self.client = mlflow.MlflowClient()
        # The client's own store, so that its calls and the desk's meet in one unit of work, as on a server.
        self.store: GovernedStore = self.client._get_registry_client().store
        self.desk = self.store.desk = Desk(self.store.unit_of_work, clock=lambda: self.now)
        self._artifacts = artifacts
        self.experiment = self.client.create_experiment("test", artifact_location=artifacts.as_uri())

    def acting(self, name: str | None) -> AbstractContextManager[None]:
        """Act as a user; ``admin`` is an administrator, None is nobody."""
        return acting_as(Actor(name, "test", is_admin=name == "admin") if name else None)

    def govern(self, policy: str = POLICY, adopt: Literal["alias", "stage"] | None = None) -> dict[str, Any]:
        """Apply a policy as the admin."""
        with self.acting("admin"):
            return self.desk.policy_apply(policy, adopt)

    def log_model(self) -> tuple[str, str, str]:
        """A run with a logged scikit-learn model: run id, model URI, model digest."""
        with mlflow.start_run(experiment_id=self.experiment) as run:
            fitted = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
            info = mlflow.sklearn.log_model(fitted, name="model", pip_requirements=["scikit-learn"])
        folder = Path(mlflow.artifacts.download_artifacts(info.model_uri))
        return run.info.run_id, info.model_uri, model_digest_at(folder)

    def quick_model(self) -> tuple[str, str, str]:
        """As `log_model`, of files that nobody can load: a hundred times as fast, where only the registry matters."""
        run = self.client.create_run(self.experiment)
        folder = self._artifacts / run.info.run_id / "artifacts" / "model"
        folder.mkdir(parents=True)
        document = {"flavors": {"none": {"data": "weights.bin"}}, "model_uuid": run.info.run_id}
        (folder / "MLmodel").write_text(yaml.safe_dump(document))
        (folder / "weights.bin").write_bytes(run.info.run_id.encode() * 10)
        return run.info.run_id, folder.as_uri(), model_digest_at(folder)

    def folder(self, version: int, model: str = MODEL) -> Path:
        """Where the files of a version are."""
        uri = self.client.get_model_version_download_uri(model, str(version))
        return Path(mlflow.artifacts.download_artifacts(uri))

    def quickly(self, versions: int = 1, model: str = MODEL, verdict: str = "pass") -> list[tuple[str, str]]:
        """As `register`, with `quick_model`."""
        made = []
        with self.acting("ana"):
            if not self.client.search_registered_models(f"name='{model}'"):
                self.client.create_registered_model(model)
            for _ in range(versions):
                run_id, uri, digest = self.quick_model()
                self.put_evidence(run_id, digest, verdict=verdict)
                self.store.create_model_version(model, uri, run_id)
                made.append((run_id, digest))
        return made

    def put_evidence(
        self, run_id: str, digest: str | None, kinds=KINDS, verdict: str = "pass", at: datetime | None = None, name=None
    ) -> None:
        """Log Evidence documents to a run."""
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / (name or f"{kind}.json")
                path.write_bytes(evidence_bytes(run_id, kind, verdict, digest, at or self.now))
                self.client.log_artifact(run_id, str(path), "evidence")

    def register(self, versions: int = 1, verdict: str = "pass") -> list[tuple[str, str]]:
        """Register versions, each a model of its own with passing Evidence; gives (run id, model digest) of each."""
        made = []
        with self.acting("ana"):
            if not self.client.search_registered_models(f"name='{MODEL}'"):
                self.client.create_registered_model(MODEL)
            for _ in range(versions):
                run_id, uri, digest = self.log_model()
                self.put_evidence(run_id, digest, verdict=verdict)
                self.client.create_model_version(MODEL, uri, run_id)
                made.append((run_id, digest))
        return made

    def ask(self, version: int) -> None:
        """Nominate a version and request its promotion, as ana."""
        with self.acting("ana"):
            self.desk.nominate(MODEL, version)
            self.desk.request(MODEL, version, "please")

    def approve(self, version: int, *names: str) -> None:
        """Approvals by those named, by default the whole quorum."""
        for name in names or ("raj", "mei"):
            with self.acting(name):
                self.desk.approve(MODEL, version, comment="looks right")

    def promote(self, version: int) -> None:
        """The whole way to champion."""
        self.ask(version)
        self.approve(version)
        with self.acting("ana"):
            self.desk.promote(MODEL, version)

    def roles(self) -> dict[str, int]:
        """The aliases as an MLflow client sees them."""
        return {a: int(v) for a, v in self.client.get_registered_model(MODEL).aliases.items()}

    def stages(self) -> dict[int, str]:
        """The stages as an MLflow client sees them."""
        return {int(v.version): v.current_stage for v in self.client.search_model_versions(f"name='{MODEL}'")}

    def later(self, **kwargs: float) -> None:
        """Move the clock."""
        self.now += timedelta(**kwargs)

    def assert_sound(self) -> None:
        """The ledger verifies, and registry, stages and ledger agree."""
        verified = self.desk.audit_verify()
        assert verified["ok"], verified["problems"]


def refused(error: type[RegistryError], world: World, call: Callable[[], object]) -> RegistryError:
    """The refusal of ``call``, after which neither roles, nor stages, nor the ledger have changed."""
    before = world.roles(), world.stages(), world.desk.audit_verify()
    with pytest.raises(error) as caught:
        call()
    assert (world.roles(), world.stages(), world.desk.audit_verify()) == before
    return caught.value


def rules_of(error: RegistryError) -> list[str]:
    """Names of the rules that a refusal gives as reasons."""
    return [reason.rule for reason in error.reasons]
