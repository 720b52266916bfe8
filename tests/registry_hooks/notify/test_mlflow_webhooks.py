"""MLflow's own registered webhooks hear of roles that the desk moves, in the words of MLflow's own handlers, once."""

import json
import time

import pytest
from support.releasing import POLICY, go, govern, register, serve
from support.serving import ADMIN

ALIAS = "model_version_alias"


@pytest.fixture
def webhook(told, hook):
    made = told.mlflow(
        ADMIN, "POST", "webhooks", name="deployer", url=hook.url, secret="told to both",
        events=[{"entity": "MODEL_VERSION_ALIAS", "action": action} for action in ("CREATED", "DELETED")],
    )  # fmt: skip
    yield made["webhook"]["webhook_id"]
    told.mlflow(ADMIN, "DELETE", f"webhooks/{made['webhook']['webhook_id']}")


def heard(hook, model):
    """What was told about a model: entity, action and data without its name, in order; each request once."""
    said = [json.loads(each["body"]) for each in hook.requests]
    assert all(set(each) == {"entity", "action", "timestamp", "data"} for each in said)
    mine = [each for each in said if each["data"]["name"] == model]
    return [(each["entity"], each["action"], {**each["data"], "name": ""}) for each in mine]


def wait(hook, model, number):
    until = time.monotonic() + 60
    while len(heard(hook, model)) < number:
        assert time.monotonic() < until, heard(hook, model)
        time.sleep(0.02)
    return heard(hook, model)


def settled(told):
    """Return when nothing waits for any target."""
    until = time.monotonic() + 60
    while any(each["waiting"] for each in told.json(ADMIN, "notify", "list")["targets"]):
        assert time.monotonic() < until
        time.sleep(0.02)


def moved(told, model, **aliases):
    for alias, version in aliases.items():
        told.mlflow("ana", "POST", "registered-models/alias", name=model, alias=alias, version=str(version))


def test_what_the_desk_moves_is_told_as_mlflow_tells_of_a_model_without_a_policy(told, hook, webhook):
    plain, governed = f"plain-{webhook}", govern(told)
    told.mlflow("ana", "POST", "registered-models/create", name=plain)
    for _ in range(2):
        register(told, plain)
    moved(told, plain, challenger=1)
    moved(told, plain, champion=1)
    told.mlflow("ana", "DELETE", "registered-models/alias", name=plain, alias="challenger")
    moved(told, plain, challenger=2)
    moved(told, plain, champion=2, challenger=1, fallback=1)
    serve(told, governed), serve(told, governed)
    by_mlflow = wait(hook, plain, 7)
    assert len(by_mlflow) == 7
    settled(told)
    assert sorted(map(str, heard(hook, governed))) == sorted(map(str, by_mlflow))
    created = (ALIAS, "created", {"name": "", "alias": "challenger", "version": "1"})
    assert heard(hook, governed)[0] == created  # and ours in the order of the ledger
    assert heard(hook, governed)[-3:] == [
        (ALIAS, "created", {"name": "", "alias": alias, "version": version})
        for alias, version in (("champion", "2"), ("challenger", "1"), ("fallback", "1"))
    ]
    signed = {name for each in hook.requests for name in each["headers"] if name.startswith("X-MLflow")}
    assert signed == {"X-MLflow-Signature", "X-MLflow-Timestamp", "X-MLflow-Delivery-Id"}


@pytest.mark.parametrize("call", ["alias", "stage"])
def test_mlflows_own_calls_on_a_governed_model_are_told_once(told, hook, webhook, call):
    model = govern(told)
    version, _ = register(told, model)
    go(told, model, version, "ana nominate", "ana request", "raj approve", "mei approve")
    if call == "alias":
        moved(told, model, champion=version)
    else:
        told.mlflow(
            "ana", "POST", "model-versions/transition-stage", name=model, version=str(version), stage="Production",
            archive_existing_versions=False,
        )  # fmt: skip
    assert wait(hook, model, 3) == [
        (ALIAS, "created", {"name": "", "alias": "challenger", "version": "1"}),
        (ALIAS, "created", {"name": "", "alias": "champion", "version": "1"}),
        (ALIAS, "deleted", {"name": "", "alias": "challenger"}),
    ]
    settled(told)
    moved(told, model, blue=version)  # no role: MLflow's own to tell, from the pool that would have told of the role
    moved(told, model, green=version)
    assert [each[2]["alias"] for each in wait(hook, model, 5)[3:]] == ["blue", "green"]


def test_a_rollback_is_told(told, hook, webhook):
    model = govern(told)
    serve(told, model), serve(told, model)
    before = len(wait(hook, model, 7))
    done = told.ask("oncall", "POST", "rollback", json={"model": model, "reason": "it drifts"})
    assert done.ok, done.text
    rolled = wait(hook, model, before + 3)[before:]
    assert rolled == [
        (ALIAS, "created", {"name": "", "alias": "champion", "version": "1"}),
        (ALIAS, "deleted", {"name": "", "alias": "challenger"}),
        (ALIAS, "deleted", {"name": "", "alias": "fallback"}),
    ]


def test_a_model_that_comes_under_a_policy_with_its_alias_is_not_told_of_and_its_break_glass_is(told, hook, webhook):
    model = f"adopted-{webhook}"
    told.mlflow("ana", "POST", "registered-models/create", name=model)
    for _ in range(2):
        register(told, model)
    moved(told, model, champion=1)
    wait(hook, model, 1)
    policy = POLICY.format(name=model, model=model) + "break_glass: {by: [oncall]}\n"
    assert told.ask(ADMIN, "POST", "policy/apply", json={"yaml": policy}).ok
    settled(told)
    assert len(heard(hook, model)) == 1
    body = {"model": model, "version": 2, "reason": "the old one is down"}
    done = told.ask("oncall", "POST", "break-glass", json=body)
    assert done.ok, done.text
    settled(told)
    assert wait(hook, model, 4)[1:] == [
        (ALIAS, "created", {"name": "", "alias": alias, "version": version})
        for alias, version in (("champion", "2"), ("challenger", "1"), ("fallback", "1"))
    ]


def test_a_webhook_is_listed_with_the_targets_and_left_to_mlflow(told, webhook):
    name = f"mlflow-{webhook}"
    (listed,) = [each for each in told.json(ADMIN, "notify", "list")["targets"] if each["name"] == name]
    assert (listed["kind"], listed["address"], listed["waiting"]) == ("mlflow", "deployer", 0)
    for command in ("test", "remove"):
        done = told.cli(ADMIN, "notify", command, name)
        assert done.returncode == 2 and "MlflowClient()." in done.stderr
    assert told.mlflow(ADMIN, "GET", f"webhooks/{webhook}")["webhook"]["name"] == "deployer"


def test_a_webhook_that_is_turned_off_hears_nothing_and_later_nothing_of_that_time(told, hook, webhook):
    told.mlflow(ADMIN, "PATCH", f"webhooks/{webhook}", status="DISABLED")
    model = govern(told)
    serve(told, model)
    settled(told)
    told.mlflow(ADMIN, "PATCH", f"webhooks/{webhook}", status="ACTIVE")
    serve(told, model)
    assert [each[2].get("version") for each in wait(hook, model, 4)] == ["2", "2", "1", "1"]
