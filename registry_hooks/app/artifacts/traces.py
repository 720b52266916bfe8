"""Where a trace keeps its files is MLflow's to say: the server reads, and deletes, at the places that its tags name.

Tags come by many routes, in Flask and in FastAPI, and as attributes of a span as well. The methods of the tracking
store are what all of them end in; MLflow itself writes the places otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, NamedTuple

from registry_hooks.app import refusing
from registry_hooks.errors import Reason, Refused
from registry_hooks.storage.retry import says_nothing

_PLACES = frozenset({"mlflow.artifactlocation", "mlflow.trace.archivelocation"})
"""Tags that name a place, in small letters: to some databases all spellings are one."""
_IN_A_SPAN = "mlflow.traceTag."


class _Tag(NamedTuple):
    """A tag as it is to be: of which trace, and its value, None for none."""

    trace: str
    key: str
    value: str | None


def keep_places() -> None:
    """Refuse, to administrators as well, a tag that would have a trace keep its files elsewhere.

    For the whole process, as in `registry_hooks.app.artifacts.serving_files.hold`. MLflow's older clients send all tags
    back, these among them: a value that is there already passes.

    Raises:
        StopIteration: when this MLflow has no such method; then the server must not start.
    """
    from mlflow.server.handlers import _get_tracking_store

    store_class = type(_get_tracking_store())
    for name, tags_of in _TAGS_OF.items():
        owner = next(each for each in store_class.__mro__ if name in vars(each))
        setattr(owner, name, _asked_before(vars(owner)[name], tags_of))


def _asked_before(method: Callable[..., Any], tags_of: Callable[[Mapping[str, Any]], Iterator[_Tag]]) -> Any:
    signature = inspect.signature(method)

    @wraps(method)
    def asked(store: Any, *arguments: Any, **options: Any) -> Any:
        given = signature.bind(store, *arguments, **options).arguments
        changed = [tag for tag in tags_of(given) if _is_place(tag.key) and tag.value != _value(store, tag)]
        if changed:
            raise refusing.in_mlflow(_refusal(changed))
        return method(store, *arguments, **options)

    return asked


def _is_place(key: str) -> bool:
    return key.strip().lower() in _PLACES


def _value(store: Any, tag: _Tag) -> str | None:
    from mlflow.exceptions import MlflowException

    try:
        value: str | None = store.get_trace_info(tag.trace).tags.get(tag.key)
    except MlflowException as error:
        if says_nothing(error):
            raise
        return None  # there is no such trace yet
    return value


def _refusal(changed: list[_Tag]) -> Refused:
    return Refused(
        "this trace keeps its files where they are",
        [
            Reason("artifact-location", f"the tag {tag.key[:80]} as the server wrote it", (tag.value or "none")[:200],
                   "leave the tag out")
            for tag in changed
        ],
    )  # fmt: skip


def _of_one(given: Mapping[str, Any]) -> Iterator[_Tag]:
    yield _Tag(given["trace_id"], given["key"], given.get("value"))


def _of_info(given: Mapping[str, Any]) -> Iterator[_Tag]:
    info = given["trace_info"]
    yield from (_Tag(info.trace_id, key, value) for key, value in info.tags.items())


def _of_older(given: Mapping[str, Any]) -> Iterator[_Tag]:
    trace = given.get("request_id", "")  # a new one gets its id from the store
    yield from (_Tag(trace, key, value) for key, value in given["tags"].items())


def _of_spans(given: Mapping[str, Any]) -> Iterator[_Tag]:
    for span in given["spans"]:
        named = [key for key in span.attributes if key.startswith(_IN_A_SPAN)]
        yield from (_Tag(span.trace_id, key.removeprefix(_IN_A_SPAN), str(span.attributes[key])) for key in named)


_TAGS_OF: dict[str, Callable[[Mapping[str, Any]], Iterator[_Tag]]] = {
    "set_trace_tag": _of_one,
    "delete_trace_tag": _of_one,
    "start_trace": _of_info,
    "deprecated_start_trace_v2": _of_older,
    "deprecated_end_trace_v2": _of_older,
    "log_spans": _of_spans,
}
"""Methods of the tracking store that write tags of traces, and what their arguments give of them."""
