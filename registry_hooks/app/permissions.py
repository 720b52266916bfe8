"""MLflow's own answer to whether somebody may read a registered model."""

from __future__ import annotations


def can_read(username: str, model: str) -> bool:
    """Whether MLflow's auth gives ``username`` READ on ``model``; ``*`` asks for every registered model."""
    from mlflow.server import auth
    from mlflow.server.auth.requirements import Requirement

    wanted = Requirement("registered_model", model, "read")
    return bool(auth.authorize(username, ("registered_model", model), [wanted]))
