"""The language of named slices: what it means, where it stops, and that it stops."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_eval_plugin.query import (
    MOST_CHARACTERS,
    Among,
    Compare,
    Every,
    Missing,
    Not,
    QueryError,
    Some,
    parse,
)

A, B, C = (Compare(name, "==", 1) for name in "abc")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("AGEP < 25", Compare("AGEP", "<", 25)),
        ("AGEP>=-2.5e1", Compare("AGEP", ">=", -25.0)),
        ("id == 123456789012345678", Compare("id", "==", 123456789012345678)),
        ("on != TRUE", Compare("on", "!=", True)),
        ("`hired on` == 'it''s'", Compare("hired on", "==", "it's")),
        ('`a``b` == "say ""x"""', Compare("a`b", "==", 'say "x"')),
        ("größe == 1", Compare("größe", "==", 1)),
        ("`in` in (1)", Among("in", (1,), negated=False)),
        ("a not in (1, 'x', false)", Among("a", (1, "x", False), negated=True)),
        ("a is missing", Missing("a", negated=False)),
        ("a IS NOT Missing", Missing("a", negated=True)),
        ("a==1 or b==1 and c==1", Some((A, Every((B, C))))),
        ("(a==1 or b==1) and c==1", Every((Some((A, B)), C))),
        ("not a==1 and b==1", Every((Not(A), B))),
        ("not (a==1 and b==1)", Not(Every((A, B)))),
    ],
)
def test_what_a_text_means(text: str, query: object) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a column, 'not' or '\\(' at character 1, found the end"),
        ("AGEP", "expected a comparison .* at character 5 \\(after 'AGEP'\\), found the end"),
        ("AGEP = 3", "expected a comparison \\(== != < <= > >=\\).* at character 6 \\(after 'AGEP'\\), found '='"),
        ("AGEP < SEX", "expected a number, a text in quotes, true or false at character 8"),
        ("3 < AGEP", "expected a column"),
        ("(a == 1", "expected 'and', 'or' or '\\)' at character 8"),
        ("a == 1 b == 1", "expected 'and', 'or' or the end at character 8 \\(after 'a == 1'\\), found 'b'"),
        ("a in 3", "expected '\\(' at character 6"),
        ("a in ()", "expected a number"),
        ("a in (1 2)", "expected ',' or '\\)' at character 9"),
        ("a not == 1", "expected 'in' at character 7"),
        ("a is null", "expected 'missing' or 'not missing' at character 6"),
        ("a is not 3", "expected 'missing' at character 10"),
        ("a == 'x", 'found "\'"'),
        ("a == 12abc", "expected a number"),
        ("a == 1; import os", "found ';'"),
        ("a.b == 1", "found '.'"),
        ("__import__('os')", "found '\\('"),
        ("a == 1 #", "found '#'"),
        ("0 < a < 1", "expected a column"),
        ("a < 1 < 2", "expected 'and', 'or' or the end at character 7"),
    ],
)
def test_what_does_not_parse_says_where_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 999 + "a == 1" + ")" * 999,
        "not " * 400 + "a == 1",
        "'" * (MOST_CHARACTERS - 1),
        "`" * (MOST_CHARACTERS - 1),
        "a == 1 or " * 500,
        "a" * 10_000_000,
    ],
)
def test_a_text_that_is_too_long_or_too_deep_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert time.process_time() - start < 1
    assert len(str(caught.value)) < 300


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1' \"`().,<>=!-eisnotmgandr\n\0é", max_size=60))
def test_any_text_is_a_query_or_an_error_of_ours(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        assert "expected" in str(error)
    else:
        assert isinstance(query, (Compare, Among, Missing, Not, Every, Some))


def test_names_are_translated() -> None:
    assert parse("sex == 1 and `sex` is missing", {"sex": "SEX"}.__getitem__) == Every(
        (Compare("SEX", "==", 1), Missing("SEX", negated=False))
    )
