"""Requests that are answered while their body is still coming: what is said, and that the client hears it.

A connection that is closed with unread bytes in it is reset, and the reset can overtake the answer (RFC 9112, section
9.6). So the connection of such a request stays open a little longer, and what still comes is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest

from sfwidgets.errors import SoundForgeError

LINGER_SECONDS = 10.0
LINGER_BYTES = 256 * 2**20
"""How long, and for how much, a refused client is listened to."""

_lingering: set[asyncio.Task[None]] = set()


class RequestError(SoundForgeError):
    """A request that HTTP has a status of its own for (408, 412, 413, 415, 429), and headers that go with the answer."""

    def __init__(self, status: int, message: str, *, code: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status  # type: ignore[misc]
        self.headers = headers or {}


def announced(request: HTTPServerRequest) -> int | None:
    """Return how many bytes a body has, as the client says; None where it does not say."""
    stated = request.headers.get("Content-Length", "")
    if not (stated.isascii() and stated.isdigit()):
        return None
    return int(stated) if len(stated) < 20 else sys.maxsize  # Python reads no number of any length


def linger(handler: web.RequestHandler) -> None:
    """See to it that the client hears the answer; call this in `finish`, before the answer is written.

    Nothing happens where the request has been read whole. Else the answer says that the connection closes, and the
    rest of the body is read and thrown away, within limits.
    """
    connection = handler.request.connection
    # tornado has no public name for this; its own `finish` closes the connection by the same token
    if not isinstance(connection, HTTP1Connection) or connection._read_finished or connection.stream.closed():
        return
    handler.set_header("Connection", "close")
    headers = handler.request.headers
    if "Transfer-Encoding" not in headers and headers.get("Content-Length", "0") == "0":
        return
    lift_limit(handler)
    plain = connection.stream.socket
    kept = socket.fromfd(plain.fileno(), plain.family, plain.type)  # stays open when tornado closes its own
    task = asyncio.get_running_loop().create_task(_discard(kept))
    _lingering.add(task)
    task.add_done_callback(_lingering.discard)


def lift_limit(handler: web.RequestHandler) -> None:
    """Let a body of any size come: tornado's own limit would answer without a sentence."""
    connection = handler.request.connection
    if isinstance(connection, HTTP1Connection):
        connection.set_max_body_size(sys.maxsize)


def refuse(handler: web.RequestHandler, error: Exception) -> None:
    """Answer in the middle of a body, from `data_received` or a timer, as if a method had raised the error."""
    given = (type(error), error, error.__traceback__)
    handler.log_exception(*given)
    handler.send_error(error.status_code if isinstance(error, web.HTTPError) else 500, exc_info=given)


async def _discard(end: socket.socket) -> None:
    end.setblocking(False)
    left, loop = LINGER_BYTES, asyncio.get_running_loop()
    with end, contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0 and (part := await loop.sock_recv(end, 65536)):
                left -= len(part)
                await asyncio.sleep(0)
