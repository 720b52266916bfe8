"""A model comes under a policy with the roles that it has: where aliases and stages disagree, nothing goes in silence.

Each case says which aliases and stages there are of versions 1 to 3, and what each of the two would make of them.
"""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.errors import Refused
from registry_hooks.records import ROLES

PATTERN = POLICY.replace(f"models: [{MODEL}]", "models: ['acs-*']")
OTHER = "acs-other"

DISAGREE = {
    "champion": ({"champion": 1}, {2: "Production"}, (1, None, None), (2, None, None)),
    "champion among several in Production": (
        {"champion": 1}, {1: "Production", 2: "Production"}, (1, None, None), (1, None, None),
    ),
    "challenger": ({"champion": 1, "challenger": 2}, {1: "Production", 3: "Staging"}, (1, 2, None), (1, 3, None)),
    "challenger among several in Staging": (
        {"champion": 1, "challenger": 2}, {2: "Staging", 3: "Staging"}, (1, 2, None), (1, 2, None),
    ),
    "the champion's alias on the one in Staging": ({"champion": 1}, {1: "Staging"}, (1, None, None), (None, 1, None)),
    "each other's": (
        {"champion": 1, "challenger": 2}, {2: "Production", 1: "Staging"}, (1, 2, None), (2, 1, None),
    ),
    "champion and fallback on one version": ({"champion": 1, "fallback": 1}, {}, (1, None, None), (1, None, None)),
    "champion and challenger on one version": ({"champion": 1, "challenger": 1}, {}, (1, None, None), (1, None, None)),
    "a fallback that is in Production": ({"fallback": 1}, {1: "Production"}, (1, None, None), (1, None, None)),
    "a fallback of no champion": ({"fallback": 1}, {}, (None, None, None), (None, None, None)),
}  # fmt: skip
AGREE = {
    "the same": ({"champion": 1, "challenger": 2}, {1: "Production", 2: "Staging"}, (1, 2, None)),
    "aliases alone": ({"champion": 1, "fallback": 2}, {}, (1, None, 2)),
    "stages alone": ({}, {1: "Production", 2: "Staging"}, (1, 2, None)),
    "one of each": ({"champion": 1}, {2: "Staging", 3: "Archived"}, (1, 2, None)),
}


@pytest.fixture
def plain(world):
    world.quickly(3)
    return world


def say(world, aliases, stages, model=MODEL):
    for alias, version in aliases.items():
        world.client.set_registered_model_alias(model, alias, str(version))
    for version, stage in stages.items():
        world.client.transition_model_version_stage(model, str(version), stage)


def there(world, model=MODEL):
    aliases = {a: int(v) for a, v in world.client.get_registered_model(model).aliases.items()}
    return aliases, {int(v.version): v.current_stage for v in world.client.search_model_versions(f"name='{model}'")}


def entries(world, model=MODEL):
    with world.acting("admin"):
        return world.desk.history(model)["entries"]


def roles(world, model=MODEL):
    with world.acting("admin"):
        return tuple(world.desk.status(model)["models"][0]["pair"].values())


@pytest.mark.parametrize("name", DISAGREE)
def test_where_aliases_and_stages_disagree_it_is_refused_with_both_states(plain, name):
    aliases, stages, *_ = DISAGREE[name]
    say(plain, aliases, stages)
    before = there(plain)
    with plain.acting("admin"), pytest.raises(Refused) as caught:
        plain.desk.policy_apply(POLICY)
    (reason,) = caught.value.reasons
    assert reason.rule == "adopt" and all(f"{role} {version}" in reason.found for role, version in aliases.items())
    assert all(stage in reason.found and str(version) in reason.found for version, stage in stages.items())
    assert "--adopt alias" in reason.mend and "--adopt stage" in reason.mend
    assert there(plain) == before
    with plain.acting("admin"), pytest.raises(Exception, match="has no policy"):
        plain.desk.status(MODEL)


