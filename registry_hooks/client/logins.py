"""Where the server is and who asks, from the same places as MLflow's own client, without importing MLflow."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from registry_hooks.errors import Invalid

CREDENTIALS = "~/.mlflow/credentials"


@dataclass(frozen=True)
class Login:
    """How to log in: a name and password, or a token, or neither."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def told(self) -> str:
        """Who asks, for a message; never the secret."""
        if self.username and self.password:
            return f"user {self.username}"
        return "a token" if self.token else "no login (set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)"


def read_login() -> Login:
    """The login from the environment, else from MLflow's credentials file, each value on its own.

    Raises:
        Invalid: when that file cannot be read as one.
    """
    username, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if not (username and password):
        from_file = _credentials_file()
        username = username or from_file.get("mlflow_tracking_username")
        password = password or from_file.get("mlflow_tracking_password")
    return Login(username or None, password or None, os.environ.get("MLFLOW_TRACKING_TOKEN") or None)


def _credentials_file() -> dict[str, str]:
    # MLflow reads the file with interpolation, so a % must be doubled in it; here a single one is understood as well.
    parser = configparser.ConfigParser(interpolation=None)
    path = Path(CREDENTIALS).expanduser()
    try:
        parser.read(path)
    except (configparser.Error, UnicodeDecodeError) as error:
        raise _not_asked(f"{path} is no ini file with a section [mlflow]: {error}") from error
    if "mlflow" not in parser:
        return {}
    return {name: value.replace("%%", "%") for name, value in parser["mlflow"].items()}


def server_address(given: str | None) -> str:
    """The server's address without a trailing slash.

    Raises:
        Invalid: when there is none, or when it is no web address, as the URI of a database is not.
    """
    address = given or os.environ.get("MLFLOW_TRACKING_URI") or ""
    if not address:
        raise _not_asked("no server address: give --tracking-uri http://… or set MLFLOW_TRACKING_URI")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        scheme = parts.scheme or "a path"
        raise _not_asked(
            f"the server address must be http://… or https://…, and this one is {scheme!r}: a governed role changes "
            "only through a server, with a login. Start one with `registry-hooks server`"
        )
    return address.rstrip("/")


def without_secrets(address: str) -> str:
    """``address`` as it may be printed."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _not_asked(message: str) -> Invalid:
    error = Invalid(message)
    error.code = "CLIENT"  # no server has said it
    return error
