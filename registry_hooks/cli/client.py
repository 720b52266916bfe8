"""One HTTP request a call. Nothing is tried twice: a write that went unanswered may have been done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

import click

from registry_hooks.cli.failures import NO_ANSWER, REFUSED, USAGE, Failure
from registry_hooks.cli.logins import Login, read_login, server_address, without_secrets

PREFIX = "/api/2.0/registry-hooks/"
# What MLflow answers with 400 and is no mistake in the request: the registry is in no state to allow it.
_REFUSED_CODES = {"PERMISSION_DENIED", "RESOURCE_CONFLICT", "RESOURCE_ALREADY_EXISTS"}


class Client:
    """The server's JSON API.

    Args:
        address: of the server.
        login: who asks.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, address: str, login: Login, timeout: float) -> None:
        self.address = address
        self._login = login
        self._timeout = timeout

    def get(self, path: str, **query: object) -> Any:
        """The answer to a GET; what is None is left out of the query."""
        return self._json_of(self._ask("GET", path, params=_given(query)))

    def post(self, path: str, **body: object) -> Any:
        """The answer to a POST; what is None is left out of the body."""
        return self._json_of(self._ask("POST", path, json=_given(body)))

    def lines(self, path: str) -> Iterator[bytes]:
        """A streamed answer, as it arrives."""
        import requests

        with self._ask("GET", path, stream=True) as response:
            if response.status_code != 200:
                self._json_of(response)
            try:
                yield from response.iter_content(64 * 1024)
            except requests.RequestException as error:
                raise Failure(f"the answer broke off; what arrived is not whole ({error})", NO_ANSWER) from error

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        import requests

        if self._login.username and self._login.password:
            # As bytes: requests would encode text as Latin-1, and MLflow decodes UTF-8.
            arguments["auth"] = (self._login.username.encode(), self._login.password.encode())
        elif self._login.token:
            arguments["headers"] = {"Authorization": f"Bearer {self._login.token}"}
        url, shown = self.address + PREFIX + path, without_secrets(self.address)
        try:
            return requests.request(
                method, url, timeout=(10, self._timeout), verify=_verify(), cert=_client_certificate(),
                allow_redirects=False, **arguments,
            )  # fmt: skip
        except requests.exceptions.ConnectTimeout as error:
            raise Failure(f"{shown} does not answer; nothing was done", NO_ANSWER) from error
        except requests.exceptions.SSLError as error:
            raise Failure(f"no trusted TLS connection to {shown}; nothing was done ({error})", NO_ANSWER) from error
        except requests.exceptions.ReadTimeout as error:
            raise Failure(f"{shown} gave no answer within {self._timeout:g} s. {_unsure(method)}", NO_ANSWER) from error
        except requests.exceptions.ConnectionError as error:
            if _was_refused(error):
                raise Failure(f"cannot reach {shown}; nothing was done. Is the server running?", NO_ANSWER) from error
            raise Failure(f"the connection to {shown} broke off. {_unsure(method)}", NO_ANSWER) from error
        except (requests.RequestException, ValueError, OSError) as error:
            raise Failure(f"cannot ask {shown}: {error}", NO_ANSWER) from error

    def _json_of(self, response: Any) -> Any:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.status_code == 200 and isinstance(answer, dict):
            return answer
        if isinstance(answer, dict) and "error_code" in answer:
            raise _refusal(response.status_code, answer)
        raise self._foreign(response)

    def _foreign(self, response: Any) -> Failure:
        """The failure for an answer that registry-hooks did not write."""
        shown, status = without_secrets(self.address), response.status_code
        if status == 401:
            return Failure(f"{shown} did not accept the login: {self._login.told}", NO_ANSWER)
        if status == 403:
            return Failure(f"{shown} says: {response.text[:200].strip() or 'forbidden'}", REFUSED)
        if status in range(300, 400):
            to = without_secrets(response.headers.get("Location", "elsewhere"))
            return Failure(f"{shown} sends us on to {to}; give that address if you trust it", NO_ANSWER)
        if status in (200, 404, 405):
            return Failure(f"{shown} does not run registry-hooks: start it with `registry-hooks server`", NO_ANSWER)
        return Failure(f"{shown} failed with HTTP {status}: {response.text[:200].strip()}", NO_ANSWER)


def _refusal(status: int, answer: Mapping[str, Any]) -> Failure:
    code = answer["error_code"]
    message = str(answer.get("message", "")).split("\n")[0]  # the reasons follow numbered, from ``reasons``
    if code in _REFUSED_CODES or status == 403:
        return Failure(message, REFUSED, answer)
    if status == 401 or status >= 500:
        return Failure(message, NO_ANSWER, answer)
    return Failure(message, USAGE, answer)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _verify() -> bool | str:
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        import warnings

        warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # asked for by name
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True


def _client_certificate() -> str | None:
    return os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None


def _unsure(method: str) -> str:
    return "" if method == "GET" else "It may or may not have been done: look with `registry-hooks status`"


def _was_refused(error: Exception) -> bool:
    # Raised while connecting, so before the request was sent; a proxy that refuses is the same to us.
    return any(name in repr(error) for name in ("NewConnectionError", "NameResolutionError", "ProxyError"))


def talks_to_server(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--tracking-uri``, ``--timeout`` and ``--json``, and a `Client` as its first argument."""

    @click.option("--tracking-uri", metavar="URI", help="The server's address; else MLFLOW_TRACKING_URI.")
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=60,
        show_default=True,
        help="Seconds to wait for an answer.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
    @wraps(command)
    def asking(*arguments: Any, tracking_uri: str | None, timeout: float, **options: Any) -> None:
        client = Client(server_address(tracking_uri), read_login(), timeout)
        command(client, *arguments, **options)

    return asking
