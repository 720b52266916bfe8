"""A webhook of ours hears what is done on a real server, from the server's own background thread."""

import json
from urllib.parse import urlsplit

from standardwebhooks import Webhook
from support.releasing import govern, serve

BASE = {"champion": None, "challenger": None, "fallback": None}
SERVED = ["registered", "nominated", "requested", "signed", "signed", "promoted"]


def test_a_webhook_hears_a_promotion_of_a_real_server_signed_for_receivers_of_others(told, hook):
    govern(told)  # the first policy of a server also records the accounts that there are
    added = told.json("admin", "notify", "add", "deployer", "webhook", hook.url)
    host = urlsplit(hook.url).netloc
    assert added["target"]["address"] == f"http://{host}/…"  # the rest of an address may be what lets somebody in
    assert added["secret"].startswith("whsec_")
    model = govern(told)
    serve(told, model), serve(told, model)
    verified = told.json("admin", "audit", "verify")
    taken = hook.wait(verified["size"] - added["entry"])
    assert [each["data"]["ledger"]["seq"] for each in taken] == list(range(added["entry"] + 1, verified["size"] + 1))
    events = [each["data"]["event"] for each in taken]
    assert events == ["policy-changed", *SERVED, *SERVED]
    said = taken[-1]
    assert said["type"] == "registry-hooks.promoted"
    assert said["data"]["before"] == {**BASE, "champion": 1, "challenger": 2}
    assert said["data"]["after"] == {"champion": 2, "challenger": 1, "fallback": 1}
    assert (said["data"]["model"], said["data"]["version"], said["data"]["actor"]) == (model, 2, "ana")
    assert said["data"]["page"].startswith("https://models.example/registry-hooks/")
    signed = taken[-2]["data"]
    assert (signed["actor"], signed["reason"], signed["before"]) == ("mei", "read it", said["data"]["before"])
    assert signed["before"] == signed["after"] and signed["proposal"].startswith("P-")
    assert said["data"]["ledger"]["root"] == verified["root"]
    for request in hook.requests:  # by somebody else's implementation
        assert Webhook(added["secret"]).verify(request["body"], request["headers"]) == json.loads(request["body"])
    (listed,) = told.json("admin", "notify", "list")["targets"]
    assert (listed["waiting"], listed["error"], listed["failing_since"]) == (0, None, None)
    tested = told.json("admin", "notify", "test", "deployer")
    assert tested["ok"] and hook.taken[-1]["data"]["event"] == "test"
    removed = told.json("admin", "notify", "remove", "deployer")
    assert removed["target"]["name"] == "deployer"
    assert told.json("admin", "notify", "list")["targets"] == []
