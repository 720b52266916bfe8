"""The JSON API over HTTP: who may ask, and what happens to a request that is not as it should be."""

import json

import pytest
from support.releasing import POLICY, govern, register, serve
from support.serving import ADMIN, API, Server

from registry_hooks.app.api.bodies import LARGEST_BODY
from registry_hooks.app.api.routes import ROUTES

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model(governed: Server) -> str:
    return govern(governed)


@pytest.mark.parametrize("prefix", [API, API.replace("/api/", "/ajax-api/")])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_nobody_gets_in_without_a_login(governed: Server, prefix: str, route: object) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        assert governed.ask(None, method, prefix + route.path).status_code == 401  # type: ignore[attr-defined]


def test_a_token_where_a_password_is_asked_for_is_401_and_not_500(governed: Server) -> None:
    answer = governed.ask(None, "GET", "status", headers={"Authorization": "Bearer abc"})
    assert answer.status_code == 401


def test_users_who_are_no_administrators_reach_every_route_although_mlflow_fails_closed(
    governed: Server, model: str
) -> None:
    # MLflow denies what it has no validator for with a bare "Permission denied"; a route of ours never answers so.
    for route in ROUTES:
        answer = governed.ask("guest", route.method, route.path, json={} if route.method == "POST" else None)
        assert answer.text != "Permission denied"


