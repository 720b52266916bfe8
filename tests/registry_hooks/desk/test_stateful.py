"""The real store and a small model of the pair, side by side: whatever is done, they say the same."""

from __future__ import annotations

import itertools
import os
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from mlflow.exceptions import MlflowException
from support.pair_model import PairModel
from support.world import World

from registry_hooks.desk.log.auditing import disagreements
from registry_hooks.errors import RegistryError
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry

STEPS = int(os.environ.get("REGISTRY_HOOKS_STATEFUL_STEPS", "150"))
STEPS_A_RUN = 50
POLICY = """
schema: registry-hooks/policy/1
name: pairs
models: ["pair-*"]
roles:
  author: [ana, bob]
  risk: [raj, mei, sam, bob]
  oncall: [oncall, ana]
  emergency: [eva, ana]
nominate: {by: [author]}
promote:
  by: [author]
  evidence: [{kind: drift, max_age: 3650d}]
  approvals: [{role: risk, count: 2}]
rollback: {by: [oncall]}
break_glass: {by: [emergency], review_due: 2h}
"""
AUTHORS = {1: "ana", 2: "ana", 3: "bob", 4: "raj"}
VERSIONS = st.integers(1, 5)  # the fifth is not there
WHO = st.sampled_from(["ana", "bob", "raj", "mei", "sam", "oncall", "eva", "admin"])
LIKELY = {
    "author": st.sampled_from(["ana", "ana", "bob", "raj"]),
    "risk": st.sampled_from(["raj", "mei", "sam", "bob"]),
}
# Which text somebody wrote into an entry: its record in the body, and its name there.
WRITTEN = {
    "approved": ("approval", "comment"), "rejected": ("approval", "comment"), "withdrawn": ("", "comment"),
    "approval-withdrawn": ("", "comment"), "rolled-back": ("review", "reason"), "broke-glass": ("review", "reason"),
    "review-closed": ("", "finding"),
}  # fmt: skip


