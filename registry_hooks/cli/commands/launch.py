"""Start MLflow's server in this process: secret, logins and administrator first, then `mlflow server` as it is."""

from __future__ import annotations

import base64
import configparser
import io
import os
import secrets
import signal
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import click

from registry_hooks.cli.failures import NO_ANSWER, USAGE, Failure
from registry_hooks.cli.output import heading
from registry_hooks.errors import Invalid, RegistryError
from registry_hooks.mlflow_surface.releases import create_first_administrator, demanded_settings
from registry_hooks.mlflow_surface.settings import SHARED_NUMBERS
from registry_hooks.mlflow_surface.sign_on import FUNCTION

LOG_KEY, CHECKPOINTS, NUMBERS = "log.key", "checkpoints", "numbers"
SECRET, ENCRYPTION, CONFIGURATION, LOGINS = "secret.key", "webhooks.key", "auth.ini", "auth.db"


def launch(options: dict[str, Any], mlflow_arguments: tuple[str, ...]) -> NoReturn:
    """Run the server until it is told to stop; does not return."""
    state: Path = options["state_dir"].absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for uri in dict.fromkeys(
        options[f"{name}_store_uri"].removeprefix("governed:") for name in ("backend", "registry")
    ):
        _make_ready(uri)
    os.environ.setdefault("MLFLOW_FLASK_SERVER_SECRET_KEY", _secret_key(state / SECRET))
    _keep_checkpoints(state)
    os.environ.setdefault("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", _encryption_key(state / ENCRYPTION))
    if not os.environ.get("MLFLOW_AUTH_CONFIG_PATH"):
        os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(_write_configuration(state, options))
    _make_administrator()
    if options["signed_on"]:
        _require_sign_on()
    _share_job_token()
    # Not the folder of another replica, where several have one state dir.
    _share_numbers(state / NUMBERS / f"{socket.gethostname()}-{options['port']}")
    if hasattr(signal, "SIGHUP"):
        # A closed terminal makes uvicorn restart its workers, and would end only the process above them.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))

    from mlflow.cli import cli

    cli.main(["server", *_arguments(options), *mlflow_arguments], prog_name="mlflow")
    raise SystemExit(0)


def _make_ready(database_uri: str) -> None:
    """End with one message, before there are workers that would each end with a traceback and be started again."""
    from registry_hooks.storage.upgrading import Unreachable, make_ready

    try:
        make_ready(database_uri)
    except Unreachable as error:
        raise Failure(f"not started: {error}", NO_ANSWER) from error
    except RegistryError as error:
        raise Failure(f"not started: {error}", USAGE) from error


def _keep_checkpoints(state: Path) -> None:
    """Sign the audit log's checkpoints, and keep copies of them, unless told otherwise: with a key of this state."""
    from registry_hooks.storage.log import outside

    os.environ.setdefault(outside.KEY, str(state / LOG_KEY))
    os.environ.setdefault(outside.DIRECTORY, str(state / CHECKPOINTS))


def _arguments(options: dict[str, Any]) -> list[str]:
    names = ("backend_store_uri", "registry_store_uri", "artifacts_destination", "host", "port", "workers", "app_name")
    arguments = [f"--{name.replace('_', '-')}={options[name]}" for name in names]
    if options["uvicorn_opts"]:
        arguments.append(f"--uvicorn-opts={options['uvicorn_opts']}")
    return arguments


def _secret_key(path: Path) -> str:
    """The key that all workers, starts and replicas with this state share; made once, readable by its owner only."""
    made = _written_beside(path, secrets.token_hex(32) + "\n")
    try:
        os.link(made, path)  # whole, or not at all: another replica may read it at this moment
    except FileExistsError:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Failure(f"not started: others can read {path}; run: chmod 600 {path}", USAGE) from None
        key = path.read_text().strip()
        if len(key) < 32:
            raise Failure(f"not started: {path} holds no key; remove it, and the next start makes one", USAGE) from None
        return key
    finally:
        made.unlink()
    return path.read_text().strip()


def _written_beside(path: Path, text: str) -> Path:
    """A file of that text, readable by its owner only, in the folder of ``path``."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return Path(name)


def _encryption_key(path: Path) -> str:
    """The key of what webhooks must keep secret, as Fernet takes it."""
    return base64.urlsafe_b64encode(bytes.fromhex(_secret_key(path))).decode()


def _write_configuration(state: Path, options: dict[str, Any]) -> Path:
    parser = configparser.ConfigParser(interpolation=None)
    settings = {
        "default_permission": options["default_permission"] or "READ",
        "database_uri": options["auth_database_uri"] or f"sqlite:///{state / LOGINS}",
        "admin_username": os.environ.get("MLFLOW_AUTH_ADMIN_USERNAME") or "admin",
        "auth_cache_ttl_seconds": str(options["auth_cache_seconds"] or 0),
        **({"authorization_function": FUNCTION} if options["signed_on"] else {}),
        **demanded_settings(),
    }
    # MLflow reads with interpolation, where a % (as in an escaped password) must be doubled.
    parser["mlflow"] = {name: value.replace("%", "%%") for name, value in settings.items()}
    if not options["auth_database_uri"]:
        (state / LOGINS).touch(mode=0o600)  # SQLite would make it readable by others
    path = state / CONFIGURATION
    text = io.StringIO()
    text.write("; Written by `registry-hooks server` at every start. For your own, set MLFLOW_AUTH_CONFIG_PATH.\n")
    parser.write(text)
    _written_beside(path, text.getvalue()).replace(path)  # the URI may hold a password
    return path


def _make_administrator() -> None:
    """Create the auth database and its first administrator in one process, before there are workers to race.

    MLflow does this itself, but only for the app named ``basic-auth``.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.server import auth

    from registry_hooks.storage.upgrading import Unreachable, alone

    configured = auth.auth_config
    try:
        with alone(configured.database_uri):  # other replicas may start at this moment
            auth.store.init_db(configured.database_uri, read_db_uri=configured.read_database_uri)
            password = create_first_administrator(auth)
    except MlflowException as error:
        raise Failure(f"not started: {error.message}", USAGE) from error
    except Unreachable as error:
        raise Failure(f"not started: {error}", NO_ANSWER) from error
    except Invalid as error:
        raise Failure(f"not started: {error}", USAGE) from error
    if password:
        told = (
            f"Administrator {configured.admin_username!r} was created. The password, shown only this once: {password}"
        )
        click.echo(heading(told), err=True)


def _require_sign_on() -> None:
    """End where an auth configuration of the operator's own would leave the sign-on options without effect."""
    from mlflow.server import auth

    found = auth.auth_config.authorization_function
    if found != FUNCTION:
        told = f"the file of MLFLOW_AUTH_CONFIG_PATH says {found}; set authorization_function = {FUNCTION} in it"
        raise Failure(f"not started: single sign-on is asked for, and {told}", USAGE)


def _share_numbers(folder: Path) -> None:
    """A folder in which the workers of this start count together; what earlier ones counted is gone with them."""
    if os.environ.get(SHARED_NUMBERS):  # the operator's own
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
    os.environ[SHARED_NUMBERS] = str(folder)


def _share_job_token() -> None:
    """Let job subprocesses reach the gateway as MLflow's own app does; it too makes this token only for basic-auth."""
    from mlflow.environment_variables import _MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN, MLFLOW_SERVER_ENABLE_JOB_EXECUTION

    if MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get():
        os.environ[_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN.name] = secrets.token_hex(32)
