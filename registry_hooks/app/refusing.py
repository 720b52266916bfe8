"""A refusal as an HTTP answer, on both of MLflow's paths."""

from __future__ import annotations

import json
from typing import Any

from registry_hooks.app.people.actors import Send
from registry_hooks.errors import RegistryError


def status_of(error: RegistryError) -> int:
    """The status with which MLflow answers an error of that code."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    code = databricks_pb2.ErrorCode.Value(error.code)
    return int(MlflowException(error.headline, error_code=code).get_http_status_code())


def in_flask(error: RegistryError) -> Any:
    """The refusal as Flask's response."""
    from flask import Response

    return Response(json.dumps(error.as_json()), status_of(error), mimetype="application/json")


def in_mlflow(error: RegistryError) -> Exception:
    """The refusal as an exception of MLflow, for what its own code calls."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    code = databricks_pb2.ErrorCode.Value(error.code)
    return MlflowException(str(error), code, reasons=error.as_json()["reasons"])


async def in_asgi(error: RegistryError, send: Send) -> None:
    """Send the refusal as the answer to an ASGI request of which nothing has been answered yet."""
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(error.as_json()).encode()})
