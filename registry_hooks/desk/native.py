"""What plain MLflow calls mean for a governed model.

``set_registered_model_alias(m, "champion", v)`` and ``transition_model_version_stage(m, v, "Production")`` ask for a
promotion (or for a rollback, when v is the fallback) and are decided as one. What would leave a role dangling, or move
one in a way that no use case has, is refused with the command to use instead.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from registry_hooks.desk.emergency import Emergency
from registry_hooks.desk.grounds.case import Cases, governing_policy, refuse_if
from registry_hooks.desk.transitions import Transitions
from registry_hooks.errors import Invalid, Reason, Refused
from registry_hooks.identity import require_actor
from registry_hooks.records import ROLES
from registry_hooks.rules.pair import may_delete
from registry_hooks.rules.policy import Policy, governing
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry

VIA = "mlflow"
# Letters that no decomposition takes apart, and that the collations of MySQL and MariaDB hold for others.
_LIKE_OTHERS = str.maketrans({"ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "ı": "i",
                              "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "þ": "th", "Þ": "th"})  # fmt: skip


def is_role(alias: str) -> bool:
    """Whether an alias is the name of a role, in any letter case: some databases compare without it."""
    return alias.strip().casefold() in ROLES


def _loosely(name: str) -> str:
    """A name without what a database's collation may not see: letter case, accents, spaces at the end."""
    apart = unicodedata.normalize("NFKD", name.translate(_LIKE_OTHERS))
    plain = "".join(letter for letter in apart if unicodedata.category(letter) not in ("Mn", "Me", "Cf", "Cc"))
    return plain.strip().casefold()


def _loosened(policy: Policy) -> Policy:
    names = {part: tuple(map(_loosely, getattr(policy, part))) for part in ("models", "exempt")}
    return policy.model_copy(update=names)


