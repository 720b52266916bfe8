"""One HTTP request a call. Nothing is tried twice: a write that went unanswered may have been done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from registry_hooks.client.logins import Login, without_secrets
from registry_hooks.errors import (
    Busy,
    Conflict,
    Invalid,
    NoAnswer,
    NotFound,
    Reason,
    Refused,
    RegistryError,
    Unauthenticated,
)

A = TypeVar("A")
PREFIX = "/api/2.0/registry-hooks/"
_OF_CODE: Mapping[str, type[RegistryError]] = {
    **{kind.code: kind for kind in (Refused, Invalid, NotFound, Conflict, Unauthenticated, Busy)},
    # MLflow answers it with 400, and it is no mistake in the request: the registry is in no state to allow it.
    "RESOURCE_CONFLICT": Conflict,
}


class Http:
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

    def get(self, answered: type[A], path: str, **query: object) -> A:
        """The answer to a GET, taken for ``answered``; what is None is left out of the query."""
        return self._json_of(answered, self._ask("GET", path, params=_given(query)))

    def post(self, answered: type[A], path: str, **body: object) -> A:
        """The answer to a POST, taken for ``answered``; what is None is left out of the body."""
        return self._json_of(answered, self._ask("POST", path, json=_given(body)))

    def streamed(self, path: str, **query: object) -> Iterator[bytes]:
        """An answer that comes piece by piece, as it arrives."""
        import requests

        with self._ask("GET", path, params=_given(query), stream=True) as response:
            if response.status_code != 200:
                raise self._error(response)
            try:
                yield from response.iter_content(64 * 1024)
            except requests.RequestException as error:
                raise NoAnswer(f"the answer broke off; what arrived is not whole ({error})") from error

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        import requests

        url, shown = self.address + PREFIX + path, without_secrets(self.address)
        try:
            return requests.request(
                method, url, timeout=(10, self._timeout), verify=_verify(), cert=_client_certificate(),
                allow_redirects=False, **_credentials(self._login), **arguments,
            )  # fmt: skip
        except requests.exceptions.ConnectTimeout as error:
            raise NoAnswer(f"{shown} does not answer; nothing was done") from error
        except requests.exceptions.SSLError as error:
            raise NoAnswer(f"no trusted TLS connection to {shown}; nothing was done ({error})") from error
        except requests.exceptions.ReadTimeout as error:
            raise NoAnswer(f"{shown} gave no answer within {self._timeout:g} s. {_unsure(method)}") from error
        except requests.exceptions.ConnectionError as error:
            if _was_refused(error):
                raise NoAnswer(f"cannot reach {shown}; nothing was done. Is the server running?") from error
            raise NoAnswer(f"the connection to {shown} broke off. {_unsure(method)}") from error
        except (requests.RequestException, ValueError, OSError) as error:
            raise NoAnswer(f"cannot ask {shown}: {error}") from error

    def _json_of(self, _answered: type[A], response: Any) -> A:
        answer = _json(response)
        if response.status_code == 200 and isinstance(answer, dict):
            return answer  # type: ignore[return-value]  # what each route answers is held against its type by tests
        raise self._error(response)

    def _error(self, response: Any) -> RegistryError:
        answer = _json(response)
        if isinstance(answer, dict) and "error_code" in answer:
            return _said(response.status_code, answer)
        error = self._foreign(response)
        error.code = NoAnswer.code  # not the server's word
        return error

    def _foreign(self, response: Any) -> RegistryError:
        """The error for an answer that registry-hooks did not write."""
        shown, status = without_secrets(self.address), response.status_code
        if status == 401:
            return Unauthenticated(f"{shown} did not accept the login: {self._login.told}")
        if status == 403:
            return Refused(f"{shown} says: {response.text[:200].strip() or 'forbidden'}")
        if status in range(300, 400):
            to = without_secrets(response.headers.get("Location", "elsewhere"))
            return NoAnswer(f"{shown} sends us on to {to}; give that address if you trust it")
        if status in (200, 404, 405):
            return NoAnswer(f"{shown} does not run registry-hooks: start it with `registry-hooks server`")
        return NoAnswer(f"{shown} failed with HTTP {status}: {response.text[:200].strip()}")


def _credentials(login: Login) -> dict[str, Any]:
    if login.username and login.password:
        # As bytes: requests would encode text as Latin-1, and MLflow decodes UTF-8.
        return {"auth": (login.username.encode(), login.password.encode())}
    return {"headers": {"Authorization": f"Bearer {login.token}"}} if login.token else {}


def _json(response: Any) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def _said(status: int, answer: Mapping[str, Any]) -> RegistryError:
    """What the server refused, as it was raised there."""
    code, message = str(answer["error_code"]), str(answer.get("message", ""))
    kind = _OF_CODE.get(code)
    if status >= 500:
        kind = NoAnswer
    elif status in (401, 403):
        kind = Unauthenticated if status == 401 else Refused
    reasons = [_reason(each) for each in answer.get("reasons") or () if isinstance(each, dict)]
    headline, *_ = message.split("\n")  # the reasons follow it, numbered
    error = (kind or Invalid)(headline, reasons)
    error.code, error.args = code, (message,)
    return error


def _reason(told: Mapping[str, Any]) -> Reason:
    return Reason(**{each.name: str(told.get(each.name, "")) for each in fields(Reason)})


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
