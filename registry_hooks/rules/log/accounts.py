"""Accounts and MLflow roles: which of the auth store's methods change them, and the fold of what the ledger says.

An approval is worth as much as the account that it comes from. So whatever MLflow's auth store writes about users,
passwords, roles and permissions is written into the ledger first, with who did it. An entry says that a change was
asked for and let through. Where it then failed, a second entry takes it back; where the process ended in between, the
entry stands, and what it says counts as done. There may be an entry without a change, and never a change without one.

Two changes at once may be made in another order than they were written down. So what is taken away is not forgotten:
who gave a role, or made an account, stays known until somebody else gives it, or makes it anew. MLflow says who holds
what; who does not hold a role gains nothing by it.

``METHODS`` is one literal table of the auth store's public methods:

- ``read``: changes nothing; ``start``: opens the database.
- ``own``: MLflow itself gives the maker of a thing the permission to MANAGE it. Nobody's power over anything that was
  there changes by that, and it is not written down; given to somebody else it is a permission like any other.
- all others: the action that the entry tells.

A method that this table lacks stops the server at start, by name.
"""

from __future__ import annotations

from typing import Any, Literal

from registry_hooks.errors import RegistryError
from registry_hooks.records import Account, AccountAction, AccountsState, Before, Entry, Given
from registry_hooks.rules.pair import PairError

SCOPE = ":accounts"
"""The scope of such entries in the ledger; no registered model can have a name with a colon."""
KEPT = 32
"""How many of the newest changes can still be taken back; a failure is told at once."""
WORKSPACE = "default"
"""The one workspace whose roles count: others are refused at start."""

Effect = Literal["read", "start", "own"] | AccountAction

METHODS: dict[str, Effect] = {
    "init_db": "start",
    "authenticate_user": "read",
    "create_user": "user-created",
    "has_user": "read",
    "get_user": "read",
    "list_users": "read",
    "list_users_with_roles": "read",
    "update_user": "password-changed",
    "delete_user": "user-deleted",
    "grant_user_permission": "own",
    "grant_user_resource_permission": "permission-changed",
    "revoke_user_resource_permission": "permission-changed",
    "delete_grants_for_resource": "permission-changed",
    "rename_grants_for_resource": "permission-changed",
    "create_experiment_permission": "permission-changed",
    "get_experiment_permission": "read",
    "list_experiment_permissions": "read",
    "update_experiment_permission": "permission-changed",
    "delete_experiment_permission": "permission-changed",
    "delete_workspace_permissions_for_workspace": "permission-changed",
    "create_registered_model_permission": "permission-changed",
    "get_registered_model_permission": "read",
    "list_registered_model_permissions": "read",
    "list_all_registered_model_permissions": "read",
    "update_registered_model_permission": "permission-changed",
    "delete_registered_model_permission": "permission-changed",
    "list_workspace_permissions": "read",
    "list_user_workspace_permissions": "read",
    "set_workspace_permission": "permission-changed",
    "delete_workspace_permission": "permission-changed",
    "list_accessible_workspace_names": "read",
    "get_workspace_permission": "read",
    "get_role_workspace_permission": "read",
    "create_scorer_permission": "permission-changed",
    "get_scorer_permission": "read",
    "list_scorer_permissions": "read",
    "update_scorer_permission": "permission-changed",
    "delete_scorer_permission": "permission-changed",
    "create_gateway_secret_permission": "permission-changed",
    "get_gateway_secret_permission": "read",
    "list_gateway_secret_permissions": "read",
    "update_gateway_secret_permission": "permission-changed",
    "delete_gateway_secret_permission": "permission-changed",
    "create_gateway_endpoint_permission": "permission-changed",
    "get_gateway_endpoint_permission": "read",
    "list_gateway_endpoint_permissions": "read",
    "update_gateway_endpoint_permission": "permission-changed",
    "delete_gateway_endpoint_permission": "permission-changed",
    "create_gateway_model_definition_permission": "permission-changed",
    "get_gateway_model_definition_permission": "read",
    "list_gateway_model_definition_permissions": "read",
    "update_gateway_model_definition_permission": "permission-changed",
    "delete_gateway_model_definition_permission": "permission-changed",
    "create_mcp_server_permission": "permission-changed",
    "get_mcp_server_permission": "read",
    "list_mcp_server_permissions": "read",
    "update_mcp_server_permission": "permission-changed",
    "delete_mcp_server_permission": "permission-changed",
    "create_role": "role-created",
    "get_role": "read",
    "get_role_by_name": "read",
    "list_roles": "read",
    "update_role": "role-changed",
    "delete_role": "role-deleted",
    "delete_roles_for_workspace": "role-deleted",
    "add_role_permission": "permission-changed",
    "get_role_permission": "read",
    "remove_role_permission": "permission-changed",
    "list_role_permissions": "read",
    "update_role_permission": "permission-changed",
    "assign_role_to_user": "role-assigned",
    "unassign_role_from_user": "role-unassigned",
    "list_user_roles": "read",
    "list_user_roles_for_workspace": "read",
    "user_has_any_role_in_workspace": "read",
    "list_user_present_workspaces": "read",
    "list_role_users": "read",
    "get_role_permission_for_resource": "read",
    "is_workspace_admin": "read",
    "list_grants": "read",
    "list_role_grants_for_user_in_workspace": "read",
    "list_workspace_admin_workspaces": "read",
    "is_workspace_admin_of_any_of_users_workspaces": "read",
}

SOME_RELEASES_ONLY = frozenset({"list_grants"})
"""Methods of the table that not every release that setup.cfg admits has."""

WRITES = frozenset(name for name, kind in METHODS.items() if kind not in ("read", "start"))
"""The methods that are written into the ledger."""

