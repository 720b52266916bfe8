"""What a form proves: that this server made it for this Actor and this page, not long ago.

A browser sends a login along with whatever form any page makes it send. So a form of ours carries a token that no other
page can know: signed with the server's secret key, over the Actor's name and the page's path. The sentence that a page
shows after a form has done its work travels in the address, and is signed likewise: nobody can make a link to a page
that says something was done.
"""

from __future__ import annotations

from typing import Any

from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import Actor

FIELD = "token"
"""The name of the field that carries it."""
LASTS = 8 * 60 * 60  # seconds for which a form is taken; a person reads it within a working day
_SAID_LASTS = 10 * 60  # seconds for which an address shows what was done
_AGAIN = "open the page again, see what it shows now, and send the form from there"


def form_token(secret: str, actor: Actor, path: str) -> str:
    """The token of a form on the page at ``path``."""
    return str(_signer(secret, "form").dumps([actor.name, path]))


def require_form_token(secret: str, actor: Actor, path: str, token: str | None) -> None:
    """Refuse a form that this server did not make for this Actor and page, or made too long ago.

    Raises:
        Refused: saying which of it.
    """
    from itsdangerous import BadData, SignatureExpired

    expected = f"a form that this server made for {actor.name}"
    try:
        made_for = _signer(secret, "form").loads(token or "", max_age=LASTS)
    except SignatureExpired:
        found = f"one that is older than {LASTS // 3600} hours"
    except BadData:
        found = "one without the server's token" if token is None else "one whose token is not the server's"
    else:
        if made_for == [actor.name, path]:
            return
        found = "one that was made for somebody else" if made_for[0] != actor.name else "one of another page"
    raise Refused("the form was not taken, and nothing was done", [Reason("form", expected, found, _AGAIN)])


def said_token(secret: str, actor: Actor, said: str) -> str:
    """A sentence for the address of the page that is shown next."""
    return str(_signer(secret, "said").dumps([actor.name, said]))


def said(secret: str, actor: Actor, token: str | None) -> str | None:
    """The sentence of `said_token`; None for one that is not the server's, of somebody else, or old."""
    from itsdangerous import BadData

    if token is None:
        return None
    try:
        name, sentence = _signer(secret, "said").loads(token, max_age=_SAID_LASTS)
    except BadData:
        return None
    return str(sentence) if name == actor.name else None


def _signer(secret: str, what: str) -> Any:
    from itsdangerous import URLSafeTimedSerializer

    return URLSafeTimedSerializer(secret, salt=f"registry-hooks/{what}")
