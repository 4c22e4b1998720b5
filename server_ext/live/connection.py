"""One client: what it follows, what it knows, and what waits to be written to it."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque

from server_ext.identity import SupabaseUser
from server_ext.live.counts import EVENTS, SOCKETS
from server_ext.live.frames import Frame, News
from server_ext.live.views import RoomName, View
from sfwidgets.library.jobs import RECENT_SECONDS

log = logging.getLogger(__name__)

MOST_FRAMES = 2000
MOST_CHARACTERS = 2_000_000
"""How much may wait for a client that reads slowly."""
WRITE_SECONDS = 20.0
"""How long a client may take to read what was written to it."""


class Connection(ABC):
    """A client behind one of the doors. It has a bounded outbox and one task that writes, so that it delays nobody else."""

    def __init__(self, owner: str, transport: str, token_user: SupabaseUser | None = None) -> None:
        self.owner = owner
        self.rooms: set[RoomName] = set()
        """What it follows."""
        self._transport = transport
        self._views: dict[str, View] = {}
        self._outbox: deque[Frame] = deque()
        self._characters = 0
        self._filled = asyncio.Event()
        self._open = True
        self._writer = asyncio.create_task(self._write_all())
        self._expiry: asyncio.TimerHandle | None = None
        if token_user is not None:
            left = token_user.expires - time.time()
            self._expiry = asyncio.get_running_loop().call_later(left, self._expire)
        SOCKETS.labels(transport).inc()

    @abstractmethod
    async def write(self, frames: list[Frame]) -> None:
        """Write frames, and return once the client's side has taken them, or all but a few."""

    @abstractmethod
    def abort(self) -> None:
        """End the connection at once, whatever waits to be written."""

    def expire(self) -> None:
        """End the connection because the access token that opened it has expired."""
        self.abort()

    def bid_farewell(self) -> None:
        """End the connection because the server stops."""
        self.abort()

    def send(self, frame: Frame) -> None:
        """Put a frame into the outbox; a client whose outbox is full is dropped."""
        if not self._open:
            return
        self._outbox.append(frame)
        self._characters += len(frame.text)
        self._filled.set()
        EVENTS.labels(frame.name).inc()
        if len(self._outbox) > MOST_FRAMES or self._characters > MOST_CHARACTERS:
            self._drop("it reads too slowly")

    def offer(self, news: News, room: RoomName, *, snapshot: bool) -> None:
        """Tell the client of a job that it follows through a room."""
        if not self._open:
            return
        view = self._views.get(news.job.id)
        if view is None:
            self._forget_what_ended()
            view = self._views[news.job.id] = View(self.send)
        view.rooms.add(room)
        view.offer(news, snapshot=snapshot)

    def forget(self, room: RoomName) -> None:
        """Forget what the client was told through a room that it has left."""
        for job_id, view in list(self._views.items()):
            view.rooms.discard(room)
            if not view.rooms:
                view.close()
                del self._views[job_id]

    def close(self) -> None:
        """Write nothing any more."""
        if not self._open:
            return
        self._open = False
        SOCKETS.labels(self._transport).dec()
        self._writer.cancel()
        if self._expiry is not None:
            self._expiry.cancel()
        self._outbox.clear()
        for view in self._views.values():
            view.close()
        self._views.clear()

    def _forget_what_ended(self) -> None:
        """Free what is known of jobs that ended so long ago that nobody tells of them any more."""
        long_ago = asyncio.get_running_loop().time() - 2 * RECENT_SECONDS
        for job_id in [job_id for job_id, view in self._views.items() if (view.ended_at or long_ago) < long_ago]:
            del self._views[job_id]

    def _expire(self) -> None:
        self.close()
        self.expire()

    def _drop(self, why: str) -> None:
        log.info("A client of the live events (%s) is dropped: %s.", self._transport, why)
        self.close()
        self.abort()

    async def _write_all(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            frames = list(self._outbox)
            self._outbox.clear()
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await self.write(frames)
            except TimeoutError:
                self._drop("it does not read")
                return
            except OSError:
                self._drop("it has gone")
                return
            except Exception:
                log.exception("A client of the live events (%s) could not be written to.", self._transport)
                self._drop("it can't be written to")
                return
            self._characters -= sum(len(frame.text) for frame in frames)
