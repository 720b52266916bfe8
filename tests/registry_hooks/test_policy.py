"""Policies: what is read, and that every mistake is told, by place and with the word that was meant."""

from datetime import timedelta

import pytest

from registry_hooks.errors import Invalid
from registry_hooks.identity import Actor
from registry_hooks.policy_file import load_policy, policy_digest

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
        ("kind: drift", "kind: vibes", "promote.evidence.1.kind"),
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
