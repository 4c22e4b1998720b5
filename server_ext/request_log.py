"""A request's id, which the log names with all that is done for it, and a line of the log when it has been answered.

The id is the one in the header `X-Request-Id`, as a proxy sets it, or else a new one; the answer says which. The line is
logged as information, which Jupyter Server shows none of by default: it is for `SOUNDFORGE_LOG_FORMAT=json`.
"""

from __future__ import annotations

import logging
import re
import uuid

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from sfwidgets.logs import REQUEST

log = logging.getLogger(__name__)

HEADER = "X-Request-Id"
QUIET = ("/health",)
"""Paths that are asked every few seconds, and told of only where something is wrong."""


def request_id(request: HTTPServerRequest) -> str:
    """Return a request's id, always the same for the same request."""
    given = request.headers.get(HEADER, "")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given):
        given = request.headers[HEADER] = uuid.uuid4().hex
    return given


def begin(handler: RequestHandler) -> None:
    """Name the request in all that is logged for it from now on."""
    REQUEST.set(request_id(handler.request))


def end(handler: RequestHandler) -> None:
    """Log that a request was answered: no query, no body, and of its headers only the id."""
    request, status = handler.request, handler.get_status()
    if request.path in QUIET and status < 400:
        return
    facts = {
        "method": request.method, "path": request.path, "status": status, "seconds": round(request.request_time(), 4),
    }  # fmt: skip
    log.info("%s %s %d", request.method, request.path, status, extra=facts)