@pytest.mark.parametrize("adopt", ["alias", "stage"])
@pytest.mark.parametrize("name", DISAGREE)
def test_an_administrator_says_which_counts_and_the_ledger_keeps_the_other(plain, name, adopt):
    aliases, stages, by_alias, by_stage = DISAGREE[name]
    say(plain, aliases, stages)
    wanted = by_alias if adopt == "alias" else by_stage
    answer = plain.govern(adopt=adopt)
    assert roles(plain) == wanted
    assert answer["adopted"] == [{"model": MODEL, "pair": dict(zip(ROLES, wanted, strict=True))}]
    (entry,) = [each for each in entries(plain) if each["action"] == "adopted"]
    counted = "the aliases counted" if adopt == "alias" else "the stages counted"
    assert counted in entry["summary"] and all(f"{role} {v}" in entry["summary"] for role, v in aliases.items())
    assert all(f"{stage}" in entry["summary"] for stage in stages.values())
    plain.assert_sound()


@pytest.mark.parametrize("name", AGREE)
def test_where_one_of_them_is_silent_the_other_counts(plain, name):
    aliases, stages, wanted = AGREE[name]
    say(plain, aliases, stages)
    plain.govern()
    assert roles(plain) == wanted
    (entry,) = [each for each in entries(plain) if each["action"] == "adopted"]
    assert "counted" not in entry["summary"]
    plain.assert_sound()


@pytest.mark.parametrize("adopt", [None, "alias", "stage"])
def test_several_in_production_are_never_decided_by_a_guess(plain, adopt):
    say(plain, {}, {1: "Production", 2: "Production"})
    before = there(plain)
    with plain.acting("admin"), pytest.raises(Refused, match=r"Production 1, 2.*leave one version in Production"):
        plain.desk.policy_apply(POLICY, adopt)
    assert there(plain) == before


def test_an_alias_that_reads_as_a_role_is_told_and_can_be_deleted(plain):
    say(plain, {"Champion": 2, "champion": 1}, {})
    for adopt in (None, "alias"):
        with plain.acting("admin"), pytest.raises(Refused, match="delete the alias 'Champion'"):
            plain.desk.policy_apply(POLICY, adopt)
    plain.client.delete_registered_model_alias(MODEL, "Champion")
    plain.govern()
    assert roles(plain) == (1, None, None)


def test_a_pattern_that_is_widened_adopts_nothing_in_silence_and_tells_of_all_models_at_once(plain):
    plain.govern()
    for model in (OTHER, "acs-third"):
        plain.quickly(2, model)
        say(plain, {"champion": 1}, {2: "Production"}, model)
    with plain.acting("admin"):
        error = refused(Refused, plain, lambda: plain.desk.policy_apply(PATTERN))
    assert rules_of(error) == ["adopt", "adopt"] and OTHER in str(error) and "acs-third" in str(error)
    assert there(plain, OTHER)[1] == {1: "None", 2: "Production"}
    answer = plain.govern(PATTERN, "stage")
    assert [each["model"] for each in answer["adopted"]] == [OTHER, "acs-third"] and answer["let_go"] == []
    assert roles(plain, OTHER) == (2, None, None)


def test_models_that_a_policy_lets_go_are_told(plain):
    plain.quickly(1, OTHER)
    plain.govern(PATTERN)
    answer = plain.govern()
    assert answer["let_go"] == [OTHER] and answer["adopted"] == []


def test_roles_that_were_changed_past_the_server_are_adopted_by_a_choice_as_well(plain):
    plain.govern()
    plain.promote(1)
    with plain.store.ManagedSessionMaker(read_only=False) as session:
        session.connection().exec_driver_sql("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'")
    with plain.acting("ana"), pytest.raises(Refused, match="--adopt"):
        plain.desk.nominate(MODEL, 3)
    with plain.acting("admin"), pytest.raises(Refused, match=r"champion 2; stages Production 1"):
        plain.desk.policy_apply(POLICY)
    plain.govern(adopt="stage")
    assert roles(plain) == (1, None, None)
    plain.assert_sound()


def test_a_governed_model_keeps_its_name_and_none_comes_under_a_pattern_by_another(plain):
    plain.quickly(1, "plain-model")
    plain.govern(PATTERN)
    for name, becoming in ((MODEL, "free"), ("plain-model", "acs-new"), (MODEL, "acs-new")):
        with plain.acting("admin"), pytest.raises(MlflowException, match="is governed"):
            plain.client.rename_registered_model(name, becoming)
