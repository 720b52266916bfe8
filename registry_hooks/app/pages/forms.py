"""What a query or a form says, read as strictly as JSON is: within bounds, in UTF-8, each name once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from registry_hooks.app.api.bodies import LARGEST_BODY
from registry_hooks.app.pages.table import Fields
from registry_hooks.errors import Invalid, Reason

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50


def fields_of_form(body: bytes, content_type: str) -> Fields:
    """The fields of a posted form. What a person left empty is not given; lines end as everywhere else.

    Raises:
        Invalid: too large, of another type, not in UTF-8, or with one name twice.
    """
    if len(body) > LARGEST_BODY:
        raise _wrong("body", f"at most {LARGEST_BODY} bytes", "more", "write less")
    if content_type != _FORM:
        raise _wrong("content-type", _FORM, content_type[:80] or "none", "send the form that the page shows")
    return _fields(body)


def fields_of_query(query: bytes) -> Fields:
    """The fields of an address.

    Raises:
        Invalid: not in UTF-8, or with one name twice.
    """
    return _fields(query)


def _fields(text: bytes) -> Fields:
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except UnicodeDecodeError as error:
        raise _wrong("body", "text in UTF-8", f"other bytes ({error.reason})", "send it in UTF-8") from error
    except ValueError as error:
        raise _wrong("body", f"at most {_MOST_FIELDS} fields", "more", "send the form that the page shows") from error
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(twice[:80], "one value", "several", "give it once")
    return {name: value.replace("\r\n", "\n") for name, value in pairs if value.strip()}


def _wrong(field: str, expected: str, found: str, mend: str) -> Invalid:
    return Invalid(f"the form is not understood: {field}", [Reason(field, expected, found, mend)])
