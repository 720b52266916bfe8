"""What stands around every page: who asks, the form's token, what is said when something is refused, the headers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from registry_hooks.app.api.bodies import LARGEST_BODY
from registry_hooks.app.asked import note_refusal
from registry_hooks.app.pages import rendering, tokens
from registry_hooks.app.pages.forms import fields_of_form, fields_of_query
from registry_hooks.app.pages.routes import PAGES
from registry_hooks.app.pages.table import Fields, File, Page
from registry_hooks.app.refusing import status_of
from registry_hooks.errors import Reason, RegistryError
from registry_hooks.identity import current_actor, require_actor

OURS = "registry-hooks-page:"  # what Flask's names of these routes begin with
_SAID = "said"


def install(app: Any) -> None:
    """Add every page to the Flask app, and tell MLflow's auth that they authorise themselves."""
    from mlflow.server import auth

    for page in PAGES:
        path = rendering.address(page.path)
        for verb, view in (("GET", _shows), ("POST", _acts)):
            if verb == "GET" or page.act is not None:
                app.add_url_rule(path, f"{OURS}{verb} {path}", partial(view, page), methods=[verb])
                auth.BEFORE_REQUEST_VALIDATORS[path, verb] = _authorised_by_the_desk


def _authorised_by_the_desk() -> bool:
    return True


def _shows(page: Page) -> Any:
    from flask import request

    return _told_to_people(lambda: _shown(page, dict(fields_of_query(request.query_string))), page, {})


def _shown(page: Page, fields: dict[str, str]) -> Any:
    from flask import Response

    actor, secret = require_actor(), _secret()
    said = tokens.said(secret, actor, fields.pop(_SAID, None))
    shown = page.show(fields)
    if isinstance(shown, File):
        return Response(shown.content, 200, rendering.headers_of_file(), content_type=shown.kind)
    token = tokens.form_token(secret, actor, page.path)
    return _html(shown.template, 200, **{"actor": actor, "said": said, "token": token, **shown.values})


def _acts(page: Page) -> Any:
    from flask import request

    sent: dict[str, str] = {}

    def acted() -> Any:
        # A form that is too large is told by its length, and so not read at all.
        large = (request.content_length or 0) > LARGEST_BODY
        sent.update(fields_of_form(b" " * (LARGEST_BODY + 1) if large else request.get_data(), request.mimetype))
        return _done(page, dict(sent))

    return _told_to_people(acted, page, sent)


def _done(page: Page, fields: dict[str, str]) -> Any:
    from flask import redirect

    actor, secret = require_actor(), _secret()
    tokens.require_form_token(secret, actor, page.path, fields.pop(tokens.FIELD, None))
    assert page.act is not None  # install adds no such route otherwise
    done = page.act(fields)
    query = {**done.query, _SAID: tokens.said_token(secret, actor, done.said)}
    # See Other: going back or loading again sends no form a second time.
    response = redirect(rendering.address(done.path, query), 303)
    response.headers.update(rendering.headers())
    return response


def _secret() -> Any:
    from flask import current_app

    return current_app.secret_key  # without which MLflow's logins do not start; the same in every worker


def _told_to_people(view: Callable[[], Any], page: Page, sent: Fields) -> Any:
    """What a view gives; every refusal, and what MLflow raises, as a page with all its reasons."""
    from mlflow.exceptions import MlflowException

    try:
        return view()
    except RegistryError as error:
        note_refusal(error)
        return _refusal(error.headline, error.reasons, status_of(error), page, sent)
    except MlflowException as error:
        return _refusal(error.message, (), error.get_http_status_code(), page, sent)


def _refusal(headline: str, reasons: Iterable[Reason], status: int, page: Page, sent: Fields) -> Any:
    back = rendering.address(page.path, {name: sent[name] for name in page.about if name in sent})
    written = {name: sent[name] for name in page.written if name in sent}
    return _html(
        "refusal.html.j2", status, actor=current_actor(), said=None, headline=headline, reasons=tuple(reasons),
        back=back if sent else None, written=written,
    )  # fmt: skip


def _html(template: str, status: int, **values: Any) -> Any:
    from flask import Response

    body = rendering.render(template, **values)
    return Response(body, status, rendering.headers(), mimetype="text/html")
