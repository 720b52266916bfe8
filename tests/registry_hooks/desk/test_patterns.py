"""Policies by pattern and by default, prompts beside them, and a clock that jumps back."""

from __future__ import annotations

import mlflow
import pytest
from mlflow.entities.model_registry import RegisteredModelTag
from mlflow.exceptions import MlflowException
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.errors import Conflict, Invalid, NotFound, Refused

PROMPT_TAG = "mlflow.prompt.is_prompt"


def policy(*models, name="employment", exempt=()):
    text = POLICY.replace(f"models: [{MODEL}]", f"models: {list(models)}").replace("name: employment", f"name: {name}")
    return text + (f"exempt: {list(exempt)}\n" if exempt else "")


def governs(world, model):
    return world.desk.native.governs(model)


def name_of_policy(world, model):
    return world.desk.policy_show(model=model)["policies"][0]["name"]


def test_a_pattern_governs_what_is_there_and_what_comes(world):
    world.quickly(2, model="credit-old")
    with world.acting("ana"):
        world.client.set_registered_model_alias("credit-old", "champion", "1")
        world.client.transition_model_version_stage("credit-old", "2", "Staging")
    world.govern(policy("credit-*"))
    world.quickly(model="credit-new")
    world.quickly(model="debit")
    with world.acting("ana"):
        pairs = {each["model"]: each["pair"] for each in world.desk.status()["models"]}
        with pytest.raises(MlflowException, match="cannot become champion"):
            world.client.set_registered_model_alias("credit-new", "champion", "1")
        world.client.set_registered_model_alias("debit", "champion", "1")
    assert pairs == {
        "credit-new": {"champion": None, "challenger": None, "fallback": None},
        "credit-old": {"champion": 1, "challenger": 2, "fallback": None},
    }
    assert [governs(world, m) for m in ("credit-", "credit-x", "Credit-x", "xcredit-x", "debit")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert world.desk.audit_verify()["ok"]


def test_governed_by_default_with_exemptions(world):
    world.govern(policy("*", exempt=["scratch-*", "toy"]))
    for model in ("anything", "toy", "scratch-1", "toys"):
        world.quickly(model=model)
    found = {m: governs(world, m) for m in ("anything", "toy", "scratch-1", "toys")}
    assert found == {"anything": True, "toy": False, "scratch-1": False, "toys": True}
    with world.acting("ana"):
        world.client.set_registered_model_alias("toy", "champion", "1")
        with pytest.raises(MlflowException):
            world.client.rename_registered_model("toy", "anything-else")
        with pytest.raises(MlflowException):
            world.client.rename_registered_model("anything", "scratch-2")
    assert world.desk.audit_verify()["ok"]


def test_the_closest_policy_counts(world):
    for text in (
        policy("*", name="default"),
        policy("credit-*", "a?c", name="credit"),
        policy("credit-eu-*", name="eu", exempt=["credit-eu-test"]),
        policy("credit-eu-cards", name="cards"),
        policy("credit-us-*", name="b-us"),
        policy("credit-?s-*", name="us"),
        policy("x-*", name="second"),
        policy("*-x", name="first"),
    ):
        world.govern(text)
    for model, name in {
        "other": "default", "abc": "credit", "abbc": "default", "credit-1": "credit", "credit-eu-1": "eu",
        "credit-eu-test": "credit", "credit-eu-cards": "cards", "credit-us-1": "b-us", "credit-as-1": "us",
        "x-x": "first",
    }.items():  # fmt: skip
        assert name_of_policy(world, model) == name, model
    with pytest.raises(Conflict):
        world.govern(policy("credit-*", name="another"))


def test_a_policy_of_no_models_governs_nothing(world):
    world.govern()
    world.quickly()
    world.govern(policy())
    assert not governs(world, MODEL)
    with world.acting("ana"):
        assert world.desk.status()["models"] == []
        world.client.set_registered_model_alias(MODEL, "champion", "1")
        with pytest.raises(NotFound):
            world.desk.status(MODEL)
    world.govern()
    assert world.roles() == {"champion": 1} and governs(world, MODEL)
    world.assert_sound()


def test_prompts_stay_plain_under_a_pattern(world):
    with world.acting("ana"):
        mlflow.genai.register_prompt("before", "Say {{what}}")
        world.govern(policy("*"))
    with world.acting("ana"):
        mlflow.genai.register_prompt("greeting", "Hello {{name}}")
        mlflow.genai.register_prompt("greeting", "Good day {{name}}")
        mlflow.genai.set_prompt_alias("greeting", "champion", 2)
        mlflow.genai.set_prompt_alias("greeting", "challenger", 1)
        assert mlflow.genai.load_prompt("prompts:/greeting@champion").version == 2
        world.store.set_registered_model_tag("greeting", RegisteredModelTag("team", "support"))
        assert world.desk.status()["models"] == []
        for convert in (
            lambda: world.store.delete_registered_model_tag("greeting", PROMPT_TAG),
            lambda: world.store.set_registered_model_tag("greeting", RegisteredModelTag(PROMPT_TAG, "false")),
            lambda: world.store.create_model_version("greeting", world.quick_model()[1]),
        ):
            with pytest.raises(MlflowException) as caught:
                convert()
            assert caught.value.error_code == "PERMISSION_DENIED"
        mlflow.genai.delete_prompt_alias("greeting", "champion")
    assert not governs(world, "greeting") and not governs(world, "before")
    assert world.desk.audit_verify()["ok"]


def test_a_governed_model_is_not_made_a_prompt(world):
    world.govern(policy("*"))
    world.quickly()
    for call in (
        lambda: world.client.set_registered_model_tag(MODEL, PROMPT_TAG, "true"),
        lambda: world.client.set_model_version_tag(MODEL, "1", PROMPT_TAG, "true"),
        lambda: mlflow.genai.register_prompt(MODEL, "Hello"),
    ):
        with world.acting("ana"), pytest.raises(MlflowException):
            call()
    assert governs(world, MODEL)


# A clock that jumps back ------------------------------------------------------------------------------------------


@pytest.fixture
def served(world):
    """Version 2 serves, version 1 did, and 3 is approved."""
    world.govern()
    world.quickly(3)
    world.promote(1)
    world.promote(2)
    world.ask(3)
    world.approve(3)
    return world


def test_a_clock_that_is_a_little_behind_is_that_of_another_server(served):
    served.later(minutes=-5)
    with served.acting("ana"):
        assert served.desk.plan(MODEL, 3)["allowed"]
        served.desk.promote(MODEL, 3)
    times = [each["at"] for each in entries(served)]
    assert times == sorted(times)
    served.assert_sound()


def entries(world):
    with world.acting("ana"):
        return world.desk.history(MODEL)["entries"]


def test_a_clock_far_behind_decides_nothing_new_and_still_goes_back(served):
    served.later(minutes=-6)
    with served.acting("ana"):
        plan = served.desk.plan(MODEL, 3)
        assert [each["rule"] for each in plan["reasons"]] == ["clock"]
        assert rules_of(refused(Refused, served, lambda: served.desk.promote(MODEL, 3))) == ["clock"]
        assert [each["rule"] for each in served.desk.status(MODEL)["models"][0]["meddled"]] == ["clock"]
        refused(Refused, served, lambda: served.desk.nominate(MODEL, 3))
    with served.acting("oncall"):
        served.desk.rollback(MODEL, "bad")
    assert served.roles()["champion"] == 1
    times = [each["at"] for each in entries(served)]
    assert times == sorted(times)
    served.assert_sound()


def test_an_admin_who_applies_the_policy_again_mends_the_time(served):
    served.later(days=-2)
    served.govern()
    served.later(minutes=1)
    with served.acting("ana"):
        assert served.desk.status(MODEL)["models"][0]["meddled"] == []
    assert served.roles() == {"champion": 2, "challenger": 3, "fallback": 1}
    with served.acting("oncall"):
        served.desk.rollback(MODEL, "bad")
    served.assert_sound()


# As it was --------------------------------------------------------------------------------------------------------


def test_history_as_of_a_time_and_lineage(world):
    world.govern()
    world.quickly(2)
    world.promote(1)
    first = world.now.isoformat()
    world.later(hours=1)
    world.promote(2)
    world.later(hours=1)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "bad")
    with world.acting("ana"):
        was = world.desk.history(MODEL, at=first)
        assert was["as_of"]["pair"]["champion"] == 1 and was["entries"][-1]["action"] == "promoted"
        assert world.desk.history(MODEL, at="2001-01-01")["as_of"]["pair"]["champion"] is None
        refused(Invalid, world, lambda: world.desk.history(MODEL, at="yesterday"))
        one, two = (world.desk.lineage(MODEL, version) for version in (1, 2))
    assert [each["how"] for each in one["deployments"]] == ["promoted", "rolled-back"]
    assert one["deployments"][0]["until"] == two["deployments"][0]["since"] and one["deployments"][1]["until"] is None
    assert two["nominations"][0]["lineage"]["run_id"] == two["now"]["run_id"]
    assert one["registered"]["actor"] == "ana"
