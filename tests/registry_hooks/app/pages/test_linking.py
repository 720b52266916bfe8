"""MLflow's own pages: a link to the inbox in each, and refusals that its dialogs show, a line for each reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from support.browsing.visiting import require_browser, visit
from support.releasing import go, govern, register
from support.serving import ADMIN, PASSWORDS, Server, start

from registry_hooks.app.pages import linking

HREF = 'href="/registry-hooks/"'


def test_every_page_of_mlflow_links_to_the_inbox_with_what_waits(governed: Server) -> None:
    model = govern(governed)
    version, _run = register(governed, model)
    before = governed.ask("mei", "GET", "/").text
    go(governed, model, version, "ana nominate", "ana request")
    answer = governed.ask("mei", "GET", "/", headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert answer.status_code == 200 and HREF in answer.text and '<div id="root"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers and "Last-Modified" not in answer.headers
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    numbers = [int(f"0{text.partition('Registry inbox (')[2].partition(')')[0]}") for text in (before, answer.text)]
    assert numbers[1] == numbers[0] + 1
    guest = governed.ask("guest", "GET", "/").text
    assert "Registry inbox</a>" in guest
    assert governed.ask(None, "GET", "/").status_code == 401


def test_mlflows_page_is_there_when_the_inbox_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise MlflowException("the database does not answer", error_code=TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(linking, "ask", away)
    assert linking._count() == ""


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "1", "--gunicorn-opts", "--log-level warning")])
def test_the_link_is_there_behind_a_prefix_and_with_gunicorn(tmp_path: Path, options: tuple[str, ...]) -> None:
    server = start(tmp_path, *options, users=False, below="/behind")
    try:
        answer = server.ask(ADMIN, "GET", "/behind/")
        assert answer.status_code == 200 and 'href="/behind/registry-hooks/"' in answer.text
        assert server.ask(ADMIN, "GET", "/behind/registry-hooks/").status_code == 200
        denied = server.ask(ADMIN, "GET", "/behind/api/2.0/mlflow/registered-models/get?name=x")
        assert denied.status_code == 404
    finally:
        server.process.stop()


def test_what_mlflow_denies_a_reader_is_json_with_a_code(governed: Server) -> None:
    model = govern(governed)
    for prefix in ("/api/2.0", "/ajax-api/2.0"):
        body = {"name": model, "alias": "champion", "version": "1"}
        answer = governed.ask("guest", "POST", f"{prefix}/mlflow/registered-models/alias", json=body)
        assert answer.status_code == 403
        told = answer.json()
        assert told["error_code"] == "PERMISSION_DENIED"
        assert told["message"].startswith("Permission denied") and "guest" in told["message"]
    native = requests.post(
        f"{governed.uri}/ajax-api/3.0/jobs/search", json={}, auth=("guest", PASSWORDS["guest"]), timeout=30
    )
    assert native.status_code != 403 or native.json()["error_code"] == "PERMISSION_DENIED"


def test_mlflows_dialog_shows_a_refusal_with_a_line_for_each_reason(governed: Server, tmp_path: Path) -> None:
    require_browser()
    shown = "(() => { const alert = document.createElement('div'); alert.setAttribute('role', 'alert');"
    shown += "alert.textContent = 'a\\nb\\nc'; document.body.append(alert);"
    shown += "return [getComputedStyle(alert).whiteSpace, alert.getClientRects()[0].height > 40]; })()"
    (style, link), _console, _picture = visit(
        f"{governed.uri}/", shown, "document.querySelector('#registry-hooks').textContent",
        login=f"mei:{PASSWORDS['mei']}", picture=tmp_path / "mlflow.png",
    )  # fmt: skip
    assert style == ["pre-line", True] and link.startswith("Registry inbox")
