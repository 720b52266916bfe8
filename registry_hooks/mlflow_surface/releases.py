"""What differs between the MLflow releases that setup.cfg admits, 3.15 to 3.17: all of it stands here.

A difference is told by what the release has, not by its number. MLflow's auth reads its configuration when it is
imported, so nothing of it is imported before a function is called.
"""

from __future__ import annotations

import os
import secrets
from functools import cache
from typing import Any

from registry_hooks.errors import Invalid

PASSWORD_VARIABLE = "MLFLOW_AUTH_ADMIN_PASSWORD"
LEGACY_PASSWORD = "password1234"  # shipped by MLflow for years, and known to everybody
_NOBODYS = "nobody-has-this-password-"


class UserSight:
    """What MLflow's auth lets a user READ, asked of MLflow's own rules; each answer is remembered for one request."""

    def __init__(self, username: str) -> None:
        self._username = username
        self.model, self.run, self._gate = cache(self._model), cache(self._run), cache(self._gate_of_models)

    def _model(self, name: str) -> bool:
        """READ on a registered model and, where a release can deny those, on its versions; ``*`` asks for all."""
        from mlflow.server import auth

        if not hasattr(auth, "retention_gate"):  # before 3.17
            return self._granted("registered_model", name)
        gate = self._gate()
        return bool(gate.retains("registered_model", name) and gate.retains("registered_model_version"))

    def _gate_of_models(self) -> Any:
        """The user's grants on models, by one query, however many are asked about."""
        from mlflow.server import auth
        from mlflow.server.auth.requirements import ACTION_NOT_DENIED, Requirement

        wanted = [
            Requirement("registered_model", "*", "read"),
            Requirement("registered_model_version", "*", ACTION_NOT_DENIED),
        ]
        return auth.retention_gate(self._username, ("registered_model", "*"), wanted)

    def _run(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException
        from mlflow.server import auth

        from registry_hooks.storage.retry import says_nothing

        try:
            return bool(auth._graphql_can_read_run(run_id, self._username))
        except MlflowException as error:
            if says_nothing(error):
                raise
            return False

    def logged_model(self, model_id: str) -> bool:
        """READ on the experiment of a logged model."""
        from mlflow.exceptions import MlflowException
        from mlflow.server import auth
        from mlflow.server.handlers import _get_tracking_store

        from registry_hooks.storage.retry import says_nothing

        try:
            experiment = _get_tracking_store().get_logged_model(model_id).experiment_id
        except MlflowException as error:
            if says_nothing(error):
                raise
            return False
        return bool(auth._get_experiment_permission(experiment, self._username).can_read)

    def everything(self) -> bool:
        """READ on all models and all experiments, and no grant of less for any of them."""
        from mlflow.server import auth
        from mlflow.server.auth.permissions import get_permission
        from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

        kinds = ("registered_model", "experiment")
        if not self.model("*") or not all(self._granted(kind, "*") for kind in kinds):
            return False
        user = auth.store.get_user(self._username)
        held = auth.store.list_user_roles_for_workspace(user.id, DEFAULT_WORKSPACE_NAME)
        return all(get_permission(grant.permission).can_read for role in held for grant in role.permissions)

    def _granted(self, kind: str, resource: str) -> bool:
        from mlflow.server import auth

        granted = auth._role_permission_for_known_workspace(self._username, kind, resource, None)
        return bool(auth._get_role_permission_or_default(granted).can_read)


def asks_about_all_that_is_named() -> bool:
    """Whether MLflow's auth asks about the logged models that a request names beside its run: from 3.17."""
    from mlflow.server import auth

    return hasattr(auth, "authorize")


def may_update(username: str, kind: str, identifier: str) -> bool:
    """Whether MLflow's auth before 3.17 lets ``username`` change a ``run`` or a ``logged model``; none that is gone."""
    from mlflow.exceptions import MlflowException
    from mlflow.server import auth
    from mlflow.server.handlers import _get_tracking_store

    from registry_hooks.storage.retry import says_nothing

    store = _get_tracking_store()
    try:
        experiment = store.get_run(identifier).info if kind == "run" else store.get_logged_model(identifier)
    except MlflowException as error:
        if says_nothing(error):
            raise
        return False
    return bool(auth._get_experiment_permission(experiment.experiment_id, username).can_update)


def version_number(version: Any) -> int:
    """The number of a model version as MLflow's clients name it; 3.15 checks it and returns nothing.

    Raises:
        MlflowException: when it is no number.
    """
    from mlflow.utils.validation import _validate_model_version

    _validate_model_version(version)
    return int(version)


def demanded_settings() -> dict[str, str]:
    """Settings without which MLflow does not read its auth configuration.

    3.15 wants the first administrator's password in the file. It gets one that is never used: when 3.15 looks for that
    user, `create_first_administrator` has made it.
    """
    return {} if _knows_the_variable() else {"admin_password": _NOBODYS + secrets.token_urlsafe(32)}


def create_first_administrator(auth: Any) -> str | None:
    """Create the configured administrator where there is none; returns the password where one had to be made up.

    Args:
        auth: the module ``mlflow.server.auth``, with its store initialised.

    Raises:
        MlflowException, Invalid: when the configured password is too short, or is the one that MLflow used to ship.
    """
    name, password = auth.auth_config.admin_username, _configured_password(auth)
    made_up = None
    if name and password is None and not _has_user(auth, name):
        password = made_up = secrets.token_urlsafe(18)
    if not _knows_the_variable():
        _refuse_weak_password(auth, name, password)
    auth.create_admin_user(name, password)
    # Workers do not need it, and a process's environment is easy to read.
    os.environ.pop(PASSWORD_VARIABLE, None)
    # How MLflow, from 3.16, tells its workers that it is done. In 3.15 each looks, and finds the user.
    os.environ["_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED"] = "true"
    return made_up


def password_hash(password: str) -> str:
    """What MLflow's auth keeps of a password."""
    from mlflow.server.auth import sqlalchemy_store

    return str(getattr(sqlalchemy_store, "generate_password_hash")(password))  # noqa: B009 (as MLflow's store does)


def _knows_the_variable() -> bool:
    from mlflow import environment_variables

    return hasattr(environment_variables, PASSWORD_VARIABLE)  # from 3.16


def _configured_password(auth: Any) -> str | None:
    configured: str | None = auth.auth_config.admin_password
    if _knows_the_variable():
        return configured
    unset = configured is None or configured.startswith(_NOBODYS)
    return os.environ.get(PASSWORD_VARIABLE) or (None if unset else configured)


def _has_user(auth: Any, name: str) -> bool:
    if not _knows_the_variable():
        return bool(auth.store.has_user(name))
    return bool(auth.store.has_user(name, use_primary=True))  # a replica may not have heard of it yet


def _refuse_weak_password(auth: Any, name: str, password: str | None) -> None:
    """What MLflow does by itself from 3.16."""
    if _has_user(auth, name):
        if auth.store.authenticate_user(name, LEGACY_PASSWORD):
            raise Invalid(
                f"administrator {name!r} has the password that MLflow used to ship, which everybody knows; "
                "change it with MLflow's own server first, or use a newer MLflow"
            )
    elif password is None or len(password) < 12 or password == LEGACY_PASSWORD:
        raise Invalid(
            f"administrator {name!r} needs a password of at least 12 characters, and not the one that MLflow used to "
            f"ship; set {PASSWORD_VARIABLE}"
        )
