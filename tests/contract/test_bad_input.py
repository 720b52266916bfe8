"""Input that is too much, too deep, no text, or code in another language: a clear 4xx at once, or kept as it is."""

from __future__ import annotations

import json
import time

import pytest
from support.probes.pace import patience
from support.releasing import POLICY, go, govern, register
from support.serving import ADMIN, Server

from registry_hooks.app.api.bodies import LARGEST_BODY

JSON = {"Content-Type": "application/json"}
MEGABYTE = 1024 * 1024
HOSTILE = (
    "'; DROP TABLE registry_hooks_ledger; --\n\" OR 1=1 /* %s %(x)s {0} {{7*7}} ${jndi:ldap://x} "
    "<script>alert(1)</script><img src=x onerror=alert(1)> \x1b[2J\x1b]0;owned\x07 \u202e\u200b \U0001f642 \\u0041 end"
)
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "a body over the limit": (b'{"model": "' + b"m" * LARGEST_BODY + b'"}', JSON),
    "a body of 8 MB": (b" " * (8 * MEGABYTE), JSON),
    "a model's name of 1 MB": (json.dumps({"model": "m" * MEGABYTE, "version": 1}).encode(), JSON),
    "a field's name of 400 kB": (json.dumps({"f" * 400_000: 1}).encode(), JSON),
    "ten thousand unknown fields": (json.dumps({f"field{n}": n for n in range(10_000)}).encode(), JSON),
    "lists without end": (b"[" * 200_000, JSON),
    "objects without end": (b'{"a":' * 80_000, JSON),
    "a deep value of a field": (b'{"model":' + b"[" * 900 + b"]" * 900 + b',"version":1}', JSON),
    "bytes that are no UTF-8": (b'{"model": "\xff\xfe", "version": 1}', JSON),
    "UTF-16": ('{"model": "m"}'.encode("utf-16"), JSON),
    "a lone surrogate": (b'{"model": "\\ud800", "version": 1}', JSON),
    "a surrogate in a field's name": (b'{"\\udfff": 1}', JSON),
    "NUL in the model's name": (b'{"model": "a\\u0000b", "version": 1}', JSON),
    "a whole number of 5,000 digits": (b'{"model": "m", "version": ' + b"9" * 5000 + b"}", JSON),
    "a whole number of 400,000 digits": (b'{"model": "m", "version": ' + b"9" * 400_000 + b"}", JSON),
    "a number over what a version is": (b'{"model": "m", "version": 2147483648}', JSON),
    "a number with an exponent": (b'{"model": "m", "version": 1e400}', JSON),
    "Infinity": (b'{"model": "m", "version": Infinity}', JSON),
    "one field twice": (b'{"model": "a", "version": 1, "model": "b"}', JSON),
    "one field twice, once escaped": (b'{"model": "a", "version": 1, "m\\u006fdel": "b"}', JSON),
    "a form": (b"model=m&version=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    "a multipart form": (b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
    "text": (b'{"model": "m", "version": 1}', {"Content-Type": "text/plain"}),
    "another kind of JSON": (b'{"model": "m", "version": 1}', {"Content-Type": "application/vnd.api+json"}),
    "compressed": (b"\x1f\x8b\x08\x00", {**JSON, "Content-Encoding": "gzip"}),
}
QUERIES = {
    "one field twice": "model=a&model=b&version=1",
    "no UTF-8": "model=%ff%fe&version=1",
    "NUL": "model=a%00b&version=1",
    "a long name": f"model={'m' * 5000}&version=1",
    "a huge number": f"model=m&version={'9' * 5000}",
    "ten thousand fields": "&".join(f"f{n}=1" for n in range(5000)),
}


