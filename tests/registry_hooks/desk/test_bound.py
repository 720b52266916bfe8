"""Evidence is bound: what a run holds is read again at each step, and what is not as it was nominated is refused."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from support.probes.pace import patience
from support.world import MODEL, POLICY, evidence_bytes, refused, rules_of

from mlflow_eval_plugin.evidence import loads
from registry_hooks.desk.grounds import bound, case, presence
from registry_hooks.desk.grounds.case import READINGS
from registry_hooks.errors import Refused, RegistryError
from registry_hooks.records import EvidenceRef
from registry_hooks.rules.signatures import new_key, public_pem, sign

GLASS = POLICY + "break_glass: {by: [oncall]}\n"
SIGNED = GLASS.replace("{kind: drift}", "{kind: drift, signed_by: [build]}")
BUILD, EVE = new_key(), new_key()
DOCUMENT, ENVELOPE, PAGE = "evidence/drift.json", "evidence/drift.json.dsse", "reports/drift.html"


class Run:
    """The artifacts of the run of version 1."""

    def __init__(self, world):
        self.id = world.client.get_model_version(MODEL, "1").run_id
        self.folder = Path(world._artifacts) / self.id / "artifacts"
        self.digest = loads(self.path(DOCUMENT).read_bytes()).subject.model_digest
        self.at = world.now

    def path(self, name):
        return self.folder / name

    def another(self, verdict="pass"):
        """Another document of the same kind about the same files."""
        at = self.at.replace(second=(self.at.second + 1) % 60)
        return evidence_bytes(self.id, "drift", verdict, self.digest, at)


def _document_replaced(run):
    run.path(DOCUMENT).write_bytes(run.another("fail"))
    return "evidence-changed", f"Evidence {DOCUMENT} of run {run.id} is another document than was nominated"


def _document_replaced_by_one_that_passes(run):
    run.path(DOCUMENT).write_bytes(run.another())
    return "evidence-changed", f"Evidence {DOCUMENT} of run {run.id} is another document than was nominated"


def _document_deleted(run):
    run.path(DOCUMENT).unlink()
    return "evidence-changed", f"Evidence {DOCUMENT} of run {run.id} is gone"


def _document_edited(run):
    run.path(DOCUMENT).write_bytes(run.path(DOCUMENT).read_bytes().replace(b'"rows":1000', b'"rows":9000'))
    return "evidence-changed", f"Evidence {DOCUMENT} of run {run.id} cannot be trusted: Evidence does not match its"


def _document_cut_short(run):
    run.path(DOCUMENT).write_bytes(run.path(DOCUMENT).read_bytes()[:100])
    return "evidence-changed", f"Evidence {DOCUMENT} of run {run.id} cannot be trusted: Evidence is not readable JSON"


def _all_documents_deleted(run):
    for file in run.path("evidence").iterdir():
        file.unlink()
    run.path("evidence").rmdir()
    return "evidence-changed", f"Evidence evidence/calibration.json of run {run.id} is gone"


def _signature_deleted(run):
    run.path(ENVELOPE).unlink()
    return "evidence-signature", f"{ENVELOPE} of run {run.id} is gone"


def _signature_by_another(run):
    run.path(ENVELOPE).write_bytes(sign(loads(run.path(DOCUMENT).read_bytes()), EVE))
    return "evidence-signature", f"{ENVELOPE} of run {run.id} is by other keys"


def _signature_of_another_document(run):
    run.path(ENVELOPE).write_bytes(sign(loads(run.another()), BUILD))
    return "evidence-signature", f"{ENVELOPE} of run {run.id} is over another document"


def _signature_spoilt(run):
    run.path(ENVELOPE).write_bytes(b"{")
    return "evidence-signature", f"{ENVELOPE} of run {run.id} cannot be trusted"


def _page_replaced(run):
    run.path(PAGE).write_text("<p>All is well</p>")
    return "reports", f"{PAGE} of run {run.id} was changed"


def _page_deleted(run):
    run.path(PAGE).unlink()
    return "reports", f"{PAGE} of run {run.id} is gone"


CHANGES = [
    _document_replaced, _document_replaced_by_one_that_passes, _document_deleted, _document_edited, _document_cut_short,
    _all_documents_deleted, _signature_deleted, _signature_by_another, _signature_of_another_document,
    _signature_spoilt, _page_replaced, _page_deleted,
]  # fmt: skip
changes = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))


@pytest.fixture
def run(world):
    """Version 1 with signed Evidence and a report page, and a policy that asks for the signature."""
    world.govern(SIGNED)
    world.quickly()
    run = Run(world)
    run.path(ENVELOPE).write_bytes(sign(loads(run.path(DOCUMENT).read_bytes()), BUILD))
    run.path("reports").mkdir()
    run.path(PAGE).write_text("<p>Drift was found</p>")
    with world.acting("admin"):
        world.desk.key_trust("build", public_pem(BUILD.public_key()))
    return run


def told(error, rule):
    return next(reason.found for reason in error.reasons if reason.rule == rule)


@changes
def test_what_is_not_as_it_was_nominated_is_refused_by_name_before_any_approval(world, run, change):
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
        rule, said = change(run)
        error = refused(Refused, world, lambda: world.desk.request(MODEL, 1))
        plan = world.desk.plan(MODEL, 1)
    assert told(error, rule).startswith(said)
    assert not plan["allowed"]
    assert any(r["rule"] == rule and r["found"].startswith(said) for r in plan["reasons"])


@changes
def test_what_is_not_as_it_was_nominated_is_refused_by_name_between_approvals(world, run, change):
    world.ask(1)
    world.approve(1, "raj")
    rule, said = change(run)
    with world.acting("mei"):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="read the page"))
    assert told(error, rule).startswith(said)
    with world.acting("mei"):  # a no is for Evidence in any state
        assert world.desk.reject(MODEL, 1, comment="who changed it?")["state"] == "rejected"


@changes
def test_what_is_not_as_it_was_nominated_is_refused_by_name_after_all_approvals(world, run, change):
    world.ask(1)
    world.approve(1)
    rule, said = change(run)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
        assert told(error, rule).startswith(said)
        for call in (
            lambda: world.client.set_registered_model_alias(MODEL, "champion", "1"),
            lambda: world.client.transition_model_version_stage(MODEL, "1", "Production"),
        ):
            with pytest.raises(MlflowException) as caught:
                call()
            assert said in str(caught.value)
        assert [said in problem for problem in world.desk.reconcile(MODEL)["problems"]].count(True) == 1
    assert world.roles() == {"challenger": 1}


@changes
def test_break_glass_passes_and_writes_down_what_had_changed(world, run, change):
    world.ask(1)
    world.approve(1)
    rule, said = change(run)
    with world.acting("oncall"):
        answer = world.desk.break_glass(MODEL, 1, "the old one is on fire")
    assert any(r["rule"] == rule and r["found"].startswith(said) for r in answer["overridden"])


@changes
def test_a_rollback_is_not_kept_waiting_for_evidence_and_reconcile_tells(world, run, change):
    world.promote(1)
    world.quickly()
    world.put_evidence(*_signed(world, 2))
    world.promote(2)
    _, said = change(run)
    with world.acting("oncall"):
        assert world.desk.rollback(MODEL, "bad")["version"] == 1
    with world.acting("ana"):
        assert any(said in problem for problem in world.desk.reconcile(MODEL)["problems"])


def _signed(world, version):
    run_id = world.client.get_model_version(MODEL, str(version)).run_id
    file = Path(world._artifacts) / run_id / "artifacts" / DOCUMENT
    document = loads(file.read_bytes())
    file.with_name("drift.json.dsse").write_bytes(sign(document, BUILD))
    return run_id, document.subject.model_digest, ("calibration",)


def test_the_same_document_in_other_bytes_one_more_signature_and_one_more_page_change_nothing(world, run):
    world.ask(1)
    document = json.loads(run.path(DOCUMENT).read_bytes())
    run.path(DOCUMENT).write_text(json.dumps(document, indent=2))
    run.path(ENVELOPE).write_bytes(sign(loads(json.dumps(document)), EVE, run.path(ENVELOPE).read_bytes()))
    run.path("reports/of-another-call.html").write_text("<p>Something else</p>")
    run.path("evidence/held-out-drift.json").write_bytes(run.another("fail"))
    world.approve(1)
    with world.acting("ana"):
        assert world.desk.promote(MODEL, 1)["version"] == 1
        assert world.desk.reconcile(MODEL)["ok"]


def _of_before(**members):
    return EvidenceRef(**{name: value for name, value in members.items() if not name.endswith("sha256")})


def test_a_nomination_of_before_is_held_against_the_digests_of_its_documents(world, run, monkeypatch):
    """Entries that were written without digests of bytes and pages are read, and mean what they meant."""
    with monkeypatch.context() as patch:
        patch.setattr("registry_hooks.desk.transitions.pages_of", lambda evidence: ())
        patch.setattr("registry_hooks.desk.grounds.evidence.EvidenceRef", _of_before)
        world.ask(1)
    world.approve(1, "raj")
    run.path(DOCUMENT).write_bytes(run.another("fail"))
    with world.acting("mei"):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="yes"))
    assert "evidence-changed" in rules_of(error) and "reports" not in rules_of(error)


def test_pages_nominated_anew_make_the_proposal_void(world, run):
    world.ask(1)
    world.approve(1, "raj")
    run.path(PAGE).write_text("<p>All is well</p>")
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
    with world.acting("mei"):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="yes"))
    assert rules_of(error) == ["reports-changed"]


def test_a_key_revoked_after_the_approvals_closes_the_gate(world, run):
    world.ask(1)
    world.approve(1)
    with world.acting("admin"):
        (key,) = world.desk.keys()["keys"]
        world.desk.key_revoke(key["id"], "laptop lost")
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
    assert rules_of(error) == ["evidence-signature"] and "the revoked key build" in str(error)


@pytest.mark.parametrize("times", [1, 9])
def test_what_was_nominated_anew_while_it_was_read_is_read_again(world, run, monkeypatch, times):
    world.ask(1)
    world.approve(1)
    read, left = world.desk.cases.as_it_is, [times]

    def read_slowly(model, version):
        found = read(model, version)
        if left[0]:
            left[0] -= 1
            world.desk.nominate(model, version, comment=f"again, {left[0]}")
        return found

    monkeypatch.setattr(world.desk.cases, "as_it_is", read_slowly)
    with world.acting("ana"):
        if times == 1:
            assert world.desk.promote(MODEL, 1)["version"] == 1
            return
        with pytest.raises(Refused) as caught:
            world.desk.promote(MODEL, 1)
    assert rules_of(caught.value) == ["nomination-changed"] and left == [times - READINGS]


@pytest.fixture
def silence(monkeypatch):
    """Call it, and the artifact store answers no more."""
    over = threading.Event()

    def begin():
        monkeypatch.setattr(bound, "GIVEN_WITHIN", 0.2)
        monkeypatch.setattr(bound, "on_this_disk", lambda run_id: False)
        monkeypatch.setattr(presence, "LOOK", 0.2)
        for where in (bound, presence, case):
            for read in {"run_files", "missing_files", "manifest"} & vars(where).keys():
                monkeypatch.setattr(where, read, lambda *_: over.wait(30))

    yield begin
    over.set()


def test_an_artifact_store_that_does_not_answer_is_a_refusal_and_no_hang(world, run, silence):
    world.ask(1)
    world.approve(1, "raj")
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
    silence()
    begun = time.monotonic()
    for user, rule, call in (
        ("mei", "evidence-unreachable", lambda: world.desk.approve(MODEL, 1, comment="yes")),
        ("ana", "evidence-unreachable", lambda: world.desk.promote(MODEL, 1)),
        ("oncall", "files-unreachable", lambda: world.desk.break_glass(MODEL, 1, "fire")),  # Evidence is not asked for
    ):
        with world.acting(user):
            error = refused(Refused, world, call)
        assert "answer within 0.2 s" in told(error, rule)
    with world.acting("ana"):
        assert "evidence-unreachable" in {reason["rule"] for reason in world.desk.plan(MODEL, 1)["reasons"]}
        with pytest.raises(RegistryError, match="did not answer within"):
            world.desk.nominate(MODEL, 1)
    assert time.monotonic() - begun < patience(20)
