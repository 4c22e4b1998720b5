"""Rooms: the clients that follow the same track or job, and the events that are on their way to them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from server_ext.live.connection import Connection
from server_ext.live.frames import News
from server_ext.live.timing import Timing
from server_ext.live.views import RoomName
from sfwidgets.errors import NotFoundError
from sfwidgets.models import Event, Job
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="soundforge-live")
"""What asks the library runs here: whoever waits for a cluster that does not answer keeps no other request waiting."""


@dataclass(frozen=True)
class _Item:
    """News for all members of a room, or for one who has just come."""

    news: News
    only: Connection | None = None
    snapshot: bool = False


class Room:
    """One room. It watches for as long as it has members."""

    def __init__(self, name: RoomName, workbench: Callable[[str], Awaitable[Workbench]], timing: Timing) -> None:
        self.name = name
        self._workbench = workbench
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        self._members: dict[Connection, list[News] | None] = {}
        """Each with what happened while it waits to be told how things stand; None once it was told."""
        self._waiting: dict[str, deque[_Item]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._unwatch: Callable[[], None] | None = None
        self._opening: asyncio.Future[None] | None = None

    @property
    def empty(self) -> bool:
        """Whether nobody is here."""
        return not self._members

    async def enter(self, connection: Connection) -> None:
        """Take a client in, and tell it how things stand; raises a `SoundForgeError` where that can't be."""
        missed: list[News] = []
        self._members[connection] = missed
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        await asyncio.shield(self._opening)
        wb = await self._workbench(self.name.owner)
        found = await self._loop.run_in_executor(_THREADS, self._find, wb)
        if self._members.get(connection) is not missed:
            return  # it has left meanwhile
        self._members[connection] = None
        for news in found:
            self._put(_Item(news, connection, snapshot=True))
        for news in missed:
            self._put(_Item(news, connection))

    def leave(self, connection: Connection) -> None:
        """Let a client go; the last one ends the watching."""
        self._members.pop(connection, None)
        if self.empty:
            self._close()

    def pump(self) -> None:
        """Tell what may be told by now."""
        for job_id in list(self._waiting):
            self._pump(job_id)

    async def _open(self) -> None:
        wb = await self._workbench(self.name.owner)
        self._unwatch = await self._loop.run_in_executor(_THREADS, self._watch, wb)
        if self.empty:
            self._close()

    def _close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _watch(self, wb: Workbench) -> Callable[[], None]:
        def on_event(event: Event) -> None:
            self._loop.call_soon_threadsafe(self._put, _Item(_news(wb, event.job)))

        if self.name.kind == "track":
            return wb.watch_track(self.name.id, on_event)
        return wb.job(self.name.id).watch(on_event)

    def _find(self, wb: Workbench) -> list[News]:
        jobs = wb.recent_jobs(self.name.id) if self.name.kind == "track" else [wb.job(self.name.id).last]
        return [_news(wb, job) for job in jobs]

    def _put(self, item: _Item) -> None:
        if not self.empty:
            job_id = item.news.job.id
            self._waiting.setdefault(job_id, deque()).append(item)
            self._pump(job_id)

    def _pump(self, job_id: str) -> None:
        queue = self._waiting[job_id]
        while queue:
            wait = self._timing.wait(queue[0].news.job)
            if wait is None:
                return
            if wait > 0:
                if job_id not in self._timers:
                    self._timers[job_id] = self._loop.call_later(wait, self._due, job_id)
                return
            self._give(queue.popleft())
        self._waiting.pop(job_id, None)

    def _due(self, job_id: str) -> None:
        del self._timers[job_id]
        self._pump(job_id)

    def _give(self, item: _Item) -> None:
        for connection, missed in list(self._members.items()) if item.only is None else self._one(item.only):
            if missed is None:
                connection.offer(item.news, self.name, snapshot=item.snapshot)
            else:
                missed.append(item.news)

    def _one(self, connection: Connection) -> list[tuple[Connection, list[News] | None]]:
        return [(connection, self._members[connection])] if connection in self._members else []


def _news(wb: Workbench, job: Job) -> News:
    """Return what is told of a job; where it made stems, their names too, for which the library is asked."""
    if job.kind != "processing" or job.status != "completed" or job.track_id is None or job.result is None:
        return News(job)
    try:
        made = [found for found in wb.stem_sets(job.track_id) if found.id == job.result["stemSet"]]
    except NotFoundError:
        made = []  # the track has been deleted since
    except Exception:
        log.exception("The stems of job %s could not be looked up; its end is told without their names.", job.id)
        made = []
    return News(job, tuple(stem.name for stem in made[0].stems) if made else None)
