"""The one source of live events behind both doors: who follows what, and when it may be told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

from server_ext.live.connection import Connection
from server_ext.live.frames import refusal
from server_ext.live.rooms import Room
from server_ext.live.timing import Hold, Timing
from server_ext.live.views import RoomName
from server_ext.opened import Opened
from sfwidgets.errors import InvalidInputError, SlowDownError, SoundForgeError
from sfwidgets.models import check_id
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

MOST_ROOMS = 1000
"""How many tracks and jobs one connection may follow."""
AGAIN_SECONDS = 10.0
"""When it is worth connecting again for an owner who has too many connections."""

_COMMANDS: dict[str, tuple[bool, Literal["track", "job"]]] = {
    "subscribe:track": (True, "track"), "unsubscribe:track": (False, "track"),
    "subscribe:job": (True, "job"), "unsubscribe:job": (False, "job"),
}  # fmt: skip
"""What clients may send: whether it begins to follow, and what."""


class Live:
    """The live events of a server. All of it runs on the server's loop."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._timing = Timing(self._pump)
        self._rooms: dict[RoomName, Room] = {}
        self._connections: set[Connection] = set()
        self._closers: list[Callable[[], Awaitable[None]]] = []

    def hold(self, owner: str, track_id: str | None) -> AbstractContextManager[Hold]:
        """Let the events of a track wait within a block that asks for a job, answers 202 and says so.

        `with live.hold(owner, track_id) as hold: …; hold.accepted(job.id)`. A job's last event goes out half a second after
        its newest 202 at the soonest.
        """
        return self._timing.hold(owner, track_id)

    def check_room(self, owner: str) -> None:
        """Raise `SlowDownError` where an owner has as many connections as they may have."""
        most = self._opened.settings.owner_sockets
        if most is not None and sum(each.owner == owner for each in self._connections) >= most:
            raise SlowDownError(
                f"{most} connections for live events are open already. Close one of them, then connect again.",
                code="too_many_sockets",
                details={"retryAfter": AGAIN_SECONDS},
            )

    def enter(self, connection: Connection) -> None:
        """Take note of a client."""
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a client that has gone."""
        self._connections.discard(connection)
        connection.close()
        for name in list(connection.rooms):
            self._leave_room(connection, name)

    async def obey(self, connection: Connection, event: str, data: Any) -> None:
        """Do what a client asks for; what can't be done is told to it as an `error` event."""
        try:
            await self._obey(connection, event, data)
        except SoundForgeError as error:
            connection.send(refusal(error))
        except Exception:
            log.exception("%s of a client failed.", event)
            sentence = "Something went wrong inside Sound Forge; the server's log says what. Try again."
            connection.send(refusal(SoundForgeError(sentence)))

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Let a door be closed with the rest."""
        self._closers.append(closer)

    async def close(self) -> None:
        """End every connection, and watch nothing any more."""
        for connection in list(self._connections):
            self.leave(connection)
            connection.bid_farewell()
        for closer in self._closers:
            await closer()

    async def _obey(self, connection: Connection, event: str, data: Any) -> None:
        if event not in _COMMANDS:
            raise InvalidInputError(f"Send one of {', '.join(_COMMANDS)}, each with an id.", code="unknown_event")
        begins, kind = _COMMANDS[event]
        name = RoomName(connection.owner, kind, check_id(data, f"{kind} id"))
        if not begins:
            self._leave_room(connection, name)
        elif name not in connection.rooms:
            await self._enter_room(connection, name)

    async def _enter_room(self, connection: Connection, name: RoomName) -> None:
        if len(connection.rooms) >= MOST_ROOMS:
            raise InvalidInputError(
                f"A connection follows at most {MOST_ROOMS} tracks and jobs: unsubscribe from some first.",
                code="too_many_subscriptions",
            )
        connection.rooms.add(name)
        if name not in self._rooms:
            self._rooms[name] = Room(name, self._workbench, self._timing)
        try:
            await self._rooms[name].enter(connection)
        except BaseException:
            self._leave_room(connection, name)
            raise

    def _leave_room(self, connection: Connection, name: RoomName) -> None:
        connection.rooms.discard(name)
        connection.forget(name)
        room = self._rooms.get(name)
        if room is not None:
            room.leave(connection)
            if room.empty:
                del self._rooms[name]

    def _pump(self) -> None:
        for room in list(self._rooms.values()):
            room.pump()

    async def _workbench(self, owner: str) -> Workbench:
        return await self._opened.workbench(owner)
