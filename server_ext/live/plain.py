"""The plain door: a WebSocket at `/ws` that carries `{"event", "data"}` as JSON."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from server_ext.gate import Gate
from server_ext.identity import SupabaseUser
from server_ext.live.connection import Connection
from server_ext.live.frames import Frame, refusal
from server_ext.live.live import Live
from sfwidgets.errors import InvalidInputError

PING_SECONDS = 20.0
"""How often a client is asked whether it is still there, and how long it may take to answer."""
EXPIRED = 4401
"""The close code of a socket whose access token has expired (4000 and above are for applications)."""
LARGEST_MESSAGE = 64 * 1024
"""Bytes of a message; a longer one ends the connection."""


class PlainConnection(Connection):
    """A client at the plain door."""

    def __init__(self, handler: WebSocketHandler, owner: str, token_user: SupabaseUser | None) -> None:
        super().__init__(owner, "websocket", token_user)
        self._handler = handler

    async def write(self, frames: list[Frame]) -> None:
        """Write frames, and wait until the system has taken them."""
        try:
            for frame in frames:
                await self._handler.write_message(frame.text)
        except WebSocketClosedError as error:
            raise ConnectionError from error

    def expire(self) -> None:
        """Say why it ends, so that the client comes back with a new token."""
        self._handler.close(EXPIRED, "The access token has expired: connect again with a new one.")

    def bid_farewell(self) -> None:
        """Say that the server stops (RFC 6455, section 7.4.1), so that clients try again."""
        self._handler.close(1001, "The server stops.")

    def abort(self) -> None:
        """Close the socket."""
        self._handler.on_connection_close()


class PlainDoor(Gate, WebSocketHandler):
    """`/ws`."""

    token_in_query = True
    max_message_size = LARGEST_MESSAGE
    ping_interval = PING_SECONDS
    ping_timeout = PING_SECONDS

    def initialize(self, live: Live) -> None:
        """Take what the route says."""
        self._live = live
        self._connection: PlainConnection | None = None

    @allow_unauthenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Become a WebSocket; the gate has asked who it is."""
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise InvalidInputError("This path speaks WebSocket only: connect to it with ws:// or wss://.")
        self._live.check_room(self.owner)
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        """Take note of the client."""
        del args, kwargs
        self._connection = PlainConnection(self, self.owner, self.token_user)
        self._live.enter(self._connection)

    async def on_message(self, message: str | bytes) -> None:
        """Do what the client asks for; the next message is read when that is done."""
        if self._connection is None:
            return
        try:
            event, data = _parsed(message)
        except InvalidInputError as error:
            self._connection.send(refusal(error))
            return
        await self._live.obey(self._connection, event, data)

    def on_close(self) -> None:
        """Forget the client."""
        if self._connection is not None:
            self._live.leave(self._connection)


def _parsed(message: str | bytes) -> tuple[str, Any]:
    """Return a message's event and data; raises `InvalidInputError`."""
    try:
        if isinstance(message, str):
            found = json.loads(message)
            if isinstance(found, dict) and isinstance(found.get("event"), str):
                return found["event"], found.get("data")
    except (ValueError, RecursionError):
        pass
    raise InvalidInputError(
        'Send text with one JSON object: {"event": "subscribe:track", "data": "<trackId>"}.', code="malformed_frame"
    )
