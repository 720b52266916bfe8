"""The desk of this server's registry store, for every part of the app that asks it."""

from __future__ import annotations

from registry_hooks.desk import Desk


def governed_desk() -> Desk:
    """The desk of the store that MLflow holds in this process; `startup` has seen to it that there is one."""
    from mlflow.server.handlers import _get_model_registry_store

    found: Desk = getattr(_get_model_registry_store(), "desk")  # noqa: B009 (MLflow's type does not know it)
    return found
