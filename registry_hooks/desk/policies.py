"""Policies come into force here, and models come under them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from registry_hooks.answers import Answer
from registry_hooks.desk.case import CLOCK_TOLERANCE, BaseDesk, require_admin
from registry_hooks.desk.visible import shown_policies
from registry_hooks.errors import Conflict, Invalid, NotFound, Reason
from registry_hooks.identity import Actor, current_actor, current_sight
from registry_hooks.ledger import AppliedPolicy, Ledger
from registry_hooks.mlflow_rows import Registry
from registry_hooks.places import rests_of
from registry_hooks.policy import Policy, governing
from registry_hooks.policy_file import load_policy, policy_digest
from registry_hooks.records import Entry, ModelState, Pair


class Policies(BaseDesk):
    """Check, apply and show policies."""

    def policy_check(self, yaml: str) -> Answer:
        """Read a policy and put nothing in force; what is wrong with it is raised as ``Invalid``."""
        policy = load_policy(yaml)
        _refuse_unprovable(policy, current_actor())
        return {"name": policy.name, "models": list(policy.models), "digest": policy_digest(yaml), "problems": []}

    def policy_apply(self, yaml: str) -> Answer:
        """Put a policy in force, as the next version of its name, and take its models under it as they are.

        Applying the same text again changes nothing, except that a model whose roles were changed past the server is
        taken under policy again as it is now, with a ledger entry that says so. ``entry`` is the first one written,
        or None.
        """
        actor = require_admin("policies are applied")
        policy = load_policy(yaml)
        _refuse_unprovable(policy, actor)
        with self._unit_of_work(write=True) as session:
            ledger, registry = Ledger(session), Registry(session)
            ledger.lock_policies()
            registry.lock_all()
            in_force = ledger.policies()
            _refuse_clash(policy, in_force)
            old = next((applied for applied in in_force if applied.policy.name == policy.name), None)
            version = old.version if old and old.text == yaml else (old.version if old else 0) + 1
            answer = {"name": policy.name, "version": version, "digest": policy_digest(yaml)}
            rest = [(each.policy, each.policy.name) for each in in_force if each.policy.name != policy.name]
            before = [*rest, (old.policy, old.policy.name)] if old else rest
            adoptions = [
                _adoption(ledger, registry, model, governing(model, before) is None, self._clock())
                for model in _models_under(policy, rest, registry)
            ]
            written: list[Entry] = []
            if version != (old.version if old else 0):
                now = self._clock()
                body = {**answer, "models": list(policy.models), "text": yaml}
                written.append(ledger.append("policy-applied", actor, now, model=None, version=None, body=body))
                ledger.save_policy(policy, yaml, version, actor, now)
            written += [self._adopt(ledger, registry, actor, adoption) for adoption in adoptions if adoption]
            return {**answer, "entry": written[0].seq if written else None}

    def policy_show(self, model: str | None = None, name: str | None = None) -> Answer:
        """The policies in force; those of one name, or the one that governs a model.

        The caller sees those that govern models which they may READ, and of these no other models.
        """
        with self._unit_of_work(write=False) as session:
            ledger = Ledger(session)
            of_model = ledger.policy_for(model) if model else None
            shown = shown_policies(ledger.policies(), Registry(session), current_sight())
        found = [
            answer
            for each, answer in shown.items()
            if name in (None, each) and (not model or (of_model is not None and each == of_model.policy.name))
        ]
        if not found and (model or name):
            raise NotFound(f"no policy governs {model!r}" if model else f"there is no policy {name!r}")
        return {"policies": found}

    def _adopt(self, ledger: Ledger, registry: Registry, actor: Actor, adoption: dict[str, Any]) -> Entry:
        now = self._clock()
        model, pair = adoption["model"], adoption["pair"]
        registered = registry.exists(model)
        body = {"pair": pair.as_json(), "fresh": adoption["fresh"], "registered": registered}
        if adoption["gone"]:
            body["gone"] = adoption["gone"]
        entry = ledger.append("adopted", actor, now, model=model, version=None, body=body)
        if registered:
            after = ledger.state(model)
            registry.put_pair(model, after.pair, int(now.timestamp() * 1000))
            for version in {*after.champions, *([after.pair.challenger] if after.pair.challenger else ())}:
                ledger.rests.note(rests_of(registry.version(model, version)))
        return entry


def _models_under(policy: Policy, others: list[tuple[Policy, str]], registry: Registry) -> list[str]:
    """The models that ``policy`` will govern: those it names, and those there that its patterns match, no prompts."""
    for name in policy.names:
        if registry.passes_for_prompt(name):
            raise Invalid(f"{name!r} is a prompt; policies govern models. Take it out of the policy's models")
    every = [(policy, policy.name), *others]
    there = registry.models() if policy.patterns else ()
    return sorted({*policy.names, *(model for model in there if governing(model, every) == policy.name)})


def _refuse_unprovable(policy: Policy, actor: Actor | None) -> None:
    """Refuse ``reauthenticate`` where logins are not MLflow's passwords: nobody could ever sign."""
    if policy.promote.reauthenticate and actor is not None and not actor.by_password:
        mend = "take reauthenticate out of the policy, or use MLflow's own logins (authorization_function)"
        reason = Reason("re-authentication", "logins by MLflow's own passwords, which a signature can prove once more",
                        f"logins by {actor.authenticated_by}", mend)  # fmt: skip
        raise Invalid(f"policy {policy.name!r} asks for what nobody on this server can give", [reason])


