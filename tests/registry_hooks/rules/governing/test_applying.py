"""What keeps a sound policy from coming into force: another one that has its models, signatures nobody can give."""

from __future__ import annotations

from support.world import MODEL, POLICY

from registry_hooks.identity import Actor
from registry_hooks.rules.governing.applying import clash, unprovable
from registry_hooks.rules.policy_file import load_policy

EMPLOYMENT = load_policy(POLICY)


def another(name: str, models: str) -> str:
    return POLICY.replace("name: employment", f"name: {name}").replace(f"[{MODEL}]", f"[{models}]")


def test_a_model_that_another_policy_names_is_told_with_each_such_policy():
    third = load_policy(another("third", "churn, fraud"))
    both = load_policy(another("both", f"fraud, churn, {MODEL}"))
    found = [(reason.found, reason.mend) for reason in clash(both, [EMPLOYMENT, third])]
    assert found == [
        (f"{MODEL} is governed by policy 'employment' already", "take it out of policy 'employment' first"),
        ("churn, fraud is governed by policy 'third' already", "take it out of policy 'third' first"),
    ]


def test_a_policy_does_not_clash_with_its_own_earlier_version_nor_with_a_pattern_that_matches():
    assert clash(EMPLOYMENT, [EMPLOYMENT]) == []
    assert clash(load_policy(another("wide", "'*'")), [EMPLOYMENT]) == []


def test_a_signature_by_password_is_asked_for_only_where_logins_are_passwords():
    strict = load_policy(POLICY.replace("  expires: 7d", "  expires: 7d\n  reauthenticate: true"))
    by_token, by_password = Actor("ana", "mlflow-auth:by_token"), Actor("ana", "mlflow-auth")
    found = [(reason.rule, reason.found) for reason in unprovable(strict, by_token)]
    assert found == [("re-authentication", "logins by mlflow-auth:by_token")]
    assert unprovable(strict, by_password) == []
    assert unprovable(strict, None) == []  # nobody is asking: read outside a server
    assert unprovable(EMPLOYMENT, by_token) == []
