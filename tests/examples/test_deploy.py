"""The deployment example: every path, option and variable that it names exists, and what it makes is what it reads."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from mlflow import environment_variables
from mlflow.cli import cli as mlflow_cli

from registry_hooks.cli import main

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVERS = ("server1", "server2")
TEXT = (DEPLOY / "compose.yaml").read_text()
OF_OTHERS = {"PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}  # libpq's and boto3's


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after ``secrets.sh``."""
    folder = tmp_path_factory.mktemp("deploy")
    for file in DEPLOY.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "secrets.sh").chmod(0o755)
    (folder / ".env").write_text((folder / "example.env").read_text())
    for _ in range(2):  # the second time changes nothing
        done = subprocess.run([str(folder / "secrets.sh")], capture_output=True, text=True, check=True)
    assert "nothing was changed" in done.stdout
    return folder


@pytest.mark.parametrize("server", SERVERS)
def test_every_option_of_a_replica_exists(server: str) -> None:
    known = options_of(main.commands["server"]) | options_of(mlflow_cli.commands["server"])  # type: ignore[attr-defined]
    given = [argument.partition("=")[0] for argument in COMPOSE["services"][server]["command"]]
    assert set(given) <= known and len(given) == len(set(given))


def test_every_variable_that_a_replica_reads_exists() -> None:
    of_mlflow = {getattr(each, "name", "") for each in vars(environment_variables).values()}
    assert set(COMPOSE["services"]["server1"]["environment"]) <= of_mlflow | OF_OTHERS | {"MLFLOW_AUTH_ADMIN_USERNAME"}


def test_every_variable_of_the_compose_file_is_in_env(made: Path) -> None:
    named = set(re.findall(r"\$\{(\w+)", TEXT))
    given = dict(line.split("=", 1) for line in (made / ".env").read_text().splitlines() if "=" in line[:40])
    assert named == {name for name in given if name in named} and set(given) == named


def test_every_file_that_is_mounted_or_built_from_exists(made: Path) -> None:
    own = {"cert.pem", "key.pem"}  # which the operator brings
    for secret in COMPOSE["secrets"].values():
        assert (made / secret["file"]).is_file() or Path(secret["file"]).name in own
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file()
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys()
        if "build" in service:
            root = (DEPLOY / service["build"]["context"]).resolve()
            assert (root / service["build"]["dockerfile"]).is_file() and (root / "setup.cfg").is_file()


def test_the_proxy_sends_the_secret_that_the_replicas_know(made: Path) -> None:
    secret = (made / "secrets" / "proxy_secret").read_text().strip()
    assert len(secret) >= 32
    assert (made / "secrets" / "proxy_header").read_text() == f'proxy_set_header X-Registry-Hooks-Proxy "{secret}";\n'
    nginx = (DEPLOY / "nginx.conf").read_text()
    named = set(re.findall(r"/run/secrets/(\w+)", nginx + TEXT))
    assert named == COMPOSE["secrets"].keys()
    assert "proxy_set_header X-Forwarded-User $signed_on;" in nginx  # which takes the place of a client's
    assert set(re.findall(r"server (\w+):5000", nginx)) == set(SERVERS)
    assert nginx.count("{") == nginx.count("}")


def test_the_image_installs_extras_that_there_are() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    [extras] = re.findall(r"/src\[([\w,]+)\]", dockerfile)
    setup = (DEPLOY.parents[1] / "setup.cfg").read_text()
    assert all(re.search(rf"^{extra} =$", setup, re.MULTILINE) for extra in extras.split(","))
    assert "USER mlflow" in dockerfile and 'ENTRYPOINT ["registry-hooks", "server"' in dockerfile