def refused(answer, begun: float) -> dict:  # type: ignore[no-untyped-def, type-arg]
    assert time.monotonic() - begun < patience(1.5)  # a second for the server; the rest is this client's
    assert 400 <= answer.status_code < 500, answer.text[:500]
    told = answer.json()
    assert told["message"] and len(answer.content) < 3 * MEGABYTE
    return dict(told)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_meant_is_refused_with_reasons(governed: Server, name: str) -> None:
    body, headers = BODIES[name]
    begun = time.monotonic()
    told = refused(governed.ask("ana", "POST", "promote", data=body, headers=headers), begun)
    assert told["reasons"] and all(each["expected"] and each["mend"] for each in told["reasons"])


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_that_cannot_be_meant_is_refused_with_reasons(governed: Server, name: str) -> None:
    begun = time.monotonic()
    told = refused(governed.ask("ana", "GET", f"plan?{QUERIES[name]}"), begun)
    assert told["reasons"] or told["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_code_of_other_languages_in_a_text_is_kept_as_it_is_and_printed_as_escapes(governed: Server) -> None:
    model = govern(governed, "hostile")
    version, _run = register(governed, model)
    named = {"model": model, "version": version}
    for user, verb, more in (
        ("ana", "nominate", {"comment": HOSTILE}),
        ("ana", "request", {"comment": HOSTILE}),
        ("raj", "approve", {"comment": HOSTILE}),
        ("mei", "approve", {"comment": HOSTILE, "meaning": HOSTILE}),
    ):
        answer = governed.ask(user, "POST", verb, json=named | more)
        assert answer.ok, answer.text
    told = governed.ask("ana", "GET", f"history?model={model}").json()
    assert json.dumps(told).count(json.dumps(HOSTILE)[1:-1]) >= 3  # the request and both approvals
    for command in ("status", "history"):  # before the promotion, while the Proposal's comments are in its status
        shown = governed.cli("ana", command, model).stdout
        assert "DROP TABLE" in shown and not {"\x1b", "\x07", "\u202e", "\u200b"} & set(shown)
        assert r"\x1b[2J" in shown and "\\u202e" in shown
    go(governed, model, version, "ana promote")
    answer = governed.ask("oncall", "POST", "rollback", json={"model": model, "reason": HOSTILE})
    assert answer.status_code == 403  # there is no fallback, and the reason was no code
    assert governed.ask(ADMIN, "GET", "audit/verify").json()["ok"]


@pytest.mark.parametrize("field", ["model", "name"])
def test_a_name_that_is_code_names_nothing(governed: Server, field: str) -> None:
    for text in (HOSTILE[:200], "m' OR '1'='1", "../../etc/passwd", "m%", "*", "<b>m</b>"):
        begun = time.monotonic()
        answer = governed.ask(ADMIN, "GET", "policy", params={field: text})
        if answer.ok:
            assert answer.json()["policies"] == []
        else:
            refused(answer, begun)


YAML = {
    "no YAML": "a: [",
    "a tag that makes an object": "!!python/object/apply:os.system ['true']",
    "an alias in itself": "&a [*a]",
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
    "depth": "[" * 20_000,
    "one key twice": "schema: registry-hooks/policy/1\nschema: registry-hooks/policy/1\n",
    "a control character": "name: a\x07b",
    "a name of 200 kB": POLICY.format(name="n" * 200_000, model="m"),
    "a name with a line break": POLICY.format(name='"a\\nb"', model="m"),
    "a huge number": POLICY.format(name="n", model="m").replace("count: 2", "count: " + "9" * 5000),
    "a negative number": POLICY.format(name="n", model="m").replace("count: 2", "count: -2"),
    "an endless number": POLICY.format(name="n", model="m").replace("count: 2", "count: .inf"),
}  # fmt: skip


@pytest.mark.parametrize("name", YAML)
@pytest.mark.parametrize("route", ["policy/check", "policy/apply"])
def test_a_policy_that_cannot_be_meant_is_refused(governed: Server, route: str, name: str) -> None:
    begun = time.monotonic()
    answer = governed.ask(ADMIN, "POST", route, json={"yaml": YAML[name]})
    if route == "policy/check" and answer.ok:  # which tells what is wrong in its answer
        assert time.monotonic() - begun < patience(1.5) and not answer.json().get("ok", True), answer.text[:300]
    else:
        refused(answer, begun)
