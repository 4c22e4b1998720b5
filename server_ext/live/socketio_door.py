"""The Socket.IO door: the protocol of socket.io-client 4 at `/socket.io/`, by WebSocket and by polling."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import socketio
import socketio.packet
from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web
from tornado.websocket import WebSocketClosedError

from server_ext.gate import Gate
from server_ext.handlers.base import Handler
from server_ext.identity import SupabaseUser, access_tokens
from server_ext.live.connection import Connection
from server_ext.live.frames import Frame
from server_ext.live.live import Live
from server_ext.live.plain import LARGEST_MESSAGE, PING_SECONDS
from server_ext.refusal import announced
from sfwidgets.errors import SoundForgeError

log = logging.getLogger(__name__)

SIGN_IN_SECONDS = 10.0
"""How long a client that brings no access token with its first request may take to send one in the `auth` field."""

_QUIET = logging.getLogger(f"{__name__}.library")
"""What the library logs: whatever clients send, tokens too, and a stack trace for each thing that they send wrong."""
_QUIET.setLevel(logging.CRITICAL + 1)


class SocketIOConnection(Connection):
    """A client at the Socket.IO door."""

    def __init__(self, door: SocketIODoor, sid: str, session: str, owner: str, token_user: SupabaseUser | None) -> None:
        super().__init__(owner, "socketio", token_user)
        self._door = door
        self._sid = sid
        self._session = session

    async def write(self, frames: list[Frame]) -> None:
        """Write frames, and wait until the client has fetched them, or the system has taken all but the last."""
        for frame in frames:
            await self._door.server.emit(frame.name, frame.data, to=self._sid)
        await self._door.drained(self._session)

    def abort(self) -> None:
        """Close the socket, or refuse the next poll."""
        self._door.abort(self._session)


class TextPacket(socketio.packet.Packet):  # type: ignore[misc]
    """A packet without binary attachments: the library would keep as many as a client announces."""

    def decode(self, encoded_packet: str) -> int:
        """Read a packet; raises `ValueError` for one that announces attachments."""
        if super().decode(encoded_packet):
            raise ValueError("binary attachments are not taken")
        return 0


class SocketIODoor:
    """The protocol's server, and the clients that came in through it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._connections: dict[str, SocketIOConnection] = {}
        self.sockets: dict[str, Any] = {}
        """The WebSockets, by the protocol's session; a session that polls has none."""
        self.server = socketio.AsyncServer(
            async_mode="tornado", cors_allowed_origins=[], ping_interval=PING_SECONDS, ping_timeout=PING_SECONDS,
            max_http_buffer_size=LARGEST_MESSAGE, serializer=TextPacket, async_handlers=False,
            logger=_QUIET, engineio_logger=_QUIET,
        )  # fmt: skip
        self.server.on("connect", self._on_connect)
        self.server.on("disconnect", self._on_disconnect)
        self.server.on("*", self._on_event)
        live.on_close(self.server.shutdown)

    async def drained(self, session: str) -> None:
        """Return when what was sent to a session has left the protocol's queue, and its socket's buffer but for the last."""
        socket = self.server.eio.sockets.get(session)
        if socket is not None:
            await socket.queue.join()
        if session in self.sockets:
            await self.sockets[session].written()

    def forget(self, socket: Any) -> None:
        """Forget a WebSocket that was closed."""
        for session in [session for session, known in self.sockets.items() if known is socket]:
            del self.sockets[session]

    def is_anothers(self, session: str | None, owner: str) -> bool:
        """Return whether a session belongs to somebody else."""
        environ = self.server.environ.get(session)
        return environ is not None and environ["tornado.handler"].owner != owner

    def abort(self, session: str) -> None:
        """End a session at once."""
        if session in self.sockets:
            self.sockets[session].on_connection_close()
        elif session in self.server.eio.sockets:
            self.server.start_background_task(self._end, self.server.eio.sockets[session])

    async def _end(self, socket: Any) -> None:
        """Close a session that polls, and answer the poll that waits."""
        await socket.close(wait=False)
        await socket.queue.put(None)

    def end_where_nobody_came(self, handler: Gate) -> None:
        """End the session that a request began, where nobody has signed in to it."""
        begun = [session for session, environ in self.server.environ.items() if environ["tornado.handler"] is handler]
        signed_in = {self.server.manager.eio_sid_from_sid(sid, "/") for sid in self._connections} if begun else set()
        for session in begun:
            if session not in signed_in:
                self.abort(session)

    async def _on_connect(self, sid: str, *said_by_client: Any) -> None:
        """Take note of a client, and of who it is. The name is no secret: a client may send an event that is called so."""
        if sid in self._connections:
            return
        handler = self.server.get_environ(sid)["tornado.handler"]
        session = self.server.manager.eio_sid_from_sid(sid, "/")
        owner, user = await _who(handler, said_by_client[-1] if said_by_client else None)
        try:
            self._live.check_room(owner)
        except SoundForgeError as error:
            raise _refused(error.message, error.code) from None
        if sid in self._connections or session not in self.server.environ:
            return
        if handler.ws_connection is not None:
            self.sockets[session] = handler
        self._connections[sid] = SocketIOConnection(self, sid, session, owner, user)
        self._live.enter(self._connections[sid])

    async def _on_disconnect(self, sid: str, *_why: Any) -> None:
        connection = self._connections.pop(sid, None)
        if connection is not None:
            self._live.leave(connection)
            connection.abort()

    async def _on_event(self, event: str, sid: str, *data: Any) -> None:
        connection = self._connections.get(sid)
        if connection is not None:
            await self._live.obey(connection, event, data[0] if data else None)


