"""Every public method of MLflow's registry store is in the table, and a method that is not stops the start."""

import inspect

import pytest
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from registry_hooks.errors import RegistryError
from registry_hooks.mlflow_surface.store_methods import CLOSURE, SOME_RELEASES_ONLY, check_closure, public_names
from registry_hooks.store import GovernedStore


def test_the_table_is_exactly_what_this_mlflow_has():
    assert set(CLOSURE) - SOME_RELEASES_ONLY <= public_names(SqlAlchemyStore) <= set(CLOSURE)
    assert set(CLOSURE) >= SOME_RELEASES_ONLY


def test_every_method_of_the_abstract_store_is_in_the_table():
    assert public_names(AbstractStore) <= set(CLOSURE)


def test_every_gate_is_overridden_and_nothing_else_is():
    ours = {name for name, _ in inspect.getmembers(GovernedStore, inspect.isfunction) if name in vars(GovernedStore)}
    assert {n for n in ours if not n.startswith("_")} - {"unit_of_work", "join_reads_of"} == {
        name for name, kind in CLOSURE.items() if kind == "gate"
    }


def test_the_gates_keep_mlflows_signatures():
    for name, kind in CLOSURE.items():
        if kind == "gate":
            theirs = list(inspect.signature(getattr(SqlAlchemyStore, name)).parameters)
            assert list(inspect.signature(getattr(GovernedStore, name)).parameters) == theirs


def test_through_methods_are_mlflows_own_and_built_from_others():
    for name, kind in CLOSURE.items():
        if kind == "through":
            source = inspect.getsource(getattr(AbstractStore, name))
            assert any(
                f"self.{other}(" in source for other in CLOSURE if CLOSURE[other] in ("gate", "through", "pass")
            ), name


def test_a_write_that_a_new_mlflow_adds_stops_the_start():
    class NewerStore(SqlAlchemyStore):
        def teleport_model_version(self):
            """Something nobody has judged."""

    with pytest.raises(RegistryError, match="teleport_model_version"):
        check_closure(NewerStore, GovernedStore)


def test_a_method_that_a_new_mlflow_drops_stops_the_start():
    class NewerStore:
        """Has lost what the gates are built on."""

    with pytest.raises(RegistryError, match=r"lacks methods.*set_registered_model_alias"):
        check_closure(NewerStore, GovernedStore)


def test_a_gate_that_nobody_keeps_stops_the_start():
    class Careless(SqlAlchemyStore):
        """Overrides nothing."""

    with pytest.raises(RegistryError, match="set_registered_model_alias"):
        check_closure(SqlAlchemyStore, Careless)
