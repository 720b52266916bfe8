"""Whatever is done to users, passwords, roles and permissions is in the ledger, by whichever road it comes."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from support.serving import ADMIN, PASSWORDS, Server, clean_environment, start

from registry_hooks.errors import RegistryError
from registry_hooks.rules.log.accounts import METHODS, WRITES, check_methods

USERS, ROLES = "mlflow/users/", "mlflow/roles/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: what others do to accounts would be in its ledger too."""
    running = start(tmp_path_factory.mktemp("accounts"), "--workers", "1", "--auth-cache-seconds", "600")
    yield running
    running.process.stop()


def entries(server: Server) -> list[dict[str, Any]]:
    """The ledger's entries, as an auditor exports them."""
    answer = server.ask(ADMIN, "GET", "audit/export")
    assert answer.ok, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def newest(server: Server, call: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Actor, action and body of the entries that a call made."""
    before = len(entries(server))
    call()
    return [(entry["actor"], entry["action"], entry["body"]) for entry in entries(server)[before:]]


def call(server: Server, user: str, method: str, path: str, prefix: str = "api", **body: Any) -> dict[str, Any]:
    version = "2.0" if path.startswith(USERS) and "/permissions/" not in path else "3.0"
    answer = server.ask(user, method, f"/{prefix}/{version}/{path}", json=body)
    assert answer.ok, answer.text
    return answer.json() if answer.content else {}


@pytest.mark.parametrize("prefix", ["api", "ajax-api"])
def test_every_change_of_accounts_is_written_down_with_who_made_it(server: Server, prefix: str) -> None:
    name, role_name = f"eve-{prefix}", f"reviewers-{prefix}"

    def told(user: str, method: str, path: str, **body: Any) -> tuple[str, str, dict[str, Any]]:
        ((actor, action, said),) = newest(server, lambda: call(server, user, method, path, prefix, **body))
        return actor, action, said

    password = "eve-long-password"
    actor, action, body = told(ADMIN, "POST", f"{USERS}create", username=name, password=password)
    assert (actor, action, body["user"]) == (ADMIN, "user-created", name)
    role: dict[str, Any] = {}
    (entry,) = newest(
        server,
        lambda: role.update(
            call(server, ADMIN, "POST", f"{ROLES}create", prefix, name=role_name, workspace="default")["role"]
        ),
    )
    assert entry[:2] == (ADMIN, "role-created") and entry[2]["role"] == role_name
    one = {"role_id": role["id"], "username": name}
    steps = [
        ("PATCH", f"{USERS}update-password", {"username": name, "password": "another-" + password}, "password-changed"),
        ("PATCH", f"{USERS}update-admin", {"username": name, "is_admin": True}, "admin-changed"),
        ("POST", f"{ROLES}assign", one, "role-assigned"),
        ("PATCH", f"{ROLES}update", {"role_id": role["id"], "name": role_name + "-2"}, "role-changed"),
        ("DELETE", f"{ROLES}unassign", one, "role-unassigned"),
        ("DELETE", f"{ROLES}delete", {"role_id": role["id"]}, "role-deleted"),
        ("DELETE", f"{USERS}delete", {"username": name}, "user-deleted"),
    ]
    told_of = {action: told(ADMIN, verb, path, **sent) for verb, path, sent, action in steps}
    assert {action: (actor, said) for action, (actor, said, _) in told_of.items()} == {
        action: (ADMIN, action) for action in told_of
    }
    assert told_of["role-changed"][2]["holders"] == [name]
    assert told_of["role-unassigned"][2] | {"call": ""} == {
        "call": "", "user": name, "role": role_name + "-2", "workspace": "default",
    }  # fmt: skip
    assert password not in json.dumps(entries(server))


def test_permissions_are_written_down(server: Server) -> None:
    assert newest(server, lambda: server.mlflow("ana", "POST", "registered-models/create", name="hers")) == []
    grant = {"username": "raj", "resource_type": "registered_model", "resource_id": "hers", "permission": "EDIT"}
    path = f"{USERS}permissions/grant"
    ((actor, action, body),) = newest(server, lambda: call(server, "ana", "POST", path, **grant))
    assert (actor, action) == ("ana", "permission-changed")
    assert (body["user"], body["resource_type"], body["resource"], body["permission"]) == (
        "raj", "registered_model", "hers", "EDIT",
    )  # fmt: skip
    del grant["permission"]
    path = f"{USERS}permissions/revoke"
    ((actor, action, body),) = newest(server, lambda: call(server, "ana", "POST", path, **grant))
    assert (actor, action, body["user"]) == ("ana", "permission-changed", "raj")
    role = call(server, ADMIN, "POST", f"{ROLES}create", name="readers", workspace="default")["role"]["id"]
    added = {"role_id": role, "resource_type": "registered_model", "resource_pattern": "*", "permission": "READ"}
    row: dict[str, Any] = {}
    ((_, action, body),) = newest(
        server, lambda: row.update(call(server, ADMIN, "POST", f"{ROLES}permissions/add", **added)["role_permission"])
    )
    assert (action, body["role"], body["permission"]) == ("permission-changed", "readers", "READ")
    changed = {"role_permission_id": row["id"], "permission": "MANAGE"}
    ((_, _, body),) = newest(server, lambda: call(server, ADMIN, "PATCH", f"{ROLES}permissions/update", **changed))
    assert (body["role"], body["permission"]) == ("readers", "MANAGE")
    gone = {"role_permission_id": row["id"]}
    ((_, _, body),) = newest(server, lambda: call(server, ADMIN, "DELETE", f"{ROLES}permissions/remove", **gone))
    assert (body["role"], body["permission"], body["resource"]) == ("readers", None, "*")


def test_the_form_of_the_page_is_written_down_too(server: Server) -> None:
    with requests.Session() as browser:
        browser.auth = (ADMIN, PASSWORDS[ADMIN])
        page = browser.get(f"{server.uri}/signup", timeout=60)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text) or re.search(
            r'value="([^"]+)"[^>]*name="csrf_token"', page.text
        )
        assert token, page.text[:2000]
        form = {"username": "formed", "password": "formed-long-password", "csrf_token": token[1]}
        path = f"{server.uri}/api/2.0/mlflow/users/create-ui"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"{server.uri}/signup"}
        made = newest(server, lambda: browser.post(path, data=form, headers=headers, timeout=60))
    assert [(actor, action, body["user"]) for actor, action, body in made] == [(ADMIN, "user-created", "formed")]


def test_what_is_refused_is_taken_back_or_never_asked(server: Server) -> None:
    again = {"username": "raj", "password": "another-long-password"}
    made = newest(server, lambda: server.ask(ADMIN, "POST", "/api/2.0/mlflow/users/create", json=again))
    assert [(actor, action) for actor, action, _ in made] == [(ADMIN, "user-created"), (ADMIN, "account-undone")]
    assert newest(server, lambda: server.ask("ana", "POST", "/api/2.0/mlflow/users/create", json=again)) == []
    odd = {"username": "half-\ud800", "password": "another-long-password"}
    headers = {"Content-Type": "application/json"}
    server.ask(ADMIN, "POST", "/api/2.0/mlflow/users/create", data=json.dumps(odd), headers=headers)
    assert server.ask(ADMIN, "GET", "audit/verify").json()["ok"]


def test_what_names_no_role_or_user_is_not_asked_for(server: Server) -> None:
    """Or it might name one by the time it is done, of which the entry says nothing."""
    for verb, path, body in (
        ("POST", f"{ROLES}assign", {"username": "raj", "role_id": 4711}),
        ("POST", f"{ROLES}permissions/add", {"role_id": 4711, "resource_type": "experiment", "resource_pattern": "*",
                                             "permission": "READ"}),
        ("DELETE", f"{ROLES}permissions/remove", {"role_permission_id": 4711}),
    ):  # fmt: skip
        answers: list[int] = []
        url = f"/api/3.0/{path}"
        made = newest(server, lambda: answers.append(server.ask(ADMIN, verb, url, json=body).status_code))  # noqa: B023
        assert made == [] and answers == [404]


def test_a_role_that_is_renamed_while_it_is_given_is_told_by_both_names(server: Server) -> None:
    program = (
        "assign = auth.store.assign_role_to_user\n"
        "rename = auth.store.update_role\n"
        "def late(user_id, role_id):\n"
        "    rename(role_id, name='raced')\n"
        "    return assign(user_id, role_id)\n"
        "auth.store.assign_role_to_user = late\n"
        "keeping.keep_accounts(auth)\n"
        "role = auth.store.create_role(name='friends', workspace='default')\n"
        "auth.store.assign_role_to_user(auth.store.get_user('raj').id, role.id)\n"
    )
    before = len(entries(server))
    done = _beside(server, program)
    assert done.returncode == 0, done.stderr
    told = [(entry["action"], entry["body"].get("role")) for entry in entries(server)[before:]]
    assert told == [("role-created", "friends"), ("role-assigned", "friends"), ("role-assigned", "raced")]


def _beside(server: Server, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own that has the server's databases and has imported ``auth``, ``keeping``."""
    begin = (
        "import os, signal\n"
        "from mlflow.server import auth\n"
        "from registry_hooks.app.people import keeping\n"
        "auth.store.init_db(auth.auth_config.database_uri)\n"
    )
    env = clean_environment(
        server.directory,
        MLFLOW_AUTH_CONFIG_PATH=str(server.directory / "registry-hooks-state" / "auth.ini"),
        MLFLOW_FLASK_SERVER_SECRET_KEY="secret",
        _MLFLOW_SERVER_FILE_STORE="sqlite:///mlflow.db",
        _MLFLOW_SERVER_REGISTRY_STORE="governed:sqlite:///mlflow.db",
    )
    return subprocess.run(
        [sys.executable, "-c", begin + program], env=env, cwd=server.directory, timeout=120, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


def test_a_process_that_dies_in_between_leaves_the_entry_and_never_the_change_alone(server: Server) -> None:
    program = (
        "auth.store.create_user = lambda username, password, is_admin=False: os.kill(os.getpid(), signal.SIGKILL)\n"
        "keeping.keep_accounts(auth)\n"
        "auth.store.create_user('ghost', 'ghost-long-password')\n"
    )
    before = len(entries(server))
    done = _beside(server, program)
    assert done.returncode == -9
    (left,) = entries(server)[before:]
    assert (left["action"], left["body"]["user"], left["actor"]) == ("user-created", "ghost", "registry-hooks")
    with closing(sqlite3.connect(server.directory / "registry-hooks-state" / "auth.db")) as logins:
        assert logins.execute("SELECT count(*) FROM users WHERE username = 'ghost'").fetchone() == (0,)
    assert server.ask(ADMIN, "GET", "audit/verify").json()["ok"]


def test_a_method_that_nobody_has_judged_stops_the_start() -> None:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    check_methods(SqlAlchemyStore)

    class Newer(SqlAlchemyStore):
        def merge_users(self) -> None: ...

    with pytest.raises(RegistryError, match="merge_users"):
        check_methods(Newer)
    older = type("Older", (), {name: lambda self: None for name in METHODS if name != "delete_user"})
    with pytest.raises(RegistryError, match="delete_user"):
        check_methods(older)


def test_every_write_of_the_auth_store_is_in_the_table_as_one() -> None:
    """What opens a session to write is no read: told by MLflow's own source."""
    import inspect

    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    for name, kind in METHODS.items():
        method = getattr(SqlAlchemyStore, name, None)
        if method is not None and kind == "read":
            source = inspect.getsource(method)
            assert "read_only=False" not in source and "_delete_per_" not in source, name
            assert "_create_per_" not in source and "_update_per_" not in source, name
    assert "create_user" in WRITES and "authenticate_user" not in WRITES
