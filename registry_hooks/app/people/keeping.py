"""Every write of MLflow's auth store, written into the ledger first: by whichever route, form or function it comes.

The methods are wrapped in the one store that all of MLflow's auth uses, as `registry_hooks.rules.log.accounts.METHODS`
lists them. No password is ever looked at here.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from types import ModuleType
from typing import Any

from registry_hooks.app.governed import governed_desk
from registry_hooks.errors import RegistryError
from registry_hooks.identity import SYSTEM, Actor, current_actor
from registry_hooks.records import AccountAction
from registry_hooks.rules.log.accounts import METHODS, WRITES
from registry_hooks.storage.retry import says_nothing

_LONGEST = 500  # characters of a name that is written down
_NOT_SAID = ("BAD_REQUEST",)  # how MLflow tells errors of its database, which say nothing about a commit

Arguments = Mapping[str, Any]
Body = dict[str, Any]

_writing: ContextVar[bool] = ContextVar("registry_hooks_writing_accounts", default=False)
_logger = logging.getLogger(__name__)


def keep_accounts(auth: ModuleType) -> None:
    """Wrap the writes of MLflow's auth store. Earlier writes, such as the first administrator, have no entry."""
    for name in sorted(WRITES):
        setattr(auth.store, name, _kept(auth.store, name, getattr(auth.store, name)))


def _kept(store: Any, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(method)

    @wraps(method)
    def write(*arguments: Any, **options: Any) -> Any:
        if _writing.get():  # one write that is made of others has one entry
            return method(*arguments, **options)
        given = signature.bind(*arguments, **options).arguments
        actor = current_actor() or SYSTEM  # a function that makes users as they log in, before anybody acts
        action, body = _told(store, name, given)
        token = _writing.set(True)
        try:
            if METHODS[name] == "own" and body.get("user") == actor.name:
                return method(*arguments, **options)
            body = {"call": name, **body}
            done = _written(actor, action, body, lambda: method(*arguments, **options))
            if (since := _since(store, name, given, body)) != body:
                _written(actor, action, since, lambda: None)
            return done
        finally:
            _writing.reset(token)

    return write


def _written(actor: Actor, action: AccountAction, body: Body, change: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    desk = governed_desk()
    try:
        entry = desk.keeping.account_change(actor, action, body)
    except RegistryError as error:
        raise MlflowException(str(error), error_code=getattr(databricks_pb2, error.code)) from error
    try:
        return change()
    except MlflowException as error:
        if not says_nothing(error) and error.error_code not in _NOT_SAID:
            _take_back(desk, actor, entry, str(error.error_code))
        raise


def _take_back(desk: Any, actor: Actor, entry: int, why: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        desk.keeping.account_undone(actor, entry, why)
    except (RegistryError, MlflowException) as error:  # then the entry stands, and counts as done
        _logger.warning("ledger entry %d was refused by MLflow, and that could not be written down: %s", entry, error)


def _told(store: Any, name: str, given: Arguments) -> tuple[AccountAction, Body]:
    kind = METHODS[name]
    action: AccountAction = "permission-changed" if kind in ("own", "read", "start") else kind  # type: ignore[assignment]
    if name == "update_user" and given.get("password") is None:
        action = "admin-changed"
    return action, {key: _text(value) for key, value in _BODIES.get(name, _permission)(store, given).items()}


def _user(store: Any, given: Arguments) -> Body:
    return {"user": _spelt(store, given.get("username")), "admin": given.get("is_admin")}


def _permission(store: Any, given: Arguments) -> Body:
    """Of somebody, on something: all arguments are names, and the permission."""
    named = {_NAMES.get(key, key): value for key, value in given.items() if key not in ("username", "workspace_scoped")}
    return {"user": _spelt(store, given.get("username")), **named}


def _new_role(_store: Any, given: Arguments) -> Body:
    return {"role": given.get("name"), "workspace": given.get("workspace")}


def _role(store: Any, given: Arguments) -> Body:
    # One that is not there now may be when the change is made, and would then have no name here: MLflow refuses it.
    role = store.get_role(given.get("role_id"))
    return {"role": role.name, "workspace": role.workspace}


def _changed_role(store: Any, given: Arguments) -> Body:
    new_name = given.get("name")
    return {**_role(store, given), "new_name": new_name, "holders": _holders(store, given) if new_name else None}


def _holders(store: Any, given: Arguments) -> list[str]:
    from mlflow.exceptions import MlflowException

    try:
        ids = {assignment.user_id for assignment in store.list_role_users(given.get("role_id"))}
    except MlflowException as error:
        if says_nothing(error):
            raise
        return []
    return [user.username for user in store.list_users() if user.id in ids]


def _roles_of_workspace(_store: Any, given: Arguments) -> Body:
    return {"role": None, "workspace": given.get("workspace_name")}


def _assigned(store: Any, given: Arguments) -> Body:
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    wanted = given.get("user_id")
    user = next((user.username for user in store.list_users() if user.id == wanted), None)
    if user is None:
        raise MlflowException(f"User with id={wanted} not found", databricks_pb2.RESOURCE_DOES_NOT_EXIST)
    return {"user": user, **_role(store, given)}


def _added(store: Any, given: Arguments) -> Body:
    what = {"resource_type": given.get("resource_type"), "resource": given.get("resource_pattern")}
    return {**_role(store, given), **what, "permission": given.get("permission")}


def _held(store: Any, given: Arguments) -> Body:
    row = store.get_role_permission(given.get("role_permission_id"))
    what = {"resource_type": row.resource_type, "resource": row.resource_pattern}
    return {**_role(store, {"role_id": row.role_id}), **what, "permission": given.get("permission")}


def _since(store: Any, name: str, given: Arguments, body: Body) -> Body:
    """The change as it was made. A role may have been renamed, or given, between the entry and the change."""
    from mlflow.exceptions import MlflowException

    if name == "update_role" and body.get("new_name"):
        return {**body, "holders": _text(_holders(store, given))}
    try:
        return {**body, **_assigned(store, given)} if name == "assign_role_to_user" else body
    except MlflowException:  # taken back since
        return body


_NAMES = {"resource_pattern": "resource", "old_pattern": "resource", "new_pattern": "new_resource"}
_BODIES: dict[str, Callable[[Any, Arguments], Body]] = {
    "create_user": _user,
    "update_user": _user,
    "delete_user": _user,
    "create_role": _new_role,
    "update_role": _changed_role,
    "delete_role": _role,
    "delete_roles_for_workspace": _roles_of_workspace,
    "assign_role_to_user": _assigned,
    "unassign_role_from_user": _assigned,
    "add_role_permission": _added,
    "remove_role_permission": _held,
    "update_role_permission": _held,
}


def _spelt(store: Any, username: Any) -> Any:
    """A user's name as it is stored: some databases find ``raj`` when asked for ``RAJ``."""
    from mlflow.exceptions import MlflowException

    try:
        return store.get_user(username).username
    except MlflowException as error:
        if says_nothing(error):
            raise
        return username


def _text(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [_text(item) for item in value]
    return str(value)[:_LONGEST].encode(errors="backslashreplace").decode()