ACTIONS = frozenset(
    {"user-created", "password-changed", "admin-changed", "user-deleted", "role-created", "role-changed",
     "role-deleted", "role-assigned", "role-unassigned", "permission-changed", "account-undone"}
)  # fmt: skip
"""The actions of such entries."""


def check_methods(store_class: type) -> None:
    """Hold the table against the auth store of this MLflow.

    Raises:
        RegistryError: naming every method that the table lacks, and every one of the table that is gone: what it did
            goes another way now, perhaps past the ledger.
    """
    names = {name for name in dir(store_class) if not name.startswith("_") and callable(getattr(store_class, name))}
    mend = "Use an MLflow that setup.cfg admits, or a newer registry-hooks"
    if unknown := sorted(names - set(METHODS)):
        told = ", ".join(unknown)
        raise RegistryError(f"this MLflow's auth store has methods that nobody has judged: {told}. {mend}")
    if gone := sorted(set(METHODS) - names - SOME_RELEASES_ONLY):
        raise RegistryError(f"this MLflow's auth store lacks methods that governance counts on: {gone}. {mend}")


def hands_of(state: AccountsState, name: str) -> frozenset[str]:
    """Everybody who can, or may, log in as the account: its owner, its maker, and whoever set its password."""
    account = state.accounts.get(name) or Account()
    return frozenset({name, *(hand for given in (account.created, account.password) if given for hand in given.hands)})


def fold_accounts(state: AccountsState, entry: Entry) -> AccountsState:
    """The state after one ledger entry about an account, a role or a permission.

    Raises:
        PairError: when the entry is none of these.
    """
    if entry.action not in ACTIONS:
        raise PairError(f"entry {entry.seq}: {entry.action} is no entry about accounts")
    if entry.action == "account-undone":
        return _undone(state, int(entry.body["of"]))
    if entry.body.get("workspace", WORKSPACE) != WORKSPACE:
        return state
    given = Given(by=entry.actor, hands=tuple(sorted(hands_of(state, entry.actor))), at=entry.at, seq=entry.seq)
    accounts, permitted = _changed(state, entry, given)
    if not accounts and not permitted:
        return state
    before = Before(
        seq=entry.seq,
        accounts={name: state.accounts.get(name) for name in accounts},
        permitted={role: state.permitted.get(role) for role in permitted},
    )
    return AccountsState(
        accounts=_with(state.accounts, accounts),
        permitted=_with(state.permitted, permitted),
        recent=(*state.recent, before)[-KEPT:],
    )


Accounts = dict[str, Account | None]
Permitted = dict[str, dict[str, Given] | None]


def _changed(state: AccountsState, entry: Entry, given: Given) -> tuple[Accounts, Permitted]:
    """The accounts and the roles' permissions that an entry changes, as they are afterwards; None for gone."""
    body = entry.body
    user, role = str(body.get("user")), body.get("role")
    held = state.accounts.get(user) or Account()
    accounts: Accounts = {}
    permitted: Permitted = {}
    match entry.action:
        case "user-created":
            accounts[user] = _created(held, given)
        case "password-changed" if user != entry.actor:
            # Who changes their own may have been given the old one: that does not make the account theirs alone.
            accounts[user] = held.model_copy(update={"password": given})
        case "user-deleted" if user in state.accounts:
            accounts[user] = held.model_copy(update={"removed": True})
        case "role-assigned":
            accounts[user] = held.model_copy(update={"roles": {**held.roles, str(role): given}})
        case "role-changed":
            accounts, permitted = _renamed(state, body, given)
        case "role-created":
            permitted[str(role)] = None
        case "permission-changed" if role is not None:
            permitted[role] = _permitted(state.permitted.get(role) or {}, body, given)
    return accounts, permitted


def _created(held: Account, given: Given) -> Account:
    if held.removed or (held.created is None and held.password is None):
        return held.model_copy(update={"created": given, "password": None, "removed": False})
    # It is there already, and the change will fail; if nobody lives to say so, it stays in both hands.
    earlier = [hand for each in (held.created, held.password) if each for hand in each.hands]
    return held.model_copy(
        update={"created": given.model_copy(update={"hands": tuple(sorted({*given.hands, *earlier}))})}
    )


def _renamed(state: AccountsState, body: dict[str, Any], given: Given) -> tuple[Accounts, Permitted]:
    role, name = body["role"], body.get("new_name")
    if name in (None, role):
        return {}, {}
    accounts: Accounts = {}
    held_it = (user for user, account in state.accounts.items() if role in account.roles)
    for user in dict.fromkeys([*(body.get("holders") or ()), *held_it]):
        held = state.accounts.get(user) or Account()
        accounts[user] = held.model_copy(update={"roles": {**held.roles, name: given}})
    return accounts, {name: state.permitted.get(role) or {}}


def _permitted(held: dict[str, Given], body: dict[str, Any], given: Given) -> dict[str, Given]:
    key = f"{body['resource_type']}:{body['resource']}"
    kept = {name: each for name, each in held.items() if name != key}
    return kept if body.get("permission") is None else {**kept, key: given}


def _with(held: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in {**held, **changed}.items() if each is not None}


def _undone(state: AccountsState, seq: int) -> AccountsState:
    before = next((each for each in state.recent if each.seq == seq), None)
    if before is None:
        return state
    since = [each for each in state.recent if each.seq > seq]  # what was done to it since stays
    accounts = {n: held for n, held in before.accounts.items() if not any(n in each.accounts for each in since)}
    permitted = {r: held for r, held in before.permitted.items() if not any(r in each.permitted for each in since)}
    return AccountsState(
        accounts=_with(state.accounts, accounts),
        permitted=_with(state.permitted, permitted),
        recent=tuple(each for each in state.recent if each.seq != seq),
    )
