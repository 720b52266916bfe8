"""The query language of named slices: a text into a small tree that can be applied to rows and to nothing else.

    query     = all { "or" all }                     all = term { "and" term }
    term      = "not" term | "(" query ")" | condition
    condition = column ("==" | "!=" | "<" | "<=" | ">" | ">=") literal
              | column ["not"] "in" "(" literal { "," literal } ")"
              | column "is" ["not"] "missing"
    column    = a name, or any text in backticks
    literal   = a number, 'text' or "text", true, false

A quote or backtick within its own kind is written twice. Words may be in capitals. Nothing is ever evaluated as Python,
and texts and their nesting are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast, get_args

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)
MOST_CHARACTERS = 2000
DEEPEST = 30

Value = bool | int | float | Decimal | str


class QueryError(ValueError):
    """A text that is no query; the message says where, what was expected and what was found."""


@dataclass(frozen=True)
class Compare:
    """Rows whose value compares with ``value``; never a missing one, not even for ``!=``."""

    column: str
    operator: Comparison
    value: Value


@dataclass(frozen=True)
class Among:
    """Rows whose value is one of ``values``, or with ``negated`` none of them; never a missing one."""

    column: str
    values: tuple[Value, ...]
    negated: bool


@dataclass(frozen=True)
class Missing:
    """Rows that have no value, or with ``negated`` one."""

    column: str
    negated: bool


@dataclass(frozen=True)
class Not:
    """All other rows."""

    part: Query


@dataclass(frozen=True)
class Every:
    """Rows of every part."""

    parts: tuple[Query, ...]


@dataclass(frozen=True)
class Some:
    """Rows of at least one part."""

    parts: tuple[Query, ...]


Query = Compare | Among | Missing | Not | Every | Some


@dataclass(frozen=True)
class NamedQuery:
    """A query with the name it was given and the text that says it."""

    name: str
    text: str
    query: Query


def parse(text: str, column: Callable[[str], str] = str) -> Query:
    """The query that a text says.

    Args:
        column: from names used in the text to names of columns.

    Raises:
        QueryError: for a text that does not parse, has too many characters or is nested too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise QueryError(f"expected at most {MOST_CHARACTERS:,} characters, found {len(text):,}")
    parser = _Parser(text, column)
    query = parser.some(0)
    if parser.token.kind != "end":
        raise parser.expected("'and', 'or' or the end")
    return query


def columns_of(query: Query) -> frozenset[str]:
    """The columns that a query names."""
    if isinstance(query, Not):
        return columns_of(query.part)
    if isinstance(query, (Every, Some)):
        return frozenset().union(*map(columns_of, query.parts))
    return frozenset({query.column})


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "true", "false"})
_TOKENS = re.compile(
    r"""\s*(?:
    (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w))
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<name>[^\W\d]\w*)
    | (?P<symbol>==|!=|<=|>=|[<>(),])
    | (?P<end>\Z)
    | (?P<other>\S)
    )""",
    re.VERBOSE,
)


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while True:
        match = cast("re.Match[str]", _TOKENS.match(text, position))
        kind = str(match.lastgroup)
        token = _Token(kind, match[kind], match.start(kind))
        if kind == "name" and token.text.lower() in _KEYWORDS:
            token = _Token("keyword", token.text.lower(), token.start)
        yield token
        if kind in ("end", "other"):
            return
        position = match.end()


class _Parser:
    """Recursive descent: one method a rule; ``token`` is the one that is looked at."""

    def __init__(self, text: str, column: Callable[[str], str]) -> None:
        self._text = text
        self._column = column
        self._rest = _tokens(text)
        self.token = next(self._rest)

    def expected(self, what: str) -> QueryError:
        """The error of a text that goes on otherwise."""
        found = "the end" if self.token.kind == "end" else repr(self.token.text)
        before = self._text[: self.token.start].strip()
        after = f" (after {before[-30:]!r})" if before else ""
        return QueryError(f"expected {what} at character {self.token.start + 1}{after}, found {found:.40}")

    def some(self, depth: int) -> Query:
        parts = [self._every(depth)]
        while self._took("or"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _every(self, depth: int) -> Query:
        parts = [self._term(depth)]
        while self._took("and"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _term(self, depth: int) -> Query:
        if depth > DEEPEST:
            raise self.expected(f"at most {DEEPEST} levels of brackets and 'not'")
        if self._took("not"):
            return Not(self._term(depth + 1))
        if self._took("("):
            inside = self.some(depth + 1)
            self._take(")", "'and', 'or' or ')'")
            return inside
        return self._condition()

    def _condition(self) -> Query:
        column = self._name()
        if self.token.text in COMPARISONS and self.token.kind == "symbol":
            operator = cast("Comparison", self._next().text)
            return Compare(column, operator, self._literal())
        if self._took("is"):
            negated = self._took("not")
            self._take("missing", "'missing'" if negated else "'missing' or 'not missing'")
            return Missing(column, negated)
        negated = self._took("not")
        self._take("in", "'in'" if negated else "a comparison (== != < <= > >=), 'in', 'not in' or 'is missing'")
        return Among(column, self._literals(), negated)

    def _name(self) -> str:
        if self.token.kind == "quoted":
            return self._column(self._next().text[1:-1].replace("``", "`"))
        if self.token.kind == "name":
            return self._column(self._next().text)
        raise self.expected("a column, 'not' or '('")

    def _literals(self) -> tuple[Value, ...]:
        self._take("(", "'('")
        values = [self._literal()]
        while self._took(","):
            values.append(self._literal())
        self._take(")", "',' or ')'")
        return tuple(values)

    def _literal(self) -> Value:
        if self.token.kind == "number":
            return _number(self._next().text)
        if self.token.kind == "text":
            quoted = self._next().text
            return quoted[1:-1].replace(2 * quoted[0], quoted[0])
        if self.token.kind == "keyword" and self.token.text in ("true", "false"):
            return self._next().text == "true"
        raise self.expected("a number, a text in quotes, true or false")

    def _took(self, word: str) -> bool:
        found = self.token.kind in ("keyword", "symbol") and self.token.text == word
        if found:
            self._next()
        return found

    def _take(self, word: str, expected: str) -> None:
        if not self._took(word):
            raise self.expected(expected)

    def _next(self) -> _Token:
        token, self.token = self.token, next(self._rest, self.token)
        return token


def _number(text: str) -> int | float | Decimal:
    # Whole numbers stay whole, since codes and identifiers may be beyond what floating point tells apart; so do
    # fractions that floating point cannot hold to the last digit, which a column of decimals can.
    if re.fullmatch(r"[+-]?\d{1,19}", text):
        return int(text)
    value = float(text)
    return value if Decimal(repr(value)) == Decimal(text) else Decimal(text)
