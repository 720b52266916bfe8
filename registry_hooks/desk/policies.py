"""Policies come into force here, and models come under them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from registry_hooks.desk.adopting import Adoption, adoption
from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, refuse_if, require_admin
from registry_hooks.desk.grounds.visible import shown_policies
from registry_hooks.errors import Conflict, Invalid, NotFound
from registry_hooks.identity import Actor, current_actor, current_sight
from registry_hooks.records import Entry
from registry_hooks.rules.governing.adopting import Adopt
from registry_hooks.rules.governing.applying import clash, unprovable
from registry_hooks.rules.policy import Policy, governing
from registry_hooks.rules.policy_file import load_policy, policy_digest
from registry_hooks.rules.telling.tags import all_tags
from registry_hooks.storage.ledger import AppliedPolicy, Ledger
from registry_hooks.storage.log.rows import StoredLog
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.places import rests_of
from registry_hooks.storage.retry import again_if_undone


@dataclass(frozen=True)
class Policies:
    """Check, apply and show policies."""

    cases: Cases

    def policy_check(self, yaml: str) -> Answer:
        """Read a policy and put nothing in force; what is wrong with it is raised as ``Invalid``."""
        policy = load_policy(yaml)
        _refuse_unprovable(policy, current_actor())
        return {"name": policy.name, "models": list(policy.models), "digest": policy_digest(yaml), "problems": [],
                "warnings": list(policy.warnings)}  # fmt: skip

    @again_if_undone
    def policy_apply(self, yaml: str, adopt: Adopt | None = None) -> Answer:
        """Put a policy in force, as the next version of its name, and take its models under it as they are.

        Applying the same text again changes nothing, except that a model whose roles were changed past the server is
        taken under policy again as it is now, with a ledger entry that says so. ``entry`` is the first one written,
        or None; ``adopted`` has the roles with which models came under it, ``let_go`` those that no policy governs now.

        A model whose aliases and stages disagree is refused, unless ``adopt`` says which of the two counts.
        """
        actor = require_admin("policies are applied")
        policy = load_policy(yaml)
        _refuse_unprovable(policy, actor)
        with self.cases.unit_of_work(write=True) as session:
            ledger, registry = Ledger(session), Registry(session)
            ledger.lock_policies()
            registry.lock_all()
            in_force = ledger.policies()
            if reasons := clash(policy, (applied.policy for applied in in_force)):
                raise Conflict(f"policy {policy.name!r} is not applied: other policies have its models", reasons)
            old = next((applied for applied in in_force if applied.policy.name == policy.name), None)
            version = old.version if old and old.text == yaml else (old.version if old else 0) + 1
            answer = {"name": policy.name, "version": version, "digest": policy_digest(yaml)}
            rest = [(each.policy, each.policy.name) for each in in_force if each.policy.name != policy.name]
            before = [*rest, (old.policy, old.policy.name)] if old else rest
            under = _models_under(policy, rest, registry)
            adoptions = self._adoptions(ledger, registry, under, before, adopt)
            let_go = _let_go(policy, rest, before, registry)
            written: list[Entry] = []
            if version != (old.version if old else 0):
                now = self.cases.clock()
                body = {**answer, "models": list(policy.models), "text": yaml}
                written.append(ledger.append("policy-applied", actor, now, model=None, version=None, body=body))
                ledger.save_policy(policy, yaml, version, actor, now)
            written += [self._adopt(ledger, registry, actor, adoption) for adoption in adoptions]
            for model in let_go:
                registry.put_tags(model, {}, anew=True)
            taken = [{"model": each.model, "pair": ledger.state(each.model).pair.as_json()} for each in adoptions]
            return {**answer, "entry": written[0].seq if written else None, "adopted": taken, "let_go": let_go,
                    "warnings": list(policy.warnings)}  # fmt: skip

    def policy_show(self, model: str | None = None, name: str | None = None) -> Answer:
        """The policies in force; those of one name, or the one that governs a model.

        The caller sees those that govern models which they may READ, and of these no other models.
        """
        with self.cases.unit_of_work(write=False) as session:
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

    def policy_history(self, name: str) -> Answer:
        """Every version of a policy that was put in force and of which the caller is shown any, newest first."""
        with self.cases.unit_of_work(write=False) as session:
            applied = StoredLog(session).of_action("policy-applied")
            # Those of this name alone: a text of another release need not be one that this one reads.
            every = [_as_applied(e) for row in applied if (e := json.loads(row.entry))["body"]["name"] == name]
            registry, sight = Registry(session), current_sight()
            shown = [found for each in every for found in shown_policies([each], registry, sight).values()]
        if not shown:
            raise NotFound(f"there is no policy {name[:80]!r}; registry-hooks policy show lists them")
        return {"name": name, "versions": shown[::-1]}

    def _adoptions(
        self,
        ledger: Ledger,
        registry: Registry,
        models: list[str],
        before: list[tuple[Policy, str]],
        adopt: Adopt | None,
    ) -> list[Adoption]:
        """What is to be adopted; why any of it cannot be is told of all models at once."""
        now, adoptions, reasons = self.cases.clock(), [], []
        for model in models:
            fresh = governing(model, before) is None
            found, against = adoption(ledger, registry, model, fresh=fresh, now=now, adopt=adopt)
            adoptions += [found] if found is not None else []
            reasons += against
        refuse_if("the policy is not applied: models cannot come under it as they are", reasons)
        return adoptions

    def _adopt(self, ledger: Ledger, registry: Registry, actor: Actor, adopted: Adoption) -> Entry:
        now, model = self.cases.clock(), adopted.model
        registered = registry.exists(model)
        entry = ledger.append("adopted", actor, now, model=model, version=None, body=adopted.body(registered))
        if registered:
            after = ledger.state(model)
            registry.put_pair(model, after.pair, int(now.timestamp() * 1000))
            registry.put_tags(model, all_tags(after), anew=True)
            for version in {*after.champions, *([after.pair.challenger] if after.pair.challenger else ())}:
                ledger.rests.note(rests_of(registry.version(model, version)))
        return entry


def _as_applied(entry: dict[str, Any]) -> AppliedPolicy:
    body, text = entry["body"], str(entry["body"]["text"])
    return AppliedPolicy(load_policy(text), text, int(body["version"]), str(entry["actor"]), str(entry["at"]))


def _models_under(policy: Policy, others: list[tuple[Policy, str]], registry: Registry) -> list[str]:
    """The models that ``policy`` will govern: those it names, and those there that its patterns match, no prompts."""
    for name in policy.names:
        if registry.passes_for_prompt(name):
            raise Invalid(f"{name!r} is a prompt; policies govern models. Take it out of the policy's models")
    every = [(policy, policy.name), *others]
    there = registry.models() if policy.patterns else ()
    return sorted({*policy.names, *(model for model in there if governing(model, every) == policy.name)})


def _refuse_unprovable(policy: Policy, actor: Actor | None) -> None:
    if reasons := unprovable(policy, actor):
        raise Invalid(f"policy {policy.name!r} asks for what nobody on this server can give", reasons)


def _let_go(
    policy: Policy, others: list[tuple[Policy, str]], before: list[tuple[Policy, str]], registry: Registry
) -> list[str]:
    """The models that are governed now and will not be, once ``policy`` is in force."""
    after = [(policy, policy.name), *others]
    there = registry.models() if any(each.patterns for each, _ in before) else ()
    known = {*there, *(name for each, _ in before for name in each.names)}
    return sorted(m for m in known if governing(m, before) is not None and governing(m, after) is None)
