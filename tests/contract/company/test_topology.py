"""Two replicas on PostgreSQL and S3, behind a proxy that signs people on: a place in a company."""

from __future__ import annotations

import json

from support.company.topology import Company
from support.releasing import govern, serve
from support.serving import ADMIN


def test_a_version_is_promoted_through_both_replicas(place: Company) -> None:
    front = place.front
    model = govern(front)
    assert serve(front, model) == 1
    assert {replica for _, status, replica in place.proxy.answered if status == 200} == set(place.proxy.replicas)
    for replica in place.replicas:  # what one wrote, the other serves
        place.proxy.replicas[:] = [replica.uri]
        champion = front.mlflow("ana", "GET", f"registered-models/alias?name={model}&alias=champion")
        assert champion["model_version"]["version"] == "1"
        assert front.ask(ADMIN, "GET", "audit/verify").json()["ok"]
    place.proxy.replicas[:] = [replica.uri for replica in place.replicas]
    entries = front.ask("mei", "GET", "history", params={"model": model}).json()["entries"]
    assert [entry["action"] for entry in entries[-3:]] == ["approved", "approved", "promoted"]
    exported = [json.loads(line) for line in front.ask(ADMIN, "GET", "audit/export").text.splitlines()]
    told = [entry for entry in exported if entry.get("model") == model]
    assert {entry["authenticated_by"] for entry in told} == {"sso"} and len(told) == len(entries)
    assert any(key.endswith("model/MLmodel") for key in place.s3.keys("mlflow/"))
