"""Names that a database may take for a governed model's, or an alias for a role's, are refused however they differ."""

from __future__ import annotations

import pytest
from support.world import MODEL, POLICY

from registry_hooks.rules.governing.calls import governed, no_direct_change
from registry_hooks.rules.governing.names import is_role, misspelt_role, passes_for_matched, passes_for_named
from registry_hooks.rules.policy_file import load_policy

NAMED = load_policy(POLICY)
MATCHED = load_policy(POLICY.replace(f"[{MODEL}]", "['churn-*']"))


@pytest.mark.parametrize("alias", ["champion", "challenger", "fallback", "blue", "champions"])
def test_a_role_as_it_is_written_is_no_other_spelling_of_itself(alias):
    assert is_role(alias) == (alias in ("champion", "challenger", "fallback"))
    assert bool(misspelt_role(alias)) == (not is_role(alias))  # asked only of aliases that the database may mistake


@pytest.mark.parametrize("alias", ["CHAMPION", "Champion", "champion ", "\u00a0champion", "champion\n"])
def test_a_role_in_other_letters_is_told_how_to_write_it(alias):
    (reason,) = misspelt_role(alias)
    assert is_role(alias) and reason.found.endswith("which reads as a role")
    assert reason.mend == "write 'champion', or choose another name"


def test_an_alias_with_accents_may_be_a_role_to_the_database():
    (reason,) = misspelt_role("chämpion")
    assert "may be a role's name to this database" in reason.found


@pytest.mark.parametrize("name", [MODEL.upper(), "acs-emplóyment", MODEL + " ", "ａcs-employment"])
def test_a_name_in_other_letters_passes_for_the_model_that_a_policy_names(name):
    (reason,) = passes_for_named(name, [NAMED])
    assert reason.found.endswith(f"which may be {MODEL!r} to this database") and reason.mend == f"write {MODEL!r}"


def test_letters_that_no_decomposition_takes_apart_are_held_for_those_they_resemble():
    named = load_policy(POLICY.replace(f"[{MODEL}]", "[kobenhavn-ae]"))
    assert passes_for_named("københavn-æ", [named])


def test_a_name_of_its_own_is_refused_by_neither():
    for name in (MODEL, "acs-employment-2", "fraud"):
        assert passes_for_named(name, [NAMED]) == []
        assert passes_for_matched(name, [NAMED, MATCHED]) == []


def test_what_the_database_finds_under_the_name_counts_too():
    (reason,) = passes_for_named("straße", [], governed="strasse")
    assert reason.mend == "write 'strasse'"


def test_a_name_that_a_pattern_would_match_in_other_letters():
    assert passes_for_named("CHURN-eu", [MATCHED]) == []
    (reason,) = passes_for_matched("CHURN-eu", [MATCHED])
    assert "policy 'employment' governs (churn-*)" in reason.found
    assert passes_for_matched("churn-eu", [MATCHED]) == []  # it is governed, under its own name


def test_plain_calls_are_told_what_to_use_instead():
    assert governed(MODEL).found == f"{MODEL!r} is named by one"
    told = no_direct_change(MODEL, "alias 'fallback'", "fallback follows from promotions")
    assert told.found == "a direct change of alias 'fallback'; fallback follows from promotions"
    assert told.mend == f"registry-hooks nominate, promote or rollback {MODEL}"