class Shared:
    """A registry with four models' files and Evidence, which all runs register anew under another name."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.govern(POLICY)
        self.files = {version: world.quick_model() for version in AUTHORS}
        self.evidence: dict[int, datetime] = {}
        self.names = (f"pair-{number}" for number in itertools.count())
        self.steps = 0
        for version in AUTHORS:
            self.evaluate(version)

    def evaluate(self, version: int) -> None:
        run, _, digest = self.files[version]
        self.world.put_evidence(run, digest, kinds=("drift",))
        self.evidence[version] = self.world.now


class SideBySide(RuleBasedStateMachine):
    """Every step is done to both."""

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self.shared, self.world, self.desk = shared, shared.world, shared.world.desk

    @initialize()
    def register(self) -> None:
        with self.world.store.unit_of_work(write=False) as session:
            condemned = {each.version for each in Ledger(session).condemned()}
        for version in condemned:  # in an earlier run: its bytes are, whatever the name of the model
            self.shared.files[version] = self.world.quick_model()
            self.shared.evaluate(version)
        self.world.now = max(self.world.now, *self.shared.evidence.values()) + timedelta(days=1)
        self.name = next(self.shared.names)
        with self.world.acting("ana"):
            self.world.store.create_registered_model(self.name)
        for version, author in AUTHORS.items():
            run, uri, _ = self.shared.files[version]
            with self.world.acting(author):
                self.world.store.create_model_version(self.name, uri, run)
        self.model = PairModel(AUTHORS, self.shared.evidence, self.world.now, self.world.now)
        self.seq = self.newest()

    def newest(self) -> int:
        with self.world.store.unit_of_work(write=False) as session:
            return Ledger(session).last_seq

    def both(self, who, call, allowed, entries=1):
        """The call is refused exactly when the model says so, and writes one entry or none."""
        self.shared.steps += 1
        with self.world.acting(who):
            try:
                call()
                succeeded = True
            except RegistryError:
                succeeded = False
            except MlflowException as error:
                assert 400 <= error.get_http_status_code() < 500, error
                succeeded = False
        assert succeeded == allowed
        written = self.newest() - self.seq
        self.seq += written
        assert written == (entries if allowed else 0)

    @rule(who=LIKELY["author"], version=VERSIONS)
    def nominate(self, who, version):
        allowed = self.model.nominate(who, version)
        self.both(who, lambda: self.desk.nominate(self.name, version), allowed)

    @rule(who=LIKELY["author"], version=VERSIONS)
    def request(self, who, version):
        self.both(who, lambda: self.desk.request(self.name, version), self.model.request(who, version))

    @rule(who=LIKELY["risk"], version=VERSIONS)
    def approve(self, who, version):
        call = lambda: self.desk.approve(self.name, version, comment="yes")  # noqa: E731
        self.both(who, call, self.model.sign(who, version, yes=True))

    @rule(who=LIKELY["author"], approvers=st.permutations(["raj", "mei", "sam"]), version=st.integers(1, 4))
    def the_whole_way(self, who, approvers, version):
        self.nominate(who, version)
        self.request(who, version)
        self.approve(approvers[0], version)
        self.approve(approvers[1], version)
        self.promote(who, version)

    @rule(who=WHO, version=VERSIONS)
    def reject(self, who, version):
        call = lambda: self.desk.reject(self.name, version, comment="no")  # noqa: E731
        self.both(who, call, self.model.sign(who, version, yes=False))

    @rule(who=WHO, version=VERSIONS)
    def withdraw(self, who, version):
        call = lambda: self.desk.withdraw(self.name, version, comment="no more")  # noqa: E731
        self.both(who, call, self.model.withdraw(who, version))

    @rule(who=LIKELY["author"], version=VERSIONS)
    def promote(self, who, version):
        if self.model.is_there(version):
            with self.world.acting(who):
                plan = self.desk.plan(self.name, version)
            assert plan["allowed"] == self.model.may_promote(who, version), plan["reasons"]
        allowed = self.model.promote(who, version)
        self.both(who, lambda: self.desk.promote(self.name, version), allowed)
        assert not allowed or {k: v for k, v in plan["after"].items() if v} == self.model.roles()

    @rule(who=st.sampled_from(["oncall", "oncall", "ana", "mei"]), to=st.none() | VERSIONS)
    def rollback(self, who, to):
        allowed = self.model.rollback(who, to)
        self.both(who, lambda: self.desk.rollback(self.name, "bad", to=to, verify="now"), allowed)

    @rule(who=st.sampled_from(["eva", "eva", "ana", "bob"]), version=VERSIONS)
    def break_glass(self, who, version):
        allowed = self.model.break_glass(who, version)
        self.both(who, lambda: self.desk.break_glass(self.name, version, "fire"), allowed)

    @rule(who=WHO, version=VERSIONS, by=st.sampled_from(["alias", "stage"]))
    def native_champion(self, who, version, by):
        serves = self.model.champion == version
        allowed = self.model.native_champion(who, version)
        self.both(who, lambda: self._native(version, by, "champion", "Production"), allowed, entries=0 if serves else 1)

    @rule(who=WHO, version=VERSIONS, by=st.sampled_from(["alias", "stage"]))
    def native_challenger(self, who, version, by):
        allowed = self.model.nominate(who, version)
        self.both(who, lambda: self._native(version, by, "challenger", "Staging"), allowed)

    def _native(self, version, by, alias, stage):
        if by == "alias":
            self.world.client.set_registered_model_alias(self.name, alias, str(version))
        else:
            self.world.client.transition_model_version_stage(self.name, str(version), stage)

    @rule(who=WHO, version=VERSIONS, stage=st.sampled_from(["None", "Archived"]))
    def unstage(self, who, version, stage):
        call = lambda: self.world.client.transition_model_version_stage(self.name, str(version), stage)  # noqa: E731
        self.both(who, call, self.model.unstage(version), entries=0)

    @rule(who=WHO, version=VERSIONS, role=st.sampled_from(["champion", "challenger", "fallback"]))
    def take_a_role_away(self, who, version, role):
        self.both(who, lambda: self.world.client.delete_registered_model_alias(self.name, role), False)
        self.both(who, lambda: self.world.client.set_registered_model_alias(self.name, "fallback", str(version)), False)

    @rule(who=WHO, version=VERSIONS)
    def delete(self, who, version):
        if len(self.model.gone) < 1 or not self.model.is_there(version):
            call = lambda: self.world.client.delete_model_version(self.name, str(version))  # noqa: E731
            self.both(who, call, self.model.delete(version))

    @rule(who=LIKELY["risk"], number=st.integers(0, 2))
    def close_review(self, who, number):
        with self.world.acting("admin"):
            reviews = self.desk.status(self.name)["models"][0]["reviews"]
        review = reviews[number]["id"] if number < len(reviews) else "R-0"
        call = lambda: self.desk.review_close(self.name, review, "found")  # noqa: E731
        self.both(who, call, self.model.close(who, number))

    @rule(who=st.sampled_from(["admin", "admin", "ana"]), number=st.integers(0, 5))
    def redact(self, who, number):
        with self.world.store.unit_of_work(write=False) as session:
            entries = [each for each in Ledger(session).entries(self.name) if each.action in WRITTEN]
        if number >= len(entries):
            return
        entry, (record, name) = entries[number], WRITTEN[entries[number].action]
        text = entry.body[record][name] if record else entry.body[name]
        allowed = who == "admin" and text not in ("", "[redacted]")
        self.both(who, lambda: self.desk.redact(entry.seq, name, "names a person"), self.model._wrote(allowed))

    @rule(who=st.sampled_from(["admin", "admin", "mei"]))
    def purge(self, who):
        self.world.later(days=200)
        self.model.clock = self.world.now
        before = (self.world.now - timedelta(days=184)).isoformat()
        with self.world.acting("admin"):
            goes = self.desk.purge_plan(before)["count"]
        self.both(who, lambda: self.desk.purge(before, "kept for long enough"), who == "admin" and goes > 0)

    @rule(version=st.integers(1, 4))
    def evaluate_again(self, version):
        self.shared.evaluate(version)

    @rule(minutes=st.sampled_from([1, 3, 90, 90, 24 * 60, 8 * 24 * 60, -4, -7]))
    def time_passes(self, minutes):
        self.world.later(minutes=minutes)
        self.model.clock = self.world.now

    @invariant()
    def they_say_the_same(self):
        if not hasattr(self, "model"):
            return
        self.model.assert_whole()
        with self.world.store.unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), Registry(session)
            state, stages, aliases = ledger.state(self.name), registry.stages(self.name), registry.pair(self.name)
        one = self.model
        assert aliases == state.pair
        assert {role: held for role, held in aliases.as_json().items() if held} == one.roles()
        assert stages == {
            "Production": [one.champion] if one.champion else [],
            "Staging": [one.challenger] if one.challenger else [],
        }
        assert list(state.champions) == one.served and state.condemned == one.condemned

    def teardown(self):
        if hasattr(self, "name"):
            with self.world.store.unit_of_work(write=False) as session:
                assert disagreements(Ledger(session), Registry(session), self.name) == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_store_and_the_model_never_part(world):
    shared = Shared(world)
    run_state_machine_as_test(
        lambda: SideBySide(shared),
        settings=settings(
            max_examples=max(1, STEPS // STEPS_A_RUN), stateful_step_count=STEPS_A_RUN, deadline=None, database=None,
            derandomize=STEPS < 1000, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    print(f"{shared.steps} calls made of both")
    assert world.desk.audit_verify()["ok"]
