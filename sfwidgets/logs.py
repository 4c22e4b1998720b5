"""Logs for programs: with `SOUNDFORGE_LOG_FORMAT=json`, each line is a JSON object.

It has `time` (ISO 8601, UTC), `level`, `logger` and `message`, and where they are known `job`, `request` and `exception`.
The text format is whatever each library writes by itself.
"""

from __future__ import annotations

import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from sfwidgets.settings import Settings

JOB: ContextVar[str | None] = ContextVar("soundforge_job", default=None)
"""The job that this thread made its last attempt at."""
REQUEST: ContextVar[str | None] = ContextVar("soundforge_request", default=None)
"""The request that is being answered."""

OURS = ("sfwidgets", "server_ext")

_IN_QUERY = re.compile(
    r"([?&][^=&\s'\"]*(?:token|key|auth|code|secret|password|sig)[^=&\s'\"]*=)[^&\s'\"]+", re.IGNORECASE
)
_IN_HEADER = re.compile(r"\b(bearer|token|basic)(:?\s+)[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_WEB_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]*):[^\s/@'\"]+@", re.IGNORECASE)


def masked(text: str) -> str:
    """Return a text without what looks like a secret in it: in a query, a header, or an address with a password."""
    text = _IN_QUERY.sub(r"\1[secret]", text)
    text = _WEB_TOKEN.sub("[secret]", _IN_HEADER.sub(r"\1\2[secret]", text))
    return _IN_ADDRESS.sub(r"\1:[secret]@", text)


def use_configured_format(settings: Settings) -> None:
    """Have this process log as JSON where that is configured.

    The handlers that are there change their format: call it once Jupyter or Dask has made its own.
    """
    if settings.log_format != "json":
        return
    formatter = _json_formatter()
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stderr))
    named = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    for handler in {handler for logger in (root, *named) for handler in logger.handlers}:
        if isinstance(handler, logging.StreamHandler):
            handler.setFormatter(formatter)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class Formatter(JsonFormatter):
        def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
            """Add what the line is about, and mask what is secret."""
            about = {
                name: value for name, value in (("job", JOB.get()), ("request", REQUEST.get())) if value is not None
            }
            texts = {name: masked(value) for name, value in log_data.items() if isinstance(value, str)}
            return {**log_data, **texts, **about}

        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
            """Return when a record was made."""
            del datefmt
            return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    return Formatter(
        "{asctime}{levelname}{name}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"},
        json_ensure_ascii=False,
    )
