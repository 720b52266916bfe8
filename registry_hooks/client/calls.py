"""One method for each use case of a governed server, under the same name as the desk's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from registry_hooks.client import answers, models, proofs, proposals, targets
from registry_hooks.client.http import Http
from registry_hooks.client.logins import Login, read_login, server_address

Adopt = Literal["alias", "stage"]
Verify = Literal["parallel", "now", "later"]
Files = Literal["digests", "copies"]
Field = Literal["comment", "meaning", "reason", "finding", "why"]


class Client:
    """A governed server, as one user sees it.

    Each method makes one HTTP request, and never a second one: what was not answered may have been done. Answers are
    JSON objects, whose types stand in `registry_hooks.client.answers`.

    Args:
        uri: the server's address; by default that of ``MLFLOW_TRACKING_URI``.
        username: who asks, with ``password``. Without these and without ``token`` the login is that of MLflow's own
            client: ``MLFLOW_TRACKING_USERNAME`` and ``_PASSWORD``, ``MLFLOW_TRACKING_TOKEN``, or the file
            ``~/.mlflow/credentials``.
        password: of that user.
        token: sent as a bearer token instead.
        timeout: seconds to wait for an answer.

    Raises (every method):
        Refused: the rules or MLflow's permissions say no; ``reasons`` has all of them.
        Invalid: the request is not understood; here also when there is no server address.
        NotFound: there is no such model, version, Proposal, policy, key or delegation.
        Conflict: such a thing is there already, or something else changed it meanwhile.
        Unauthenticated: the server did not accept the login.
        Busy: others have asked for what takes long.
        NoAnswer: nothing that can be relied on came back.
    """

    def __init__(
        self,
        uri: str | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        timeout: float = 60,
    ) -> None:
        login = Login(username, password, token) if username or token else read_login()
        self._http = Http(server_address(uri), login, timeout)

    def policy_check(self, yaml: str) -> answers.PolicyChecked:
        """Have a policy read without putting it in force; what is wrong with it is raised as `Invalid`."""
        return self._http.post(answers.PolicyChecked, "policy/check", yaml=yaml)

    def policy_apply(self, yaml: str, adopt: Adopt | None = None) -> answers.PolicyApplied:
        """Put a policy in force, as an administrator; its models come under it with the roles that they have.

        ``adopt`` says which of the two counts for models whose aliases and stages disagree; without it these are
        refused.
        """
        return self._http.post(answers.PolicyApplied, "policy/apply", yaml=yaml, adopt=adopt)

    def policy_show(self, model: str | None = None, name: str | None = None) -> answers.Policies:
        """The policies in force; the one that governs ``model``, or that has a ``name``."""
        return self._http.get(answers.Policies, "policy", model=model, name=name)

    def policy_history(self, name: str) -> models.PolicyHistory:
        """Every version of a policy that was put in force, newest first."""
        return self._http.get(models.PolicyHistory, "policy/history", name=name)

    def baseline(self, model: str, version: int, address: str, reason: str) -> models.BaselineNamed:
        """Name the baseline of a version, or another in its place: the folder of a run, as ``freeze`` answers it."""
        given = {"model": model, "version": version, "address": address, "reason": reason}
        return self._http.post(models.BaselineNamed, "baseline", **given)

    def nominate(
        self, model: str, version: int, runs: Sequence[str] = (), comment: str | None = None
    ) -> answers.Nominated:
        """Make a version the challenger, on the Evidence in ``runs`` and in the run that made the version."""
        given: Any = runs if isinstance(runs, str) else list(runs) or None
        return self._http.post(answers.Nominated, "nominate", model=model, version=version, runs=given, comment=comment)

    def plan(self, model: str, version: int) -> answers.Plan:
        """What a promotion of the version by the caller would meet now; nothing is changed."""
        return self._http.get(answers.Plan, "plan", model=model, version=version)

    def request(self, model: str, version: int, comment: str | None = None) -> answers.ProposalAnswer:
        """Ask for approval of the challenger as champion."""
        return self._http.post(answers.ProposalAnswer, "request", model=model, version=version, comment=comment)

    def approve(
        self,
        model: str,
        version: int | None = None,
        *,
        comment: str,
        proposal: str | None = None,
        meaning: str | None = None,
        digest: str | None = None,
        for_whom: str | None = None,
        password: str | None = None,
    ) -> answers.ProposalAnswer:
        """Say yes to a Proposal.

        Args:
            model: its model.
            version: its version, where ``proposal`` is not given.
            comment: what was looked at.
            proposal: its id, where several are open.
            meaning: what the yes means; by default that the Evidence was reviewed.
            digest: of the Proposal that was read; another one is refused.
            for_whom: who lent the role, where several did.
            password: once more, as some policies demand.
        """
        return self._sign(
            "approve", model=model, version=version, comment=comment, proposal=proposal, meaning=meaning,
            digest=digest, for_whom=for_whom, password=password,
        )  # fmt: skip

    def reject(
        self,
        model: str,
        version: int | None = None,
        *,
        comment: str,
        proposal: str | None = None,
        meaning: str | None = None,
        digest: str | None = None,
        for_whom: str | None = None,
        password: str | None = None,
    ) -> answers.ProposalAnswer:
        """Say no to a Proposal, which ends it. The arguments are those of `approve`; ``comment`` says why not."""
        return self._sign(
            "reject", model=model, version=version, comment=comment, proposal=proposal, meaning=meaning,
            digest=digest, for_whom=for_whom, password=password,
        )  # fmt: skip

    def _sign(self, verb: Literal["approve", "reject"], **signature: object) -> answers.ProposalAnswer:
        return self._http.post(answers.ProposalAnswer, verb, **signature)

    def withdraw(
        self, model: str, version: int | None = None, *, comment: str, proposal: str | None = None
    ) -> answers.Withdrawn | answers.ProposalAnswer:
        """Take back the caller's own: as requester the Proposal, as approver the signature given to it.

        The answer has the member ``withdrawn`` where it was the Proposal.
        """
        return self._http.post(
            answers.Withdrawn, "withdraw", model=model, version=version, comment=comment, proposal=proposal
        )

    def promote(self, model: str, version: int) -> answers.Promoted:
        """Make the challenger the champion, on an approved Proposal that still holds."""
        return self._http.post(answers.Promoted, "promote", model=model, version=version)

    def rollback(
        self,
        model: str,
        reason: str,
        *,
        to: int | None = None,
        expected: int | None = None,
        verify: Verify | None = None,
    ) -> answers.RolledBack:
        """Return to the champion before, at once.

        Args:
            model: its name.
            reason: why; it goes into the audit log.
            to: a version that was champion before; by default the fallback.
            expected: only if this version is champion.
            verify: when the version's files are held against its nomination: ``parallel`` to the work without waiting
                for long (the default), ``now`` before anything else, or only ``later``.
        """
        return self._http.post(
            answers.RolledBack, "rollback", model=model, reason=reason, to=to, expected=expected, verify=verify
        )

    def break_glass(self, model: str, version: int, reason: str) -> answers.BrokeGlass:
        """Make a version the champion past Evidence and approvals, in an emergency."""
        return self._http.post(answers.BrokeGlass, "break-glass", model=model, version=version, reason=reason)

    def review_close(self, model: str, review: str, finding: str) -> answers.ReviewClosed:
        """Close a review that a rollback or a break-glass promotion left, with what was found."""
        return self._http.post(answers.ReviewClosed, "review/close", model=model, review=review, finding=finding)

    def inbox(self) -> answers.InboxAnswer:
        """What waits for the caller: for a signature, as an answer, as a review; and what changed in the last day."""
        return self._http.get(answers.InboxAnswer, "inbox")

    def proposal(self, model: str, version: int | None = None, proposal: str | None = None) -> proposals.ProposalShown:
        """A Proposal with all that it rests on: what would change, what its Evidence says, and what the caller may."""
        return self._http.get(proposals.ProposalShown, "proposal", model=model, version=version, proposal=proposal)

    def status(self, model: str | None = None) -> answers.Status:
        """Who serves: the pair, Proposals and reviews, of one model or of every governed one."""
        return self._http.get(answers.Status, "status", model=model)

    def model(self, model: str, to: int | None = None) -> models.ModelAnswer:
        """One model as a whole: who served when and why, its versions, and what a rollback by the caller would do.

        Args:
            model: its name.
            to: the version that would serve then; by default the fallback.
        """
        return self._http.get(models.ModelAnswer, "model", model=model, to=to)

    def history(self, model: str, limit: int | None = None, at: datetime | str | None = None) -> answers.History:
        """The newest ledger entries of a model, 100 by default; with ``at`` those until then, and how it stood."""
        moment = at.isoformat() if isinstance(at, datetime) else at
        return self._http.get(answers.History, "history", model=model, limit=limit, at=moment)

    def lineage(self, model: str, version: int) -> answers.Lineage:
        """A version's record: its training data and metrics, its nominations, and when it served."""
        return self._http.get(answers.Lineage, "lineage", model=model, version=version)

    def reconcile(self, model: str) -> answers.Reconciled:
        """Hold a model's roles, stages, files and Evidence against the ledger; reads every file of its versions."""
        return self._http.post(answers.Reconciled, "reconcile", model=model)

    def key_trust(self, name: str, public: str) -> answers.KeyChanged:
        """Trust a public key, in PEM, under a name that policies ask for; as an administrator."""
        return self._http.post(answers.KeyChanged, "key/trust", name=name, public=public)

    def key_revoke(self, key: str, reason: str) -> answers.KeyChanged:
        """End the trust in a key, by its id, in all that it ever signed; as an administrator."""
        return self._http.post(answers.KeyChanged, "key/revoke", key=key, reason=reason)

    def keys(self) -> answers.Keys:
        """Every key that is or ever was trusted."""
        return self._http.get(answers.Keys, "key")

    def delegate(self, policy: str, role: str, to: str, lasts: str, reason: str) -> answers.DelegationChanged:
        """Lend the caller's own seat in a role to somebody, from now and for so long: ``12h``, ``7d``, ``2w``."""
        return self._http.post(
            answers.DelegationChanged, "delegate", policy=policy, role=role, to=to, lasts=lasts, reason=reason
        )

    def delegation_end(self, delegation: str) -> answers.DelegationChanged:
        """Take a seat back before its time."""
        return self._http.post(answers.DelegationChanged, "delegate/end", delegation=delegation)

    def delegations(self) -> answers.Delegations:
        """The delegations in force that the caller is shown."""
        return self._http.get(answers.Delegations, "delegate")

    def notify_add(
        self,
        name: str,
        kind: str,
        address: str | None = None,
        events: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
    ) -> targets.TargetAdded:
        """Have changes told to a target from now on, as an administrator; its secret is in this answer alone.

        Args:
            name: what to call it by.
            kind: ``webhook``, ``apprise`` or ``stdout``.
            address: of the receiver; of standard output, none.
            events: which to tell; by default all.
            models: names and patterns; by default all.
        """
        chosen = {"events": list(events) if events else None, "models": list(models) if models else None}
        return self._http.post(targets.TargetAdded, "notify/add", name=name, kind=kind, address=address, **chosen)

    def notify_list(self) -> targets.Targets:
        """Whom changes are told to, how far each has heard, and why not further; for administrators."""
        return self._http.get(targets.Targets, "notify")

    def notify_test(self, name: str) -> targets.TargetTested:
        """Send a target a message that says it is a test; for administrators."""
        return self._http.post(targets.TargetTested, "notify/test", name=name)

    def notify_remove(self, name: str) -> targets.TargetRemoved:
        """Tell a target no more, and forget what waits for it; for administrators."""
        return self._http.post(targets.TargetRemoved, "notify/remove", name=name)

    def audit_verify(self) -> answers.Verified:
        """Have the server recompute the audit log; ``problems`` names what does not add up."""
        return self._http.get(answers.Verified, "audit/verify")

    def audit_search(
        self,
        model: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> models.EntriesFound:
        """Entries of the audit log, newest first: about a model, by an actor, of an action, within a time."""
        asked = {"model": model, "actor": actor, "action": action, "since": since, "until": until}
        return self._http.get(models.EntriesFound, "audit/search", **asked, before=before, limit=limit)

    def audit_checkpoint(self) -> proofs.CheckpointAnswer:
        """The audit log's head as a signed checkpoint; unsigned where the server cannot sign, with why."""
        return self._http.get(proofs.CheckpointAnswer, "audit/checkpoint")

    def audit_cosign(self, note: str) -> proofs.CheckpointAnswer:
        """Hand in a checkpoint that witnesses have cosigned; the signatures of configured ones are kept with it."""
        return self._http.post(proofs.CheckpointAnswer, "audit/cosign", note=note)

    def audit_prove(self, seq: int, size: int | None = None) -> proofs.Proven:
        """The proof that an entry, counted from 1, is in the audit log of ``size`` entries, by default of all."""
        return self._http.get(proofs.Proven, "audit/prove", seq=seq, size=size)

    def audit_consistency(self, old: int, new: int | None = None) -> proofs.Grown:
        """The proof that the audit log of ``new`` entries, by default of all, has grown from that of ``old``."""
        return self._http.get(proofs.Grown, "audit/consistency", old=old, new=new)

    def audit_leaves(self, after: int | None = None, until: int | None = None) -> Iterator[bytes]:
        """The audit log's entries behind a number, up to another, in chunks of bytes: a line is hash, space, entry."""
        return self._http.streamed("audit/leaves", after=after, until=until)

    def audit_keys(self) -> proofs.LogKeys:
        """The keys that the audit log's checkpoints are signed with, oldest first."""
        return self._http.get(proofs.LogKeys, "audit/key")

    def audit_key_rotate(self, reason: str) -> proofs.LogKeyChanged:
        """Have checkpoints signed by the key that the server's file holds now; administrators only."""
        return self._http.post(proofs.LogKeyChanged, "audit/key", reason=reason)

    def audit_export(self) -> Iterator[bytes]:
        """The audit log in chunks of bytes, one entry a line as canonical JSON; asked for when the first is taken."""
        return self._http.streamed("audit/export")

    def dossier(
        self, model: str, version: int, *, as_of: datetime | str | None = None, files: Files | None = None
    ) -> Iterator[bytes]:
        """Everything about one version as a zip file, in chunks of bytes; asked for when the first is taken.

        Args:
            model: its name.
            version: its number.
            as_of: what was decided later is left out.
            files: ``copies`` puts the version's own files in; by default their digests are.
        """
        until = as_of.isoformat() if isinstance(as_of, datetime) else as_of
        return self._http.streamed("audit/dossier", model=model, version=version, as_of=until, files=files)

    def redact(self, seq: int, field: Field, reason: str) -> answers.Redacted:
        """Take a text that somebody wrote out of an entry of the audit log, and of all that repeats it; as an admin."""
        return self._http.post(answers.Redacted, "audit/redact", seq=seq, field=field, reason=reason)

    def purge_plan(self, before: datetime | str) -> answers.PurgePlan:
        """What `purge` would take out of the audit log; as an administrator."""
        until = before.isoformat() if isinstance(before, datetime) else before
        return self._http.get(answers.PurgePlan, "audit/purge", before=until)

    def purge(self, before: datetime | str, reason: str) -> answers.Purged:
        """Take the bodies of old entries out of the audit log, which still verifies; as an administrator."""
        until = before.isoformat() if isinstance(before, datetime) else before
        return self._http.post(answers.Purged, "audit/purge", before=until, reason=reason)

    def health(self) -> answers.Health:
        """Which version the server runs; an answer means that its registry is governed."""
        return self._http.get(answers.Health, "health")

    def openapi(self) -> dict[str, Any]:
        """The server's JSON API as an OpenAPI 3.1 document."""
        return self._http.get(dict[str, Any], "openapi.json")
