"""The Python API: every use case has its method, every answer its type, and every refusal its reasons."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from support.frozen.baselines import put_on_server
from support.releasing import govern, register
from support.serving import PASSWORDS, Server, clean_environment, free_port

import registry_hooks
from registry_hooks import Busy, Client, Conflict, Invalid, NoAnswer, NotFound, Refused, RegistryError, Unauthenticated
from registry_hooks import records as stored
from registry_hooks.app.api.routes import ROUTES, Route
from registry_hooks.client import answers, members
from registry_hooks.client.http import Http
from registry_hooks.errors import Reason
from registry_hooks.rules import signatures

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
RUN = "8d0f1c2b3a4e5f60718293a4b5c6d7e8"  # of the version whose baseline the page names
POLICY = """
schema: registry-hooks/policy/1
name: churn
models: [churn]
roles: {data-science: [ana], risk: [raj, mei], oncall: [oncall]}
nominate: {by: [data-science]}
promote: {by: [data-science, risk], evidence: [{kind: calibration}], approvals: [{role: risk}]}
rollback: {by: [oncall]}
break_glass: {by: [oncall]}
delegation: {longest: 14d}
"""


def client(server: Server, user: str, **more: Any) -> Client:
    return Client(server.uri, username=user, password=PASSWORDS[user], **more)


def wrong(value: object, kind: Any, where: str = "answer") -> Iterator[str]:
    """Where a JSON value is not what a type says, members that the type does not name included."""
    if kind is Any:
        return
    if is_typeddict(kind):
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no object"
            return
        hints = get_type_hints(kind)
        yield from (f"{where}.{name} is missing" for name in kind.__required_keys__ - value.keys())
        yield from (f"{where}.{name} is not named" for name in value.keys() - hints.keys())
        for name in hints.keys() & value.keys():
            yield from wrong(value[name], hints[name], f"{where}.{name}")
        return
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        found = [list(wrong(value, each, where)) for each in arguments]
        yield from [] if [] in found else found[0]
    elif origin is Literal:
        yield from [] if value in arguments else [f"{where}: {value!r} is none of {arguments}"]
    elif origin in (list, dict) and not isinstance(value, origin):
        yield f"{where}: {value!r} is no {origin.__name__}"
    elif origin is list:
        for number, each in enumerate(value):
            yield from wrong(each, arguments[0], f"{where}[{number}]")
    elif origin is dict:
        for name, each in value.items():
            yield from wrong(each, arguments[1], f"{where}.{name}")
    elif type(value) is not kind and not (kind is float and type(value) is int):
        yield f"{where}: {value!r} is no {kind.__name__}"


def test_every_example_of_the_page_is_true_and_every_answer_has_its_type(
    governed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"churn-{free_port()}"
    governed.mlflow("ana", "POST", "registered-models/create", name=model)
    _version, run = register(governed, model)
    register(governed, model)
    put_on_server(governed, run)
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY.replace("churn", model))
    Path("build.key.pub").write_text(signatures.public_pem(signatures.new_key().public_key()))
    asked: dict[str, list[str]] = {}
    real = {name: getattr(Http, name) for name in ("get", "post")}

    def watching(verb: str) -> Any:
        def ask(self: Http, answered: Any, path: str, **given: object) -> Any:
            answer = real[verb](self, answered, path, **given)
            kinds = get_type_hints(Client.withdraw)["return"] if path == "withdraw" else answered
            asked.setdefault(path, []).extend(wrong(answer, kinds, path))
            return answer

        return ask

    for verb in real:
        monkeypatch.setattr(Http, verb, watching(verb))
    blocks = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL))
    text = blocks.replace("http://127.0.0.1:5000", governed.uri).replace("churn", model).replace(RUN, run)
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(doctest.DocTestParser().get_doctest(text, {}, "docs/api.md", None, 0), out=told.append)
    assert runner.failures == 0, "".join(told)
    assert {path: faults for path, faults in asked.items() if faults} == {}
    assert set(asked) == {route.path for route in ROUTES if not route.streams}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_is_a_method_that_takes_its_fields_and_is_shown(route: Route) -> None:
    parameters = dict(inspect.signature(getattr(Client, route.answers)).parameters)
    del parameters["self"]
    assert set(parameters) == set(route.body.model_fields)
    required = {name for name, each in parameters.items() if each.default is inspect.Parameter.empty}
    signed = {"comment"} if route.answers in ("approve", "reject", "withdraw") else set()  # the desk requires it
    assert required == {name for name, field in route.body.model_fields.items() if field.is_required()} | signed
    assert re.search(rf"\.{route.answers}\(", PAGE)


def test_there_is_no_other_method() -> None:
    public = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    assert public == {route.answers for route in ROUTES}


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        (members.PairAnswer, stored.Pair), (members.EvidenceAnswer, stored.EvidenceRef),
        (members.PageAnswer, stored.Page), (members.CondemnedAnswer, stored.Condemned),
        (members.ResemblanceAnswer, stored.Resemblance),
        (members.RoleSourceAnswer, stored.RoleSource), (members.ApprovalAnswer, stored.Approval),
        (members.StoredProposal, stored.Proposal), (members.ReviewAnswer, stored.Review),
        (answers.FileCheckAnswer, stored.FileCheck), (answers.KeyAnswer, stored.TrustedKey),
        (answers.DelegationAnswer, stored.Delegation), (members.ReasonAnswer, Reason),
    ],
)  # fmt: skip
def test_a_record_that_is_answered_has_the_members_of_its_type(answer: Any, record: Any) -> None:
    """Whatever a record may hold, also where no example shows it."""
    kept = get_type_hints(record)
    members = getattr(record, "model_fields", kept)
    assert set(get_type_hints(answer)) == set(members)
    for name, kind in get_type_hints(answer).items():
        assert (type(None) in get_args(kind)) == (type(None) in get_args(kept[name])), name


def test_what_is_refused_is_raised_with_all_of_its_reasons(governed: Server) -> None:
    model = govern(governed)
    version, _run = register(governed, model, verdict="fail")
    with pytest.raises(Refused) as refused:
        client(governed, "raj").nominate(model, version)
    assert [each.rule for each in refused.value.reasons] == ["role"]
    with pytest.raises(Refused, match="To fix") as refused:
        client(governed, "ana").nominate(model, version)
    asked = governed.ask("ana", "POST", "nominate", json={"model": model, "version": version}).json()
    assert refused.value.as_json() == asked
    assert refused.value.reasons and all(isinstance(each, Reason) for each in refused.value.reasons)
    with pytest.raises(Invalid) as invalid:
        client(governed, "ana").nominate("", 0, runs="abc")
    assert [each.rule for each in invalid.value.reasons] == ["model", "version", "runs"]
    with pytest.raises(NotFound):
        client(governed, "ana").plan(model, 99)
    with pytest.raises(Unauthenticated, match="user ana"):
        Client(governed.uri, username="ana", password="another").status()
    register(governed, model)
    ana = client(governed, "ana")
    ana.nominate(model, 2)
    ana.request(model, 2)
    with pytest.raises(Conflict, match="open Proposal"):
        ana.request(model, 2)


def test_without_an_address_or_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(Invalid, match="no server address"):
        Client()
    with pytest.raises(NoAnswer, match="nothing was done"):
        Client(f"http://127.0.0.1:{free_port()}").status()


def test_a_login_that_is_no_text_is_told_and_no_secret_is_shown() -> None:
    asking = Client("http://127.0.0.1:9", username="ana", password="half \ud800 of a pair")
    with pytest.raises(NoAnswer, match="cannot ask") as told:
        asking.status()
    assert "of a pair" not in str(told.value) + repr(vars(asking)) + repr(vars(asking._http))


@pytest.fixture
def saying() -> Iterator[Any]:
    """Call it with a status and a body for the address of a server that answers so to everything."""
    servers = []

    def start(status: int, body: object) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, Refused),
        (400, {"error_code": "RESOURCE_CONFLICT", "message": "no"}, Conflict),
        (400, {"error_code": "INVALID_STATE", "message": "no"}, Invalid),
        (429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "no"}, Busy),
        (500, {"error_code": "INTERNAL_ERROR", "message": "no"}, NoAnswer),
        (503, {"error_code": "PERMISSION_DENIED", "message": "no"}, NoAnswer),
        (403, {"error_code": "PERMISSION_DENIED", "reasons": ["odd", {"rule": "r"}]}, Refused),
        (403, "Permission denied", Refused),
        (404, {}, NoAnswer),
        (200, [], NoAnswer),
        (302, {}, NoAnswer),
        (502, "bad gateway", NoAnswer),
    ],
)  # fmt: skip
def test_whatever_is_answered_has_its_error(saying: Any, status: int, body: object, kind: type[RegistryError]) -> None:
    with pytest.raises(RegistryError) as raised:
        Client(saying(status, body), token="t").status()
    assert type(raised.value) is kind


def test_a_time_with_a_zone_is_that_time(governed: Server) -> None:
    model = govern(governed)
    ana = client(governed, "ana")
    register(governed, model)
    register(governed, model)
    first, second = ana.history(model)["entries"]
    at = datetime.fromisoformat(first["at"].replace("Z", "+00:00")).astimezone(timezone(timedelta(hours=5)))
    assert ana.history(model, at=at)["entries"] == [first]
    assert ana.history(model, at=second["at"], limit=1)["entries"] == [second]


def test_the_api_is_imported_in_no_time_and_without_mlflow_pandas_and_numpy(tmp_path: Path) -> None:
    program = (
        "import sys, time\nstarted = time.process_time()\nfrom registry_hooks import *\n"
        "print(time.process_time() - started, *sys.modules)"
    )
    environment = clean_environment(tmp_path)
    taken = []
    for _ in range(5):  # the best of five, in seconds of a processor: what the machine does besides is not measured
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        seconds, *imported = done.stdout.split()
        taken.append(float(seconds))
        assert {"mlflow", "pandas", "numpy", "pydantic", "requests", "click"}.isdisjoint(imported)
    assert min(taken) <= 0.3


def test_what_is_public_is_there_and_nothing_else_is() -> None:
    assert set(registry_hooks.__all__) <= set(dir(registry_hooks))
    assert {name: getattr(registry_hooks, name) for name in registry_hooks.__all__}["Client"] is Client
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = registry_hooks.Clinet  # type: ignore[attr-defined]
