"""What one request may cost: whatever a reader sends is answered in little time and memory."""

from __future__ import annotations

import json

import pytest
from support.costing import peak_of, seconds_of

from registry_hooks.app.api.bodies import LARGEST_BODY, check, parse_json
from registry_hooks.app.api.routes import ROUTES
from registry_hooks.app.api.turns import Turns
from registry_hooks.app.refusing import status_of
from registry_hooks.errors import Busy, Invalid

NOMINATE = next(route.body for route in ROUTES if route.path == "nominate")
BODIES = {
    "unknown fields": "{" + ",".join(f'"{i:x}":1' for i in range(40_000)) + "}",
    "unknown fields that look like known ones": "{" + ",".join(f'"versio{i:x}":1' for i in range(30_000)) + "}",
    "long unknown fields": "{" + ",".join(f'"{"versionmodel" * 6}{i:x}":1' for i in range(6_000)) + "}",
    "a whole number of many digits": '{"version":' + "1" * 500_000 + "}",
    "a fraction of many digits": '{"version":1.' + "1" * 500_000 + "}",
    "brackets within brackets": '{"model":' + "[" * 200_000 + "]" * 200_000 + "}",
    "many lists": '{"model":[' + "[]," * 160_000 + "[]]}",
    "many runs": '{"model":"a","version":1,"runs":[' + ",".join(['"a"'] * 120_000) + "]}",
    "an escaped text": '{"model":"' + "\\u0061" * 80_000 + '"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_is_refused_in_little_time_and_memory_and_in_few_words(body: str) -> None:
    assert len(body) <= LARGEST_BODY
    told: list[Invalid] = []

    def refuse() -> None:
        with pytest.raises(Invalid) as caught:
            check(NOMINATE, parse_json(body.encode(), "application/json"))
        told.append(caught.value)

    assert seconds_of(refuse) < 1
    assert peak_of(refuse) < 32 * 2**20
    assert len(json.dumps(told[0].as_json())) < 10_000


def test_unknown_fields_are_counted_where_they_are_not_named() -> None:
    with pytest.raises(Invalid) as caught:
        check(NOMINATE, {"model": "m", "version": 1, **{f"x{i}": 1 for i in range(17)}})
    assert [reason.rule for reason in caught.value.reasons][-2:] == ["x9", "fields"]
    assert "7 more unknown fields" in str(caught.value)


def test_what_takes_long_is_answered_to_few_at_a_time() -> None:
    turns = Turns()
    with turns.taken("guest"):
        with pytest.raises(Busy, match="busy") as caught, turns.taken("guest"):
            pass
        assert "one of yours" in str(caught.value) and status_of(caught.value) == 429
        with turns.taken("raj"), pytest.raises(Busy) as caught, turns.taken("mei"):
            pass
        assert "those of others" in str(caught.value)
        with turns.taken("mei"):
            pass
    with turns.taken("guest"):
        pass


def test_only_what_may_take_long_waits_for_its_turn() -> None:
    assert {route.path for route in ROUTES if route.long} == {
        "reconcile", "audit/verify", "audit/purge", "notify/test",
    }  # fmt: skip


def test_a_history_of_more_than_a_page_is_refused_by_name() -> None:
    history = next(route.body for route in ROUTES if route.path == "history")
    with pytest.raises(Invalid, match=r"limit: expected a whole number from 1 to 1000"):
        check(history, {"model": "m", "limit": "1001"})
    assert check(history, {"model": "m", "limit": "1000"})["limit"] == 1000
