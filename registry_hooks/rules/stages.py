"""The stages of MLflow that stand for roles: what they hold follows from the pair, and from nothing else."""

from __future__ import annotations

from registry_hooks.records import Pair, Role

STAGE_OF: dict[Role, str] = {"champion": "Production", "challenger": "Staging"}


def staged(pair: Pair) -> dict[str, list[int]]:
    """The versions that each stage of a role holds where the roles are those of ``pair``."""
    held = {stage: getattr(pair, role) for role, stage in STAGE_OF.items()}
    return {stage: [] if version is None else [version] for stage, version in held.items()}
