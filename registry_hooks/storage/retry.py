"""A unit of work that the database gave up is done again, in full.

Databases end one of two transactions that wait for each other (a deadlock), or one that waited too long, and undo all
of it. Nothing has happened then, so the whole call may be made again: it reads everything anew and decides anew. That
is only so where the database *says* that it undid the transaction. A connection that was lost says nothing about a
commit that was under way, and such a call is never made again here.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from mlflow.exceptions import MlflowException
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 6
LONGEST = 30.0  # seconds; a lock that was waited for longer is not waited for once more (SQLite waits 20, MySQL 50)
FIRST_PAUSE = 0.02  # seconds; doubled each time, and a random share of it is waited
DEADLOCK, SERIALIZATION = "40P01", "40001"  # PostgreSQL's SQLSTATEs
# MySQL and MariaDB: lock wait timeout, deadlock, and MariaDB's "record has changed since last read".
GIVEN_UP_BY_MYSQL = (1205, 1213, 1020)
GIVEN_UP_BY_SQLITE = ("database is locked", "database table is locked")
SERVERS_FAULT, UNAVAILABLE = 500, 503  # HTTP status

_within: ContextVar[bool] = ContextVar("registry_hooks_again", default=False)
_logger = logging.getLogger(__name__)


def says_nothing(error: MlflowException) -> bool:
    """Whether an error of MLflow is a failure (5xx), which says nothing about what was asked for.

    A database that is lost, or is given up, is told so to whoever asks, and never as a fault of the request.
    """
    return int(error.get_http_status_code()) >= SERVERS_FAULT


def is_unavailable(error: MlflowException) -> bool:
    """Whether MLflow could not ask its database."""
    return int(error.get_http_status_code()) == UNAVAILABLE


def was_undone(error: BaseException | None) -> bool:
    """Whether the database says that it undid the transaction and that doing it again may succeed."""
    while error is not None and not isinstance(error, DBAPIError):
        error = error.__cause__
    if error is None or error.connection_invalidated:
        return False
    told: object = error.orig
    if getattr(told, "pgcode", None) is not None:
        return getattr(told, "pgcode", None) in (DEADLOCK, SERIALIZATION)
    arguments = getattr(told, "args", ())
    first = arguments[0] if arguments else None
    if isinstance(first, int):
        return first in GIVEN_UP_BY_MYSQL
    return isinstance(first, str) and first.startswith(GIVEN_UP_BY_SQLITE)


@contextmanager
def or_logged(what: str) -> Iterator[None]:
    """Write beside an answer: where the database does not take it, on a full disk say, the log alone says ``what``."""
    try:
        yield
    except MlflowException as error:
        _logger.error("%s: %s", what, error)


def lost_connection(context: ExceptionContext) -> OperationalError | None:
    """The exception to raise for a lost connection; None for any other error. For SQLAlchemy's ``handle_error``.

    psycopg2 raises a plain DatabaseError where PostgreSQL dies in the middle of an answer. MLflow makes a 400 of that,
    which says that nothing was done; nobody knows. Of an OperationalError it makes a 503.
    """
    told = context.original_exception
    if not context.is_disconnect or isinstance(context.sqlalchemy_exception, OperationalError):
        return None
    return OperationalError(context.statement, context.parameters, told, connection_invalidated=True)


def again_if_undone(call: Callable[P, R]) -> Callable[P, R]:
    """Make ``call`` again, a few times after a short random pause, while the database undoes it.

    For whole calls that change nothing but the database, through units of work of their own; one within another is
    left to the outer one, whose reading would otherwise be older than the transaction. The last error goes on as it
    is: ``TEMPORARILY_UNAVAILABLE``, HTTP 503, which MLflow's client repeats by itself.
    """

    @wraps(call)
    def until_done(*arguments: P.args, **options: P.kwargs) -> R:
        if _within.get():
            return call(*arguments, **options)
        token = _within.set(True)
        try:
            return _until_done(call, *arguments, **options)
        finally:
            _within.reset(token)

    return until_done


def _until_done(call: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    begun = time.monotonic()
    for number in range(1, TRIES):
        try:
            return call(*arguments, **options)
        except (MlflowException, DBAPIError) as error:
            if not was_undone(error) or time.monotonic() - begun > LONGEST:
                raise
            _logger.warning("the database undid a transaction (try %d of %d), which is done again", number, TRIES)
        # Random, or two that met would meet again.
        time.sleep(random.uniform(0, FIRST_PAUSE * 2**number))
    return call(*arguments, **options)
