"""Policies: what is read, and that every mistake is told, by place and with the word that was meant."""

from contextlib import nullcontext as nothing
from datetime import timedelta

import pytest
from support.costing import peak_of, seconds_of

from registry_hooks.errors import Invalid
from registry_hooks.identity import Actor
from registry_hooks.rules.policy import matches
from registry_hooks.rules.policy_file import LARGEST, load_policy, policy_digest

GOOD = """
schema: registry-hooks/policy/1
name: employment
models: [acs-employment]
roles:
  author: [ana]
  risk: [raj, mei]
  oncall: {users: [oncall], mlflow_roles: [sre]}
nominate: {by: [author]}
promote:
  by: [author, risk]
  evidence:
    - {kind: calibration, max_age: 7d}
    - {kind: drift, insufficient: allow}
  approvals:
    - {role: risk, count: 2}
rollback: {by: [oncall], review_due: 90m}
"""


def reasons(text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load_policy(text)
    assert caught.value.reasons
    return [str(reason) for reason in caught.value.reasons]


def test_a_policy_is_read_with_its_defaults():
    policy = load_policy(GOOD)
    assert policy.promote.evidence[0].max_age == timedelta(days=7)
    assert policy.promote.evidence[1].max_age == timedelta(days=30)
    assert policy.promote.evidence[0].accepts("pass") and not policy.promote.evidence[0].accepts("insufficient")
    assert policy.promote.evidence[1].accepts("insufficient") and not policy.promote.evidence[1].accepts("fail")
    assert policy.promote.expires == timedelta(days=7)
    assert policy.rollback.review_due == timedelta(minutes=90)


def test_roles_come_from_names_and_from_mlflows_rbac():
    policy = load_policy(GOOD)
    assert policy.roles_of(Actor("raj", "test")) == ("risk",)
    assert policy.roles_of(Actor("somebody", "test", mlflow_roles=frozenset({"sre"}))) == ("oncall",)
    assert policy.roles_of(Actor("admin", "test", is_admin=True)) == ()


def test_the_digest_is_of_the_text():
    assert policy_digest(GOOD) != policy_digest(GOOD + "# a comment")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("nominate:", "nominat:", "did you mean 'nominate'?"),
        ("max_age: 7d", "maxage: 7d", "did you mean 'max_age'?"),
        ("mlflow_roles", "mlflow_role", "did you mean 'mlflow_roles'?"),
        ("count: 2", "cuont: 2", "did you mean 'count'?"),
        ("role: risk", "role: rsik", "did you mean 'risk'?"),
        ("by: [oncall]", "by: [night-watch]", "define 'night-watch' under roles:"),
        ("kind: drift", "kind: calibration", "each kind once"),
        ("- {role: risk, count: 2}", "- {role: risk, count: 2}\n    - {role: risk}", "each role once"),
        ("kind: drift", "kind: Vibes!", "promote.evidence.1.kind"),
        ("max_age: 7d", "max_age: soon", "90m, 24h, 7d or 2w"),
        ("max_age: 7d", "max_age: 0d", "90m, 24h, 7d or 2w"),
        ("max_age: 7d", "max_age: 999999w", "at most 3650d"),
        ("name: employment", 'name: "a\\0b"', "name: String should match"),
        ("count: 2", "count: 0", "promote.approvals.0.count"),
        ("count: 2", "count: 3", "at least 3 holders of 'risk'"),
        ("policy/1", "policy/9", "schema"),
        ("models: [acs-employment]", "models: [12, '']", "models"),
        ("author: [ana]", "author: []", "at least one user"),
        ("name: employment", "name: employment\nname: other", "key 'name' is given twice"),
        ("models: [acs-employment]", "models: &a [acs-employment]\nextra: *a", "aliases (*name) are not accepted"),
        ("rollback: {by: [oncall], review_due: 90m}", "", "add rollback"),
    ],
)
def test_a_mistake_is_told_with_its_mend(old, new, told):
    assert old in GOOD
    assert any(told in reason for reason in reasons(GOOD.replace(old, new))), reasons(GOOD.replace(old, new))


def test_all_mistakes_are_told_at_once():
    assert len(reasons(GOOD.replace("nominate:", "nominat:").replace("count: 2", "count: 0"))) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "42",
        "a: [",
        "\t",
        "a: b: c",
        "!!python/object:os.system x",
        "a: " + "[" * 5000,
        'a: !!int ""',
        'a: !!float ""',
        "a: !!bool x",
        "a: !!timestamp x",
        "!!set [a]",
    ],
)
def test_what_is_not_a_policy_is_refused_and_nothing_runs(text):
    assert reasons(text)


