"""Every kind of entry is an event, and one of its own kind; a row without a body is none."""

from typing import get_args

import pytest
from support.world import MODEL

from registry_hooks.records import AccountAction, Action
from registry_hooks.rules.log.altered import PURGED_BODY, SCOPE, purged_text
from registry_hooks.rules.telling.events import EVENTS, Chosen, events_of
from registry_hooks.storage.outbox.streams import Streams

ACTIONS = sorted({*get_args(Action), *get_args(AccountAction)})


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_the_ledger_is_told_as_an_event_of_the_page(action):
    told = events_of(action)
    assert told and "other" not in told and set(told) <= set(EVENTS)


def test_models_are_chosen_by_name_and_pattern_and_what_is_of_none_is_told_to_all():
    chosen = Chosen(events=("promoted", "review-opened"), models=("acs-*",))
    assert chosen.event_for(("promoted",), "acs-income") == "promoted"
    assert chosen.event_for(("rolled-back", "review-opened"), "acs-income") == "review-opened"
    assert chosen.event_for(("promoted",), "churn") is None
    assert chosen.event_for(("promoted",), None) == "promoted"
    assert chosen.event_for(("nominated",), "acs-income") is None


def test_a_row_whose_body_was_purged_while_it_waited_is_passed_over(world, capsys):
    world.govern()
    with world.acting("admin"):
        world.desk.notify_add("log", "stdout")
    world.quickly(versions=2)
    with world.store.engine.begin() as connection:
        row = {"entry": purged_text(3, 9), "model": SCOPE, "action": PURGED_BODY}
        changed = "UPDATE registry_hooks_ledger SET entry = :entry, model = :model, action = :action WHERE seq = 3"
        connection.exec_driver_sql(changed, row)
    courier = world.desk.notifying.courier
    for target_id in courier.due():
        courier.tell(target_id)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1 and MODEL in told[0]
    with world.acting("admin"):
        assert world.desk.notify_list()["targets"][0]["waiting"] == 0
    with world.store.unit_of_work(write=False) as session:
        assert Streams(session).root_after(2) == "" and Streams(session).root_after(4)