@dataclass(frozen=True)
class Native:
    """Gates for MLflow's own calls."""

    cases: Cases
    transitions: Transitions
    emergency: Emergency

    def governs(self, model: str) -> bool:
        """Whether a policy governs the model."""
        with self.cases.unit_of_work(write=False) as session:
            return governing_policy(Ledger(session), Registry(session), model) is not None

    @contextmanager
    def plainly(self, model: str, *, though_prompt: bool = False, becoming: str | None = None) -> Iterator[None]:
        """A unit of work for a plain call on a model that no policy governs, nor can before the call is done.

        With ``though_prompt`` no policy's pattern may match the name either, which does not govern prompts. Nor may one
        govern the name that the model is ``becoming``.
        """
        with self.cases.unit_of_work(write=True) as session:
            ledger, registry = Ledger(session), Registry(session)
            ledger.lock_policies(shared=True)
            registry.lock(model, missing_ok=True)
            for name in (model, becoming or model):
                if governing_policy(ledger, registry, name) is not None:
                    raise Refused(f"{name!r} came under a policy just now; ask again")
            if though_prompt and ledger.policy_for(model) is not None:
                raise _governed(model, "what makes a model of a prompt")
            yield

    def alias(self, model: str, alias: str, version: int) -> None:
        """``set_registered_model_alias`` with a role's name."""
        if alias == "champion":
            self.champion(model, version)
        elif alias == "challenger":
            self.transitions.nominate(model, version, via=VIA)
        else:
            raise _no_such_way(model, f"alias {alias!r}", "fallback follows from promotions and rollbacks")

    def alias_removal(self, model: str, alias: str) -> None:
        """``delete_registered_model_alias`` with a role's name."""
        raise _no_such_way(model, f"alias {alias!r}", "a role is never taken away, only given to another version")

    @contextmanager
    def misspelt_removal(self, model: str, alias: str) -> Iterator[None]:
        """A unit of work in which an alias may be removed that only looks like a role's name."""
        with self.cases.case(model, write=True) as case:
            if alias not in case.registry.lookalikes(model):
                self.alias_removal(model, alias)
            yield

    def champion(self, model: str, version: int) -> None:
        """Promotion asked for through MLflow, or rollback when the version is the fallback."""
        with self.cases.case(model, write=False) as case:
            pair = case.state.pair
            case.registry.version(model, version)
        if version == pair.champion:
            return
        if version == pair.fallback:
            # Named: when the roles move before the lock is taken, it must not go back once more, to another version.
            self.emergency.rollback(model, "asked for through MLflow, which takes no reason", to=version, via=VIA)
        else:
            self.transitions.promote(model, version, via=VIA)

    @contextmanager
    def unstage(self, model: str, version: int) -> Iterator[None]:
        """A unit of work in which a version may change between stages that stand for no role."""
        with self.cases.case(model, write=True) as case:
            case.registry.version(model, version)
            if version in (case.state.pair.champion, case.state.pair.challenger):
                raise _no_such_way(model, f"the stage of version {version}", "its stage follows from its role")
            yield

    @contextmanager
    def registration(self, model: str) -> Iterator[list[int]]:
        """A unit of work in which a version is made; append its number to the list, and its author is recorded."""
        made: list[int] = []
        with self.cases.case(model, write=True) as case:
            yield made
            for version in made:
                row = case.registry.version(model, version)
                case.record("registered", version, {"run_id": row.run_id, "location": row.location})

    @contextmanager
    def deletion(self, model: str, version: int) -> Iterator[None]:
        """A unit of work in which a version that is in no role may be deleted."""
        with self.cases.case(model, write=True) as case:
            refuse_if(f"version {version} of {model} cannot be deleted", may_delete(case.state, version))
            case.registry.version(model, version)
            case.record("deleted", version, {})
            yield

    def refuse_governed(self, model: str, what: str) -> None:
        """Refuse ``what`` for a governed model."""
        if self.governs(model):
            raise _governed(model, what)

    def refuse_prompt_named(self, name: str) -> None:
        """Refuse a prompt the name that a policy gives to a model; a pattern governs models alone."""
        with self.cases.unit_of_work(write=False) as session:
            applied = Ledger(session).policy_for(name)
        if applied is not None and name in applied.policy.models:
            raise _governed(name, "making a prompt of this name")

    def refuse_lookalike(self, model: str, *, new: bool = False, patterns: bool = True) -> None:
        """Refuse a name that the database may take for a governed model's, though it is spelt differently.

        MLflow on MySQL finds ``churn`` when asked for ``CHURN``: what is allowed to an ungoverned ``CHURN`` would be
        seen by all who ask for the governed ``churn``, now or when it is registered. With ``new`` the name is one that
        a model would take; ``patterns`` are else asked only about models that are there, since they govern no prompts.
        """
        with self.cases.unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), Registry(session)
            policies = [applied.policy for applied in ledger.policies()]
            meant = {name for policy in policies for name in policy.names if _loosely(name) == _loosely(model)}
            there = registry.spelt(model)
            if there not in (None, model) and governing_policy(ledger, registry, there) is not None:
                meant.add(there)
            if meant and model not in meant:
                governed = min(meant)
                raise Invalid(
                    f"the model {model!r} may be {governed!r} to this database, which is governed; write it so"
                )
            if not patterns or (not new and (there is None or registry.is_prompt(there))):
                return
        loosely = governing(_loosely(model), ((_loosened(policy), policy) for policy in policies))
        if loosely is not None and governing(model, ((policy, policy) for policy in policies)) is None:
            meant_by = ", ".join(loosely.models[:5])
            raise Invalid(
                f"the model {model!r} may be one that policy {loosely.name!r} governs ({meant_by}) to this database, "
                "which sees no letter case; write it as the policy does, or choose another name"
            )

    def refuse_misspelt(self, alias: str) -> None:
        """Refuse an alias that is a role's name in other letters, or may be to the database."""
        if alias not in ROLES:
            said = f"reads as a role; write {alias.strip().casefold()!r}, or" if is_role(alias) else (
                "may be a role's name to this database, which may compare without accents;"
            )  # fmt: skip
            raise Invalid(f"alias {alias!r} {said} choose another name")


def _governed(model: str, what: str) -> Refused:
    require_actor()
    mend = "an admin takes it out of the policy first (registry-hooks policy apply)"
    reason = Reason("policy", "a model that no policy names", f"{model!r} is named by one", mend)
    return Refused(f"{what} is refused: {model!r} is governed", [reason])


def _no_such_way(model: str, what: str, why: str) -> Refused:
    require_actor()
    commands = f"registry-hooks nominate, promote or rollback {model}"
    reason = Reason("role", "a nomination, promotion or rollback", f"a direct change of {what}; {why}", commands)
    return Refused(f"{what} of {model} cannot be changed directly", [reason])
