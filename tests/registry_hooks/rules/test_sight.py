"""What an audit tells those who may not READ the models that it is about."""

from __future__ import annotations

import json

from support.world import MODEL

from registry_hooks.identity import Actor, acting_as


class _SeesNothing:
    """The sight of somebody whom MLflow lets READ nothing."""

    def model(self, name: str) -> bool:
        return False

    def run(self, run_id: str) -> bool:
        return False

    def logged_model(self, model_id: str) -> bool:
        return False

    def everything(self) -> bool:
        return False


def test_an_audit_tells_a_reader_that_something_is_wrong_and_not_of_which_model(world):
    world.govern()
    world.quickly()
    world.promote(1)
    with world.store.unit_of_work(write=True) as session:
        session.connection().exec_driver_sql("DELETE FROM registered_model_aliases WHERE alias = 'champion'")
        session.connection().exec_driver_sql("UPDATE registry_hooks_ledger SET model = 'other' WHERE seq = 2")
    for sight_of, told in ((lambda _name: _SeesNothing(), False), (None, True)):
        with acting_as(Actor("guest", "test"), None, sight_of):
            answer = world.desk.audit_verify()
        assert not answer["ok"] and len(answer["problems"]) >= 2
        assert (MODEL in json.dumps(answer)) is told