def test_a_yaml_bomb_is_refused_before_it_unfolds():
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
    assert "aliases (*name) are not accepted" in reasons(bomb)[0]


def test_a_huge_file_is_refused():
    assert "at most" in reasons("x" * 300_000)[0]


ROLES_AND_USERS = GOOD.replace("risk: [raj, mei]", f"risk: [{','.join(f'u{i}' for i in range(9000))}]")
MANY_ROLES = ", ".join(f"r{i}: [a]" for i in range(3000))
COSTLY = {
    "a number of base 60": "a: " + "1:" * 127_000 + "1",
    "a number of base 60, by its tag": "a: !!int " + "1:" * 120_000 + "1",
    "a fraction of base 60": "a: " + "1:" * 124_000 + "1.5",
    "a number of many digits": "a: 1" + "0" * 250_000,
    "an infinite time": "a: 2020-01-01 00:00:00." + "0" * 200_000,
    "a list of words": f"[{'a,' * 125_000}]",
    "a list of lists": f"[{'[],' * 80_000}]",
    "lists within lists": "- - - - - - - - - - a\n" * 10_000,
    "empty items": "-\n" * 125_000,
    "ordered pairs": f"a: !!omap [{'{a: b},' * 30_000}]",
    "merged mappings": "a: {" + ",".join(f"<<: {{a{i}: b}}" for i in range(15_000)) + "}",
    "keys of one hash": "{" + ",".join(f"{i * (2**61 - 1)}: a" for i in range(1, 4_900)) + "}",
    "comments": "# a\n" * 60_000,
    "models that are none": GOOD.replace("[acs-employment]", f"[{'1,' * 9_000}]"),
    "unknown keys": GOOD + "".join(f"k{i}: 1\n" for i in range(4_900)),
    "a key without end": GOOD + f"{'k' * 200_000}: 1\n",
    "roles that nobody defined": GOOD.replace("by: [author]}", f"by: [{'x,' * 3_000}]}}").replace(
        "author: [ana]", f"author: [ana]\n  {MANY_ROLES.replace(', ', chr(10) + '  ')}"
    ),
    "a quorum of many users": ROLES_AND_USERS.replace("count: 2", "count: 100"),
    "a quorum of many roles": GOOD.replace(
        "author: [ana]", "author: [ana]\n  " + MANY_ROLES.replace(", ", "\n  ")
    ).replace("- {role: risk, count: 2}", "\n".join(f"    - {{role: r{i}, count: 100}}" for i in range(900)).strip()),
}


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
def test_whatever_is_written_is_answered_in_little_time_and_memory(text):
    assert len(text) <= LARGEST
    told = []

    def load() -> None:
        with pytest.raises(Invalid) if text is not COSTLY["a quorum of many users"] else nothing() as caught:
            load_policy(text)
        told.append(caught)

    assert seconds_of(load) < 1
    assert peak_of(load) < 64 * 2**20
    if told[0] is not None:
        assert len(str(told[0].value)) < 100_000


@pytest.mark.parametrize("pattern", ["*-*-*-*-prod", "*" * 100 + "x", "*?*?*?*?*?*x", "-*" * 120 + "prod", "*[[*]*x"])
@pytest.mark.parametrize("letters", [240, 20_000])
def test_patterns_are_matched_in_linear_time(pattern, letters):
    found = []
    assert seconds_of(lambda: found.append(matches(pattern, "-" * letters))) < 0.5
    assert found == [False]


@pytest.mark.parametrize(("kind", "said"), [("drifts", "did you mean 'drift'?"), ("vibes", "it writes calibration,")])
def test_a_kind_that_nothing_writes_yet_is_a_warning(kind, said):
    policy = load_policy(GOOD.replace("kind: drift", f"kind: {kind}"))
    assert [item.kind for item in policy.promote.evidence][-1] == kind
    (warning,) = policy.warnings
    assert repr(kind) in warning and said in warning
    assert load_policy(GOOD).warnings == ()


def test_patterns_mean_what_they_say():
    for pattern, model, meant in [
        ("a*b*c", "abbc", True), ("a*b*c", "acb", False), ("*", "", True), ("**a**", "bab", True),
        ("[ab]*", "[ab]x", True), ("[ab]*", "ax", False), ("a.*", "abc", False), ("a*a", "a", False),
        ("*ab", "aab", True), ("a?c", "a\nc", True),
        ("?*", "", False), ("!a*", "!ab", True), ("a-*-b-*", "a-b-b-", True), ("*a?*", "ba", False),
    ]:  # fmt: skip
        assert matches(pattern, model) == meant, (pattern, model)