async def _who(handler: Any, auth: Any) -> tuple[str, SupabaseUser | None]:
    """Return the owner whom a client is, by the access token in its `auth` field, or else by its first request.

    Raises `ConnectionRefusedError` with a sentence and a code, which the client gets as its `connect_error`.
    """
    token = (auth.get("token") or auth.get("access_token")) if isinstance(auth, dict) else None
    if access_tokens(handler) is None or not token:
        if not handler.owner:
            raise _refused("Sign in to use this: send an access token as `token` in the auth field.", "not_signed_in")
        return handler.owner, handler.token_user
    try:
        user = await handler.user_of(str(token))
        await handler.check_allowed(user)
    except SoundForgeError as error:
        raise _refused(error.message, error.code) from None
    except web.HTTPError:
        raise _refused("This user may not do this.", "refused") from None
    return user.username, user


def _refused(sentence: str, code: str) -> socketio.exceptions.ConnectionRefusedError:
    return socketio.exceptions.ConnectionRefusedError(sentence, {"error": sentence, "code": code})


def socketio_handler(door: SocketIODoor) -> type[Gate]:
    """Return the handler of `/socket.io/`: the library's, behind our gate."""
    library: Any = socketio.get_tornado_handler(door.server)

    @web.stream_request_body
    class SocketIOHandler(Gate, library):  # type: ignore[misc]
        """`/socket.io/`."""

        token_in_query = True
        max_message_size = LARGEST_MESSAGE
        ping_interval = 0.0  # the protocol has pings of its own
        _written: asyncio.Future[None] | None = None
        _over = False

        @property
        def counted(self) -> bool:  # type: ignore[override]
            """Whether a client connects: the polls of a session that is there are the protocol's own."""
            return self.get_query_argument("sid", None) not in door.server.environ

        def initialize(self) -> None:
            """Expect a body of at most one message's size."""
            self._body = bytearray()

        async def prepare(self, **given: Any) -> None:
            """Let the request in, and turn a large body away before it comes."""
            await super().prepare(**given)
            # With JSONP, another site's page could read a session.
            if self.get_query_argument("j", None) is not None:
                raise web.HTTPError(400)
            if door.is_anothers(self.get_query_argument("sid", None), self.owner):
                raise web.HTTPError(403)
            if (announced(self.request) or 0) > LARGEST_MESSAGE:
                raise web.HTTPError(413)

        def nobody(self) -> None:
            """Let whoever may sign in by the `auth` field begin a session, for a moment, and go on with such a session."""
            if access_tokens(self) is None:
                super().nobody()
            if self.get_query_argument("sid", None) is None:
                asyncio.get_running_loop().call_later(SIGN_IN_SECONDS, door.end_where_nobody_came, self)

        def check_xsrf_cookie(self) -> None:
            """Leave the token out, which the protocol's clients can't send.

            A POST names its session, whose id no page of another site can know, and its origin was checked.
            """

        def data_received(self, chunk: bytes) -> None:
            """Take a part of the body; what is too large is told in `post`."""
            if len(self._body) <= LARGEST_MESSAGE:
                self._body += chunk

        @allow_unauthenticated
        async def get(self, *args: Any, **kwargs: Any) -> None:
            """Begin a session, poll, or become a WebSocket; the gate has asked who it is."""
            await library.get(self, *args, **kwargs)

        @allow_unauthenticated
        async def post(self, *args: Any, **kwargs: Any) -> None:
            """Take messages of a session that polls."""
            if len(self._body) > LARGEST_MESSAGE:
                raise web.HTTPError(413)
            self.request.body = bytes(self._body)
            try:
                await library.post(self, *args, **kwargs)
            except KeyError:  # the session has ended, and is not forgotten yet
                raise web.HTTPError(400) from None

        options = Handler.options

        async def open(self, *args: str, **kwargs: str) -> None:
            """Hand the WebSocket to the library."""
            del args, kwargs
            session = self.get_query_argument("sid", "")
            if session in door.server.eio.sockets:
                door.sockets.setdefault(session, self)
            self._serving = asyncio.create_task(self._serve())

        async def on_message(self, message: str | bytes) -> None:
            """Pass a message on; the next one is read when the library has taken it."""
            if not self._over:
                await super().on_message(message)
                await self.receive_queue.join()

        async def get_next_message(self) -> str | bytes | None:
            """Return the next message."""
            message: str | bytes | None = await super().get_next_message()
            self.receive_queue.task_done()
            return message

        def on_close(self) -> None:
            """Forget the WebSocket."""
            super().on_close()
            door.forget(self)

        def write_message(self, message: Any, binary: bool = False) -> Any:
            """Write a message; the library does not wait until that is done, but `written` does."""
            self._written = super().write_message(message, binary)
            self._written.add_done_callback(lambda done: done.cancelled() or done.exception())
            return self._written

        async def written(self) -> None:
            """Return when the system has taken all that was written; raises `ConnectionError`."""
            if self._written is not None:
                try:
                    await self._written
                except WebSocketClosedError as error:
                    raise ConnectionError from error

        def get_compression_options(self) -> None:
            """Compress nothing: a compressor takes a quarter of a megabyte a client, and events are small."""

        async def _serve(self) -> None:
            try:
                with suppress(Exception):  # the library lets through what a client's malformed packets raise
                    await door.server.handle_request(self)
            finally:
                self._over = True
                while not self.receive_queue.empty():
                    self.receive_queue.get_nowait()
                    self.receive_queue.task_done()
                self.close()

    return SocketIOHandler