def _refuse_clash(policy: Policy, in_force: list[AppliedPolicy]) -> None:
    for applied in in_force:
        both = sorted(set(applied.policy.models) & set(policy.models))
        if applied.policy.name != policy.name and both:
            raise Conflict(
                f"{', '.join(both)} is governed by policy {applied.policy.name!r} already; a model has one policy. "
                "Take it out of the other policy first"
            )


def _adoption(ledger: Ledger, registry: Registry, model: str, fresh: bool, now: datetime) -> dict[str, Any] | None:
    """What must be adopted of a model, or None where the ledger and the registry agree and no time lies ahead."""
    state = ledger.state(model)
    if not registry.exists(model):
        known = state != ModelState(model=model)
        return {"model": model, "pair": Pair(), "fresh": True, "gone": []} if known else None
    pair = _pair_as_it_is(registry, model)
    ahead = state.last_at is not None and state.last_at - now > CLOCK_TOLERANCE
    as_recorded = pair == state.pair and registry.agrees(model, pair) and not ahead
    nothing_yet = pair == Pair() and state == ModelState(model=model)
    if as_recorded and (nothing_yet or not fresh):
        return None
    # Versions that the ledger knows as champions, and that were deleted past the server.
    gone = sorted(set(state.champions) - set(registry.versions(model)))
    return {"model": model, "pair": pair, "fresh": fresh, "gone": gone}


def _pair_as_it_is(registry: Registry, model: str) -> Pair:
    if misspelt := registry.misspelt(model):
        raise Invalid(
            f"{model!r} has the alias {misspelt[0]!r}, which this database takes for a role's; delete that alias, then "
            "apply the policy again"
        )
    aliases, stages = registry.pair(model), registry.stages(model)
    champion = aliases.champion or _only(stages["Production"], "Production", model)
    challenger = aliases.challenger or _only(stages["Staging"], "Staging", model)
    return Pair(
        champion=champion,
        challenger=None if challenger == champion else challenger,
        fallback=None if aliases.fallback == champion or champion is None else aliases.fallback,
    )


def _only(versions: list[int], stage: str, model: str) -> int | None:
    if len(versions) > 1:
        raise Invalid(
            f"{model!r} has versions {versions} in stage {stage} and no alias says which one counts; leave one "
            f"(or set the alias {'champion' if stage == 'Production' else 'challenger'}); then apply the policy again"
        )
    return versions[0] if versions else None
