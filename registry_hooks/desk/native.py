"""What plain MLflow calls mean for a governed model.

``set_registered_model_alias(m, "champion", v)`` and ``transition_model_version_stage(m, v, "Production")`` ask for a
promotion (or for a rollback, when v is the fallback) and are decided as one. What would leave a role dangling, or move
one in a way that no use case has, is refused with the command to use instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from registry_hooks.desk.emergency import Emergency
from registry_hooks.desk.grounds.case import Cases, governing_policy, refuse_if
from registry_hooks.desk.transitions import Transitions
from registry_hooks.errors import Invalid, Reason, Refused
from registry_hooks.identity import require_actor
from registry_hooks.rules.governing.calls import governed, no_direct_change, own_tag
from registry_hooks.rules.governing.names import misspelt_role, passes_for_matched, passes_for_named
from registry_hooks.rules.pair import may_delete
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry

VIA = "mlflow"


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

    def refuse_own_tag(self, model: str, key: str) -> None:
        """Refuse to set or remove a tag that the desk keeps on a governed model."""
        if self.governs(model):
            require_actor()
            raise Refused(f"tag {key[:80]!r} of {model!r} cannot be changed directly", [own_tag(key[:80])])

    def refuse_prompt_named(self, name: str) -> None:
        """Refuse a prompt the name that a policy gives to a model; a pattern governs models alone."""
        with self.cases.unit_of_work(write=False) as session:
            applied = Ledger(session).policy_for(name)
        if applied is not None and name in applied.policy.models:
            raise _governed(name, "making a prompt of this name")

    def refuse_lookalike(self, model: str, *, new: bool = False, patterns: bool = True) -> None:
        """Refuse a name that the database may take for a governed model's, though it is spelt differently.

        With ``new`` the name is one that a model would take. Else ``patterns`` are asked only about models that are
        there, since they govern no prompts.
        """
        with self.cases.unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), Registry(session)
            policies = [applied.policy for applied in ledger.policies()]
            there = registry.spelt(model)
            held = there not in (None, model) and governing_policy(ledger, registry, str(there)) is not None
            _refuse_name(model, passes_for_named(model, policies, there if held else None))
            if not patterns or (not new and (there is None or registry.is_prompt(there))):
                return
        _refuse_name(model, passes_for_matched(model, policies))

    def refuse_misspelt(self, alias: str) -> None:
        """Refuse an alias that is a role's name in other letters, or may be to the database."""
        if reasons := misspelt_role(alias):
            raise Invalid(f"the alias {alias!r} is refused", reasons)


def _refuse_name(model: str, reasons: list[Reason]) -> None:
    if reasons:
        raise Invalid(f"the name {model!r} is refused", reasons)


def _governed(model: str, what: str) -> Refused:
    require_actor()
    return Refused(f"{what} is refused: {model!r} is governed", [governed(model)])


def _no_such_way(model: str, what: str, why: str) -> Refused:
    require_actor()
    return Refused(f"{what} of {model} cannot be changed directly", [no_direct_change(model, what, why)])
