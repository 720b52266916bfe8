"""Which policies a caller is shown, and how much of each: only what is about models that they may READ."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from registry_hooks.desk.answers import Answer
from registry_hooks.identity import Sight
from registry_hooks.rules.policy import governing, is_pattern, matches
from registry_hooks.storage.ledger import AppliedPolicy
from registry_hooks.storage.mlflow_rows import Registry

_LEFT_OUT = "# Models that you may not read are left out.\n"


def shown_policies(policies: Iterable[AppliedPolicy], registry: Registry, sight: Sight) -> dict[str, Answer]:
    """Policies as the caller may see them, by name; those that govern nothing they may READ are left out.

    A policy that governs other models too is shown with its roles and rules, and without those models.
    """
    every = list(policies)
    shown = ((applied.policy.name, _shown(applied, every, registry, sight)) for applied in every)
    return {name: answer for name, answer in shown if answer is not None}


def _shown(applied: AppliedPolicy, every: list[AppliedPolicy], registry: Registry, sight: Sight) -> Answer | None:
    policy = applied.policy
    names = [name for name in (*policy.models, *policy.exempt) if not is_pattern(name)]
    by_pattern = any(map(is_pattern, (*policy.models, *policy.exempt)))
    if all(sight.model(name) for name in names) and (not by_pattern or sight.model("*")):
        return _policy_json(applied, list(policy.models), applied.text)
    readable = [name for name in policy.names if sight.model(name)]
    if policy.patterns:
        ranked = [(each.policy, each) for each in every]
        readable += [m for m in registry.models() if governing(m, ranked) is applied and sight.model(m)]
    if not readable:
        return None
    models = [each for each in policy.models if any(matches(each, name) for name in readable)]
    document = yaml.safe_load(applied.text)
    document["models"] = models
    if "exempt" in document:
        document["exempt"] = [each for each in policy.exempt if not is_pattern(each) and sight.model(each)]
    return _policy_json(applied, models, _LEFT_OUT + yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _policy_json(applied: AppliedPolicy, models: list[str], text: str) -> Answer:
    return {
        "name": applied.policy.name,
        "version": applied.version,
        "digest": applied.digest,
        "yaml": text,
        "applied_by": applied.applied_by,
        "applied_at": applied.applied_at,
        "models": models,
    }
