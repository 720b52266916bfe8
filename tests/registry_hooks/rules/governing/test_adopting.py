"""The roles with which a model comes under a policy, from its aliases and stages alone."""

from __future__ import annotations

import pytest

from registry_hooks.records import Pair
from registry_hooks.rules.governing.adopting import Found, disagreeing, misleading


def found(aliases: Pair, production: list[int] | None = None, staging: list[int] | None = None) -> Found:
    return Found(aliases, {"Production": production or [], "Staging": staging or []})


def test_where_one_register_says_something_and_the_other_nothing_that_is_the_role():
    both = found(Pair(champion=1), staging=[2])
    assert both.pair("alias") == both.pair("stage") == Pair(champion=1, challenger=2)
    assert disagreeing("churn", both, both.pair("alias"), None) == []


def test_where_they_disagree_both_ways_are_shown_and_a_word_settles_it():
    torn = found(Pair(champion=1), production=[2])
    (reason,) = disagreeing("churn", torn, torn.pair("alias"), None)
    assert reason.rule == "adopt"
    assert reason.found == "aliases champion 1; stages Production 2"
    assert "--adopt alias (champion 1) or --adopt stage (champion 2)" in reason.mend
    for first, version in (("alias", 1), ("stage", 2)):
        assert torn.pair(first) == Pair(champion=version)
        assert disagreeing("churn", torn, torn.pair(first), first) == []


@pytest.mark.parametrize("word", [None, "stage"])
def test_several_versions_in_one_stage_are_for_a_person_to_sort_out(word):
    crowd = found(Pair(), production=[1, 2])
    (reason,) = disagreeing("churn", crowd, crowd.pair("stage"), word)
    assert reason.expected.startswith("one version of 'churn' in Production")
    assert reason.mend == "leave one version in Production, then apply the policy again"


def test_each_alias_that_reads_as_a_role_is_named():
    assert [reason.found for reason in misleading("churn", ["Champion", "FALLBACK"])] == [
        "'churn' has the alias 'Champion'",
        "'churn' has the alias 'FALLBACK'",
    ]
