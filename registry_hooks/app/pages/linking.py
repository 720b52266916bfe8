"""A link from MLflow's own pages to the inbox, with the number of Proposals that wait for the reader.

All of MLflow's pages are one HTML file, which its scripts fill. The link is put into that file as it is served, beside
what they fill. It is then no longer the same for everybody, and so no cache keeps it.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages import rendering
from registry_hooks.errors import RegistryError

_STYLE = Markup(
    "#registry-hooks{position:fixed;right:16px;bottom:16px;z-index:999;padding:8px 14px;border-radius:18px;"
    "background:#00609a;color:#fff;font:600 14px/20px system-ui,sans-serif;text-decoration:none;"
    "box-shadow:0 1px 4px rgba(0,0,0,.35)}#registry-hooks:focus-visible{outline:3px solid #fff}"
    "@media print{#registry-hooks{display:none}}"
    # A refusal has a line for each reason, which MLflow's dialogs would run together.
    "[role=alert],[class*=notification-notice]{white-space:pre-line}"
)
_LINK = Markup('<style>{}</style><a id="registry-hooks" href="{}">Registry inbox{}</a></body>')
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")


def link_from_mlflow(app: Any) -> None:
    """Put the link into MLflow's page, wherever the app serves it."""
    from flask import request

    served = app.view_functions["serve"]  # MLflow's page, at the root

    def with_link() -> Any:
        for condition in _CONDITIONS:  # a copy from before there was a link is out of date
            request.environ.pop(condition, None)
        response = app.make_response(served())
        if response.mimetype != "text/html" or response.status_code != 200:
            return response
        response.direct_passthrough = False
        page = response.get_data(as_text=True)
        response.set_data(page.replace("</body>", _link(), 1))
        for kept in ("ETag", "Last-Modified", "Content-Length"):
            response.headers.pop(kept, None)
        response.headers["Content-Length"] = str(len(response.get_data()))
        response.headers["Cache-Control"] = "no-store"
        return response

    app.view_functions["serve"] = with_link


def _link() -> str:
    return str(_LINK.format(_STYLE, rendering.address(""), _count()))


def _count() -> str:
    from mlflow.exceptions import MlflowException

    try:
        inbox = ask("inbox", {})
    # MLflow's page is there also when our own answer is not; it says MlflowException of a database that gives none.
    except (RegistryError, MlflowException):
        return ""
    more = "+" if "waiting" in inbox["more"] else ""
    return f" ({len(inbox['waiting'])}{more})" if inbox["waiting"] else ""
