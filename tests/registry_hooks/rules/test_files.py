"""Files held against the nominated list, and every refusal that names them."""

from __future__ import annotations

from registry_hooks.rules.files import (
    changed_on_the_way_back,
    deleted_reason,
    differing_files,
    files_reason,
    missing_reason,
    unreachable_reason,
)

NOMINATED = {"MLmodel": (10, "a"), "model.pkl": (20, "b"), "conda.yaml": (5, "c")}


def test_what_differs_is_named_file_by_file():
    found = {"MLmodel": (10, "a"), "model.pkl": (20, "x"), "extra.bin": (1, "e")}
    assert differing_files(NOMINATED, found) == (
        "conda.yaml is missing",
        "extra.bin was added",
        "model.pkl was changed",
    )
    assert differing_files(NOMINATED, NOMINATED) == ()
    assert differing_files(None, found) == ("files differ, and the nominated list of files is gone",)


def test_of_many_names_five_are_told():
    names = tuple(f"{number} was changed" for number in range(7))
    assert files_reason("churn", 2, names).found.endswith("4 was changed and 2 more")
    assert missing_reason("churn", 2, names, []).found.endswith("4 was changed and 2 more")


def test_changed_files_in_the_way_of_a_rollback_name_other_versions_and_the_way_past():
    usual, back = files_reason("churn", 2, ("a was added",)), changed_on_the_way_back("churn", 2, ("a was added",), [1])
    assert (usual.rule, usual.expected, usual.found) == (back.rule, back.expected, back.found)
    assert usual.mend.endswith("register them as a new version of churn and nominate that")
    assert back.mend == (
        "registry-hooks rollback churn --reason … --to VERSION, with one of [1], or --verify later, "
        "to serve these files as they are"
    )
    assert "--to" not in changed_on_the_way_back("churn", 2, (), []).mend


def test_missing_files_name_other_versions_where_there_are_some():
    assert missing_reason("churn", 2, ("a is missing",), []).mend == "put the files back where they were"
    assert "with one of [1]" in missing_reason("churn", 2, ("a is missing",), [1]).mend


def test_a_store_that_does_not_say_and_a_run_that_is_deleted_have_rules_of_their_own():
    assert unreachable_reason(2, "no answer within 5 s").rule == "files-unreachable"
    assert (deleted_reason(2, "run r1 is deleted").rule, deleted_reason(2, "run r1 is deleted").found) == (
        "deleted", "run r1 is deleted",
    )  # fmt: skip
