"""Attempts to change what serves through MLflow's own API: each is refused at once, and nothing changes.

The table is the list: who, where, with what, and what the refusal must say. On the model `release` has made, version 1
is the fallback, 2 the champion, 3 was never nominated, 4 is the challenger with one approval of two, and 5 has Evidence
that fails. ana owns everything and may do everything in MLflow; the administrator is bound by the gate as well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from support.attacking import AJAX, Attacker, Attempt, release
from support.releasing import POLICY, govern, serve
from support.serving import ADMIN, Server

ALIAS, STAGE = "registered-models/alias", "model-versions/transition-stage"
VERSIONS, MODELS = "model-versions", "registered-models"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"
UPLOAD = f"{AJAX}upload-artifact?run_uuid=$run&path="
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PLAIN = {"Content-Type": "text/plain"}
NO_PROMOTION = "cannot become champion"
PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
ITS_ALIAS = {"name": "$model", "alias": "champion"}
SERVING = {"name": "$model", "version": "$champion"}
CHAMPION = {"name": "$model", "alias": "champion", "version": "$fresh"}
JAVA = """{
  "name": "$model",
  "version": "$fresh",
  "stage": "Production",
  "archive_existing_versions": true
}"""
QUERY = "name=$model&alias=champion&version=$fresh"
PRODUCTION = {"name": "$model", "version": "$fresh", "stage": "Production"}


def alias(name: str, said: str = NO_PROMOTION, user: str = "ana", **more: Any) -> Attempt:
    return Attempt(name, "POST", ALIAS, CHAMPION | more, user, said)


def stage(name: str, said: str = NO_PROMOTION, user: str = "ana", **more: Any) -> Attempt:
    return Attempt(name, "POST", STAGE, PRODUCTION | more, user, said)


ALIASES = [
    alias("champion to a version that nobody nominated"),
    alias("champion by the administrator", user="admin"),
    alias("champion by a reader", "Permission denied", "guest"),
    Attempt("champion by nobody", "POST", ALIAS, CHAMPION, None, "not authenticated"),
    alias("champion to the challenger with half of the approvals", version="$challenger"),
    alias("champion to a version with failing Evidence", version="$failing"),
    alias("champion to the fallback by somebody who may not roll back", "cannot be rolled back", version="$fallback"),
    alias("champion to the fallback by the administrator", "cannot be rolled back", "admin", version="$fallback"),
    alias("challenger to failing Evidence", "cannot be nominated", alias="challenger", version="$failing"),
    alias("challenger to the champion", "cannot be nominated", alias="challenger", version="$champion"),
    alias("fallback to a version that never served", "fallback follows", alias="fallback"),
    alias("fallback by the administrator", "fallback follows", "admin", alias="fallback"),
    alias("alias in capitals", "reads as a role", alias="CHAMPION"),
    alias("alias with a capital", "reads as a role", alias="Champion"),
    alias("alias with a space behind", "reads as a role", alias="champion "),
    alias("alias with a newline behind", "reads as a role", alias="champion\n"),
    alias("alias with a no-break space in front", "reads as a role", alias="\u00a0champion"),
    alias("alias with a zero-width space", "Invalid alias name", alias="champion\u200b"),
    alias("alias with a combining letter", "Invalid alias name", alias="champio\u0301n"),
    alias("alias written from right to left", "Invalid alias name", alias="\u202enoipmahc"),
    alias("alias with a NUL", "Invalid alias name", alias="champion\x00"),
    alias("alias latest", "reserved", alias="latest"),
    alias("alias LATEST", "reserved", alias="LATEST"),
    alias("alias that reads as a version", "reserved", alias="v$champion"),
    alias("alias as a list", "each thing once", alias=["champion"]),
    alias("version in fullwidth digits", version="３"),
    alias("version in Arabic digits", version="٣"),
    alias("version with a leading zero", version="0$fresh"),
    alias("version with a plus", version="+$fresh"),
    alias("version with spaces around it", version=" $fresh "),
    alias("version with an underscore", version="0_$fresh"),
    alias("version below zero", "no version -3", version="-$fresh"),
    alias("version with a fraction", "must be an integer", version="$fresh.0"),
    alias("version with an exponent", "must be an integer", version="${fresh}e0"),
    alias("version as a number with a fraction", "Invalid value", version=3.0),
    alias("version true", "Invalid value", version=True),
    alias("version with a NUL", "must be an integer", version="$fresh\x00"),
    alias("version beyond what a database holds", "no version", version="9" * 19),
    alias("version of five thousand digits", "must be an integer", version="9" * 5000),
    alias("version that is SQL", "must be an integer", version="$fresh; DROP TABLE registered_model_aliases"),
    Attempt("champion taken away", "DELETE", ALIAS, ITS_ALIAS, said="never taken away"),
    Attempt("champion taken away by the administrator", "DELETE", ALIAS, ITS_ALIAS, "admin", "never taken"),
    Attempt("fallback taken away", "DELETE", ALIAS, {"name": "$model", "alias": "fallback"}, said="never taken away"),
    Attempt("CHAMPION taken away", "DELETE", ALIAS, {"name": "$model", "alias": "CHAMPION"}, said="never taken away"),
]  # fmt: skip

STAGES = [
    stage("Production for a version that nobody nominated"),
    stage("Production by the administrator", user="admin"),
    stage("production in small letters", stage="production"),
    stage("PRODUCTION in capitals", stage="PRODUCTION"),
    stage("Production with a space behind", "Invalid Model Version stage", stage="Production "),
    stage("Production in fullwidth letters", "Invalid Model Version stage", stage="Ｐroduction"),
    stage("Production with the existing versions archived", archive_existing_versions=True),
    stage("Production with the existing versions archived, in camel case", archiveExistingVersions=True),
    stage("Production for the fallback", "cannot be rolled back", version="$fallback"),
    stage("Staging for a version with failing Evidence", "cannot be nominated", stage="Staging", version="$failing"),
    stage("the champion into Staging", "cannot be nominated", stage="Staging", version="$champion"),
    stage("the champion archived", "follows from its role", stage="Archived", version="$champion"),
    stage("the champion archived by the administrator", "follows", "admin", stage="Archived", version="$champion"),
    stage("the champion without a stage", "follows from its role", stage="None", version="$champion"),
    stage("the champion into the stage of what is deleted", "Invalid Model", stage="Deleted_Internal",
          version="$champion"),
    stage("another version archived together with all that serve", "goes with Production", stage="Archived",
          archive_existing_versions=True),
]  # fmt: skip

VERSIONS_AND_MODELS = [
    Attempt("the champion deleted", "DELETE", f"{VERSIONS}/delete", SERVING,
            said="cannot be deleted"),
    Attempt("the champion deleted by the administrator", "DELETE", f"{VERSIONS}/delete",
            SERVING, "admin", "cannot be deleted"),
    Attempt("the champion deleted by another spelling of its number", "DELETE", f"{VERSIONS}/delete",
            {"name": "$model", "version": "٠٢"}, said="cannot be deleted"),
    Attempt("the fallback deleted", "DELETE", f"{VERSIONS}/delete", {"name": "$model", "version": "$fallback"},
            said="cannot be deleted"),
    Attempt("the model deleted", "DELETE", f"{MODELS}/delete", {"name": "$model"}, said="is governed"),
    Attempt("the model deleted by the administrator", "DELETE", f"{MODELS}/delete", {"name": "$model"}, "admin",
            "is governed"),
    Attempt("the model renamed", "POST", f"{MODELS}/rename", {"name": "$model", "new_name": "$model-2"},
            said="is governed"),
    Attempt("the model renamed, in camel case", "POST", f"{MODELS}/rename", {"name": "$model", "newName": "$model-2"},
            "admin"),
    Attempt("another model renamed to it", "POST", f"{MODELS}/rename", {"name": "$plain", "new_name": "$model"},
            said="is governed"),
    Attempt("another model renamed to a governed name that is free", "POST", f"{MODELS}/rename",
            {"name": "$plain", "new_name": "$planned"}, said="is governed"),
    Attempt("the model created once more", "POST", f"{MODELS}/create", {"name": "$model"}, said="ALREADY_EXISTS"),
    Attempt("a prompt created under its name", "POST", f"{MODELS}/create", {"name": "$model", "tags": [PROMPT]},
            said="is governed"),
    Attempt("a prompt created under a governed name that is free", "POST", f"{MODELS}/create",
            {"name": "$planned", "tags": [PROMPT]}, said="is governed"),
    Attempt("the model made a prompt by a tag", "POST", f"{MODELS}/set-tag", {"name": "$model", **PROMPT},
            said="is governed"),
    Attempt("the model made a prompt by the administrator", "POST", f"{MODELS}/set-tag", {"name": "$model", **PROMPT},
            "admin", "is governed"),
    Attempt("the champion hidden by a prompt's tag", "POST", f"{VERSIONS}/set-tag",
            {"name": "$model", "version": "$champion", **PROMPT}, said="is governed"),
    Attempt("every version hidden by the tag of one", "POST", f"{VERSIONS}/set-tag",
            {"name": "$model", "version": "$fresh", **PROMPT}, "admin", "is governed"),
    Attempt("a prompt's version added", "POST", f"{VERSIONS}/create",
            {"name": "$model", "source": "prompt-template", "tags": [PROMPT]},
            said="is governed"),
    Attempt("a version from a file of the server", "POST", f"{VERSIONS}/create",
            {"name": "$model", "source": "file:///etc", "stage": "Production"}, said="files of a run or a model"),
    Attempt("a version from a version of no model", "POST", f"{VERSIONS}/create",
            {"name": "$model", "source": "models:/nothing/1", "aliases": ["champion"]}),
    Attempt("a version added by a reader", "POST", f"{VERSIONS}/create",
            {"name": "$model", "source": "models:/$model/$fresh"}, "guest", "Permission denied"),
]  # fmt: skip

ROUTES_AND_BODIES = [
    Attempt("by the route of pages", "POST", AJAX + ALIAS, CHAMPION, said=NO_PROMOTION),
    Attempt("stage by the route of pages", "POST", AJAX + STAGE, PRODUCTION, said=NO_PROMOTION),
    Attempt("as MLflow's Java client sends it", "POST", STAGE, said=NO_PROMOTION, text=JAVA,
            headers={"User-Agent": "mlflow-java-client/3.17.2", "Content-Type": "application/json; charset=UTF-8"}),
    Attempt("by a version of the API that is none", "POST", f"/api/3.0/mlflow/{ALIAS}", CHAMPION, "admin"),
    Attempt("by the old preview API", "POST", f"/api/2.0/preview/mlflow/{ALIAS}", CHAMPION, "admin"),
    Attempt("by a path with two slashes", "POST", f"//api//2.0/mlflow/{ALIAS}", CHAMPION),
    Attempt("by a path with two slashes, as administrator", "POST", f"/api/2.0//mlflow/{ALIAS}", CHAMPION, "admin"),
    Attempt("by a path with a slash behind", "POST", f"/api/2.0/mlflow/{ALIAS}/", CHAMPION, "admin"),
    Attempt("by a path in capitals", "POST", f"/API/2.0/MLFLOW/{ALIAS}", CHAMPION, "admin"),
    Attempt("by a path with escaped letters", "POST", "/api/2.0/mlflow/registered%2Dmodels/%61lias", CHAMPION,
            said=NO_PROMOTION),
    Attempt("by a path with an escaped slash", "POST", "/api/2.0/mlflow/registered-models%2Falias", CHAMPION,
            said=NO_PROMOTION),
    Attempt("by a path through a route without logins", "POST", f"/health/../api/2.0/mlflow/{ALIAS}", CHAMPION, None),
    Attempt("by a path through static files", "POST", f"/static-files/%2e%2e/api/2.0/mlflow/{ALIAS}", CHAMPION, None),
    Attempt("by a path with parameters behind a semicolon", "POST", f"/api/2.0/mlflow/{ALIAS};x=1", CHAMPION, "admin"),
    Attempt("by the wrong verb", "PUT", ALIAS, CHAMPION),
    Attempt("by the wrong verb, as administrator", "PATCH", ALIAS, CHAMPION, "admin"),
    Attempt("by a verb that is none", "PROMOTE", ALIAS, CHAMPION, "admin"),
    Attempt("by a verb in another header", "POST", f"{VERSIONS}/delete", SERVING,
            headers={"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE"}),
    Attempt("as a form", "POST", ALIAS, text=QUERY, headers=FORM),
    Attempt("as a form, as administrator", "POST", ALIAS, text=QUERY, headers=FORM, user="admin"),
    Attempt("in the query", "POST", f"{ALIAS}?{QUERY}", user="admin"),
    Attempt("as JSON that is not announced", "POST", ALIAS, CHAMPION, "admin", headers=PLAIN),
    Attempt("as JSON within a JSON text", "POST", ALIAS, user="admin", said=NO_PROMOTION,
            text=r'"{\"name\": \"$model\", \"alias\": \"champion\", \"version\": \"$fresh\"}"'),
    Attempt("as a list", "POST", ALIAS, [CHAMPION]),
    Attempt("as a list, as administrator", "POST", ALIAS, [CHAMPION], "admin"),
    Attempt("in UTF-16", "POST", ALIAS, text='{"name": "x"}'.encode("utf-16"), user="admin"),
    Attempt("with fields that no route knows", "POST", ALIAS, CHAMPION | {"force": True, "actor": "admin"},
            said=NO_PROMOTION),
    Attempt("with the model twice, mine first", "POST", ALIAS, said="say each thing once",
            text='{"name": "$plain", "name": "$model", "alias": "champion", "version": "$fresh"}'),
    Attempt("with the alias twice, a harmless one first", "POST", ALIAS, said="say each thing once",
            text='{"name": "$model", "alias": "nightly", "alias": "champion", "version": "$fresh"}'),
    Attempt("with the stage in both spellings of a field", "POST", STAGE, user="admin",
            body=PRODUCTION | {"archive_existing_versions": False, "archiveExistingVersions": True}),
    Attempt("deletion whose query names a model of mine and whose body names this one", "DELETE",
            f"{MODELS}/delete?name=$guests", {"name": "$model"}, "guest", headers=PLAIN),
    Attempt("alias of a name with a space behind", "POST", ALIAS, CHAMPION | {"name": "$model "}, "admin", "not"),
    Attempt("alias of a name in capitals", "POST", ALIAS, CHAMPION | {"name": "$MODEL"}, "admin", "not"),
    Attempt("alias of a name with a NUL", "POST", ALIAS, CHAMPION | {"name": "$model\x00"}, "admin", "not"),
    Attempt("alias of an escaped name", "POST", ALIAS, CHAMPION | {"name": "$model%20"}, "admin", "not"),
    Attempt("alias of a name with a Cyrillic letter", "POST", ALIAS, CHAMPION | {"name": "\u0441$model"}, "admin",
            "not"),
    Attempt("alias of a name in another normal form", "POST", ALIAS, CHAMPION | {"name": "$decomposed"}, "admin", "not",
            on="composed"),
    Attempt("with a workspace of one's own", "POST", ALIAS, CHAMPION, "admin", headers={"X-MLFLOW-WORKSPACE": "mine"}),
    Attempt("in the name of a user whom a proxy would name", "POST", ALIAS, CHAMPION, None, "not authenticated",
            headers={"X-Forwarded-User": "admin", "X-Remote-User": "admin", "Remote-User": "admin"}),
    Attempt("with a token instead of a login", "POST", ALIAS, CHAMPION, None,
            headers={"Authorization": "Bearer admin"}),
    Attempt("with an internal token of jobs", "POST", ALIAS, CHAMPION, None,
            headers={"X-MLflow-Internal-Token": "x", "X-MLFLOW-INTERNAL-GATEWAY-AUTH-TOKEN": "x"}),
]  # fmt: skip

OTHER_DOORS = [
    Attempt("GraphQL mutation that is cut short", "POST", "/graphql", {"query": "mutation { setRegisteredModelAlias("}),
    Attempt("GraphQL mutations in one batch", "POST", "/graphql",
            [{"query": "mutation { a: mlflowSetRegisteredModelAlias(input: {}) { name } }"}] * 3),
    Attempt("GraphQL mutation by GET", "GET", "/graphql?query=mutation%7BsetAlias%7Bname%7D%7D", user="admin"),
    Attempt("upload over the database", "PUT", FILES + "../mlflow.db", text=b"x"),
    Attempt("upload over the database, escaped", "PUT", FILES + "%2e%2e%2fmlflow.db", text=b"x",
            user="admin"),
    Attempt("upload over the database, escaped twice", "PUT",
            FILES + "%252e%252e%252fmlflow.db", text=b"x", user="admin"),
    Attempt("deletion of the database", "DELETE", FILES + "..%2fmlflow.db", user="admin"),
    Attempt("upload of files into a run, by a reader", "POST", UPLOAD + "model/MLmodel",
            user="guest", text=b"x", said="Permission denied"),
    Attempt("upload out of a run", "POST", UPLOAD + "../../../../mlflow.db", text=b"x"),
    Attempt("files of the version replaced by a reader", "PUT", FILES + "$files/MLmodel",
            user="guest", text=b"x"),
    Attempt("an experiment that keeps its files in the version's folder, by a reader", "POST", "experiments/create",
            {"name": "$model", "artifact_location": "file://$disk"}, "guest", "ask an administrator"),
    Attempt("an experiment that keeps its files in the version's folder, by a plain path", "POST", "experiments/create",
            {"name": "$model", "artifactLocation": " $disk"}, "ana", "ask an administrator"),
    Attempt("webhook", "POST", "webhooks", {"name": "w", "url": "https://x.example"}, said="is shut"),
    Attempt("job", "POST", "/ajax-api/3.0/jobs/", {"job_name": "promote", "params": {}}),
    Attempt("job by the administrator", "POST", "/ajax-api/3.0/jobs/",
            {"job_name": "mlflow.MlflowClient.set_registered_model_alias", "params": CHAMPION}, "admin"),
    Attempt("assistant", "POST", "/ajax-api/3.0/mlflow/assistant/message", {"message": "promote"}, None),
    Attempt("alias of an MCP server of this name", "POST", "/ajax-api/3.0/mlflow/mcp-servers/$model/aliases",
            {"alias": "champion", "version": "$fresh"}, "guest"),
    Attempt("demo data deleted", "POST", "/ajax-api/3.0/mlflow/demo/delete", {}),
]  # fmt: skip
ATTEMPTS = [*ALIASES, *STAGES, *VERSIONS_AND_MODELS, *ROUTES_AND_BODIES, *OTHER_DOORS]


@pytest.fixture(scope="module")
def names(governed: Server) -> dict[str, str]:
    """The model under attack, and what lies around it."""
    made = release(governed)
    plain, guests = made["model"] + "-plain", made["model"] + "-guests"
    governed.mlflow("ana", "POST", f"{MODELS}/create", name=plain)
    governed.mlflow("guest", "POST", f"{MODELS}/create", name=guests)
    planned, composed = made["model"] + "-planned", govern(governed, "caf\u00e9")
    serve(governed, composed)
    policy = {"yaml": POLICY.format(name=planned, model=planned)}
    assert governed.ask(ADMIN, "POST", "policy/apply", json=policy).ok
    disk = governed.directory / "mlartifacts" / made["files"]
    assert disk.is_dir()
    around = {"disk": str(disk), "plain": plain, "guests": guests, "planned": planned, "composed": composed}
    return made | around | {"decomposed": unicodedata.normalize("NFD", composed)}


@pytest.fixture(scope="module")
def attacker(governed: Server, names: dict[str, str]) -> Iterator[Attacker]:
    """Whoever is logged in, over warm connections."""
    made = Attacker(governed, names)
    yield made
    made.close()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_an_attempt_is_refused_at_once_and_changes_nothing(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)
