"""What makes a model no ground for a decision is told with what the ledger has and what there is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from registry_hooks.records import ModelState, Nomination, Pair
from registry_hooks.rules.grounds.model import clock_went_back, meddled, nominated_anew, otherwise
from registry_hooks.rules.pair import read_otherwise
from registry_hooks.rules.stages import staged

NEWEST = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def test_a_clock_that_went_back_is_told_with_both_times():
    (reason,) = clock_went_back(NEWEST, NEWEST - timedelta(hours=1))
    assert reason.expected == "a time after this model's newest entry, 2026-01-01 12:00:00Z"
    assert reason.found == "the server's clock says 2026-01-01 11:00:00Z"
    assert clock_went_back(NEWEST, None) == []


def test_what_was_changed_past_the_server_is_told_with_aliases_stages_and_look_alikes():
    stages = {"Production": [2], "Staging": []}
    reason = meddled(Pair(champion=1), Pair(champion=2), stages, ["Champion"])
    assert reason.rule == "meddled"
    assert reason.expected == f"aliases and stages as the ledger has them ({Pair(champion=1)})"
    assert reason.found.startswith(
        f"{Pair(champion=2)}, Production [2], Staging none, alias 'Champion': they were changed"
    )


def test_where_the_ledger_is_contradicted_each_place_is_named():
    says = ModelState(model="churn", pair=Pair(champion=1, challenger=2))
    agreed = {"Production": [1], "Staging": [2]}
    assert otherwise(says, says, says.pair, agreed, ()) == []
    cached = says.model_copy(update={"champions": (1,)})
    assert otherwise(cached, says, Pair(champion=3), {"Production": [3], "Staging": []}, ["Champion"]) == [
        "churn: its cached state is not what its ledger entries say",
        "churn: the alias 'Champion' passes for a role in this database, and the ledger knows none",
        f"churn: the ledger says {says.pair}, the aliases say {Pair(champion=3)}",
        "churn: the ledger says Production is 1, the registry says [3]",
        "churn: the ledger says Staging is 2, the registry says []",
    ]
    nobody = ModelState(model="churn")
    assert otherwise(nobody, nobody, Pair(), {"Production": [1], "Staging": []}, ()) == [
        "churn: the ledger says Production is nobody, the registry says [1]"
    ]


def test_stages_follow_from_roles_and_a_fallback_has_none():
    assert staged(Pair(champion=3, challenger=2, fallback=1)) == {"Production": [3], "Staging": [2]}
    assert staged(Pair()) == {"Production": [], "Staging": []}


def test_what_was_read_before_a_newer_nomination_is_asked_for_again():
    assert (nominated_anew(3).rule, nominated_anew(3).mend) == ("nomination-changed", "ask again")


def test_a_rollback_rests_on_the_files_that_were_read():
    older = Nomination(version=1, evidence=(), files_digest="sha256:1", actor="ana", at=NEWEST)
    newer = older.model_copy(update={"files_digest": "sha256:2"})
    state = ModelState(model="churn", nominations={1: newer})
    assert read_otherwise(state, 1, 1, newer) == []
    assert read_otherwise(state, 2, 2, None) == []
    for target, version, nomination in ((1, 1, older), (2, 1, newer), (1, 1, None)):
        (reason,) = read_otherwise(state, target, version, nomination)
        assert (
            reason.rule == "champion-changed" and reason.mend == "look at registry-hooks status churn, and decide again"
        )