@pytest.mark.parametrize(
    ("body", "field", "found"),
    [
        ({}, "model", "nothing"),
        ({"model": None, "version": 1}, "model", "nothing"),
        ({"model": 3, "version": 1}, "model", "a number"),
        ({"model": "", "version": 1}, "model", "empty text"),
        ({"model": "m" * 257, "version": 1}, "model", "257 characters"),
        ({"model": "m\x00", "version": 1}, "model", "a NUL character"),
        ({"model": "m"}, "version", "nothing"),
        ({"model": "m", "version": True}, "version", "true or false"),
        ({"model": "m", "version": 1.0}, "version", "a number with a fraction"),
        ({"model": "m", "version": 0}, "version", "0"),
        ({"model": "m", "version": "-1"}, "version", "'-1'"),
        ({"model": "m", "version": "٣"}, "version", "'٣'"),
        ({"model": "m", "version": 2**31}, "version", "2147483648"),
        ({"model": "m", "version": [1]}, "version", "a list"),
        ({"model": "m", "version": {}}, "version", "an object"),
        ({"model": "m", "version": 1, "runs": "r"}, "runs", "text"),
        ({"model": "m", "version": 1, "runs": ["r", 1]}, "runs", "a number"),
        ({"model": "m", "version": 1, "coment": "x"}, "coment", "did you mean 'comment'?"),
        ({"model": "m", "version": 1, "comment": "x" * 4001}, "comment", "4001 characters"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_what_was_expected_and_found(
    governed: Server, body: dict[str, object], field: str, found: str
) -> None:
    answer = governed.ask("ana", "POST", "nominate", json=body)
    assert answer.status_code == 400
    told = answer.json()
    assert told["error_code"] == "INVALID_PARAMETER_VALUE"
    reason = next(each for each in told["reasons"] if each["rule"] == field)
    assert found in reason["found"] + reason["mend"] and reason["expected"] and reason["mend"]


def test_all_mistakes_are_told_at_once(governed: Server) -> None:
    told = governed.ask("ana", "POST", "promote", json={"modle": "m", "version": "x"}).json()
    assert [each["rule"] for each in told["reasons"]] == ["modle", "model", "version"]


@pytest.mark.parametrize(
    ("content", "headers", "told"),
    [
        (b"", JSON, "a JSON object"),
        (b"{", JSON, "a JSON object"),
        (b"[]", JSON, "found a list"),
        (b"null", JSON, "found null"),
        (b'{"model": "a", "model": "b"}', JSON, "given twice"),
        (b'{"model": NaN}', JSON, "NaN"),
        (b"[" * 100_000, JSON, "a JSON object"),
        (b'{"model": "\\ud800", "version": 1}', JSON, "surrogate"),
        (b'\xff{"model": "a"}', JSON, "a JSON object"),
        (b'{"model": "m", "version": 1}', {"Content-Type": "text/plain"}, "found text/plain"),
        (b'{"model": "m", "version": 1}', {}, "content-type"),
        (b" " * (LARGEST_BODY + 1), JSON, f"at most {LARGEST_BODY} bytes"),
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(
    governed: Server, content: bytes, headers: dict[str, str], told: str
) -> None:
    answer = governed.ask("ana", "POST", "promote", data=content, headers=headers)
    assert (answer.status_code, told in answer.json()["message"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "model"),
        ("model=m&version=x", "version"),
        ("model=m&version=1&versions=2", "versions"),
        ("model=a&model=b", "model"),
    ],
)
def test_a_query_is_held_to_the_same_rules(governed: Server, query: str, field: str) -> None:
    answer = governed.ask("ana", "GET", f"plan?{query}")
    assert answer.status_code == 400 and field in [each["rule"] for each in answer.json()["reasons"]]


def test_a_version_may_be_a_number_or_its_digits(governed: Server, model: str) -> None:
    version, _run = register(governed, model)
    for given in (version, str(version)):
        answer = governed.ask("ana", "POST", "nominate", json={"model": model, "version": given})
        assert answer.status_code == 200 and answer.json()["version"] == version


def test_errors_have_the_status_that_mlflow_gives_them(governed: Server, model: str) -> None:
    version, _run = register(governed, model)
    asked = {"model": model, "version": version}
    assert governed.ask("ana", "POST", "nominate", json={"model": "nobody", "version": 1}).status_code == 404
    assert governed.ask("guest", "POST", "nominate", json=asked).status_code == 403
    assert governed.ask("ana", "POST", "nominate", json=asked).status_code == 200
    assert governed.ask("ana", "POST", "request", json=asked).status_code == 200
    again = governed.ask("ana", "POST", "request", json=asked)
    assert (again.status_code, again.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_policy_is_applied_by_an_administrator_only(governed: Server, model: str) -> None:
    answer = governed.ask("raj", "POST", "policy/apply", json={"yaml": POLICY.format(name="x", model="y")})
    assert answer.status_code == 403 and answer.json()["reasons"][0]["found"] == "raj, who is not one"


def test_who_may_not_read_a_model_in_mlflow_learns_nothing_of_it(governed: Server) -> None:
    secret = govern(governed)
    serve(governed, secret)
    assert governed.ask("guest", "GET", f"history?model={secret}").status_code == 200
    what = {"username": "guest", "resource_type": "registered_model", "resource_id": secret}
    permissions = "/api/3.0/mlflow/users/permissions"
    assert governed.ask(ADMIN, "POST", f"{permissions}/grant", json={**what, "permission": "DENY"}).ok
    try:
        for path in (f"status?model={secret}", f"history?model={secret}", f"plan?model={secret}&version=1"):
            answer = governed.ask("guest", "GET", path)
            assert answer.status_code == 403 and answer.json()["reasons"][0]["rule"] == "mlflow-permission"
        listed = [each["model"] for each in governed.ask("guest", "GET", "status").json()["models"]]
        assert secret not in listed
        assert secret in [each["model"] for each in governed.ask("raj", "GET", "status").json()["models"]]
    finally:
        # Others read the whole log of this server as guest, who must be let read all of it again.
        revoked = governed.ask(ADMIN, "POST", f"{permissions}/revoke", json=what)
    assert revoked.ok, revoked.text


def test_the_audit_log_streams_as_one_entry_a_line(governed: Server, model: str) -> None:
    answer = governed.ask("guest", "GET", "audit/export")
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    entries = [json.loads(line["text"]) if "leaf_hash" in line else line for line in lines]  # some are redacted
    numbers = [entry["seq"] for entry in entries]
    assert numbers == list(range(1, len(numbers) + 1)) and numbers


def test_answers_are_not_cached_and_pages_reach_them_too(governed: Server) -> None:
    answer = governed.ask("guest", "GET", API.replace("/api/", "/ajax-api/") + "health")
    assert answer.json()["governed"] is True and answer.headers["Cache-Control"] == "no-store"
