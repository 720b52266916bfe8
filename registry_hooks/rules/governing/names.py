"""Names that are a governed model's, or a role's, to a database that does not tell all letters apart.

MLflow on MySQL finds ``churn`` when asked for ``CHURN``. What is allowed to an ungoverned ``CHURN`` would be seen by
all who ask for the governed ``churn``, now or when it is registered.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from registry_hooks.errors import Reason
from registry_hooks.records import ROLES
from registry_hooks.rules.policy import Policy, governing

# Letters that no decomposition takes apart, and that the collations of MySQL and MariaDB hold for others.
_LIKE_OTHERS = str.maketrans({"ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "ı": "i",
                              "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "þ": "th", "Þ": "th"})  # fmt: skip
_EXPECTED = "a name that the database takes for no governed model"


def is_role(alias: str) -> bool:
    """Whether an alias is the name of a role, in any letter case: some databases compare without it."""
    return alias.strip().casefold() in ROLES


def misspelt_role(alias: str) -> list[Reason]:
    """Why an alias may not be given: it is a role's name in other letters, or may be to the database."""
    if alias in ROLES:
        return []
    expected = "a role's name as it is written, or a name that is like none"
    if is_role(alias):
        fix = f"write {alias.strip().casefold()!r}, or choose another name"
        return [Reason("alias", expected, f"{alias!r}, which reads as a role", fix)]
    found = f"{alias!r}, which may be a role's name to this database: it may compare without accents"
    return [Reason("alias", expected, found, "choose another name")]


def passes_for_named(model: str, policies: Sequence[Policy], governed: str | None = None) -> list[Reason]:
    """Why a name is refused: it passes for a model that a policy names, or for ``governed``, and is not that one.

    ``governed`` is the governed model that the database finds under the name, where it finds one.
    """
    meant = {name for policy in policies for name in policy.names if _loosely(name) == _loosely(model)}
    meant |= {governed} if governed is not None else set()
    if not meant or model in meant:
        return []
    found = f"{model!r}, which may be {min(meant)!r} to this database"
    return [Reason("name", _EXPECTED, found, f"write {min(meant)!r}")]


def passes_for_matched(model: str, policies: Sequence[Policy]) -> list[Reason]:
    """Why a name is refused: a policy's pattern would match it in other letters, and no policy governs it as it is."""
    governor = governing(_loosely(model), ((_loosened(policy), policy) for policy in policies))
    if governor is None or governing(model, ((policy, policy) for policy in policies)) is not None:
        return []
    models = ", ".join(governor.models[:5])
    found = (
        f"{model!r}, which may be one that policy {governor.name!r} governs ({models}) to this database: "
        "it sees no letter case"
    )
    return [Reason("name", _EXPECTED, found, "write it as the policy does, or choose another name")]


def _loosely(name: str) -> str:
    """A name without what a database's collation may not see: letter case, accents, spaces at the end."""
    apart = unicodedata.normalize("NFKD", name.translate(_LIKE_OTHERS))
    plain = "".join(letter for letter in apart if unicodedata.category(letter) not in ("Mn", "Me", "Cf", "Cc"))
    return plain.strip().casefold()


def _loosened(policy: Policy) -> Policy:
    names = {part: tuple(map(_loosely, getattr(policy, part))) for part in ("models", "exempt")}
    return policy.model_copy(update=names)
