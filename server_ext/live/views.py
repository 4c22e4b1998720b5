"""What one client is told of one job: each state once, in order, in both families."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, NamedTuple

from server_ext.live.frames import Frame, News

UPDATE_SECONDS = 1.0
"""The least time between two short updates of a job."""


class RoomName(NamedTuple):
    """What clients follow together: a track, known or not, or a job."""

    owner: str
    kind: Literal["track", "job"]
    id: str


class View:
    """A job as one client knows it."""

    def __init__(self, send: Callable[[Frame], None]) -> None:
        self.rooms: set[RoomName] = set()
        """Through what the client follows the job."""
        self.ended_at: float | None = None
        """When the client was told of the end, by the loop's clock."""
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._seq = 0
        self._status = ""
        self._progress: int | None = None
        self._newest: News | None = None
        self._next_update = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, news: News, *, snapshot: bool) -> None:
        """Tell the client, unless it knows as much already; a snapshot is what a client is told first."""
        job = news.job
        if job.seq <= self._seq:
            return
        began = job.status == "processing" and self._status != "processing"
        self._seq, self._status = job.seq, job.status
        self._send(news.long)
        if job.done:
            self.close()
            self.ended_at = self._loop.time()
            if job.kind in ("processing", "analysis"):
                self._send(news.short("completed" if job.status == "completed" else "error"))
        elif job.kind != "processing":
            return
        elif began and not snapshot:
            self._progress = job.progress
            self._send(news.short("started"))
        elif snapshot or job.status == "processing":
            self._newest = news
            self._update()

    def close(self) -> None:
        """Send no update any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _update(self) -> None:
        """Send the newest progress: now, or as soon as a second has gone by since the last."""
        if self._timer is not None or self._newest is None or self._newest.job.progress == self._progress:
            return
        left = self._next_update - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._due)
            return
        self._progress = self._newest.job.progress
        self._next_update = self._loop.time() + UPDATE_SECONDS
        self._send(self._newest.short("update"))

    def _due(self) -> None:
        self._timer = None
        self._update()
