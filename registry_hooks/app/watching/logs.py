"""The log as lines of JSON, where an operator asks for it: one object a line, with the id of its request."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timezone

from registry_hooks.app import asked
from registry_hooks.mlflow_surface.settings import LOG_FORMAT

_LOGGERS = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access", "mlflow", "alembic")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; whatever stands in a message stays within its quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        request = asked.current_request()
        told = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            "request_id": request.id if request else None,
            "user": request.user if request else None,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def as_operator_asks() -> None:
    """Give every handler of this process that form, where the operator has asked for it."""
    if os.environ.get(LOG_FORMAT) != "json":
        return
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for handler in {each for logger in loggers for each in logger.handlers}:
        handler.setFormatter(JsonLines())
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
        logging.getLogger().addHandler(handler)
