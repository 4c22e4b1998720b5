"""Figures for whoever runs the server, beside Jupyter's own on `/metrics`: no owners, no titles, no ids.

What is counted of jobs comes from their table, over all owners, every five seconds, for as long as the library is open.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol, get_args

from prometheus_client import Counter, Gauge, Histogram

from server_ext.loop_watch import LoopWatch
from sfwidgets.library.figures import EndedJob
from sfwidgets.models import TERMINAL, JobKind
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

REFRESH_SECONDS = 5.0
AROUND_SECONDS = 30.0
"""How often the parts are asked how they are, and what is kept is counted."""
OVERLAP_SECONDS = 60.0
"""How far back each look goes: a row's moment is taken before its transaction is seen by others."""

JOBS = Gauge("soundforge_jobs", "Jobs that wait or run", ["kind", "state"])
ENDED = Counter("soundforge_jobs_ended", "Jobs that ended", ["kind", "state"])
QUEUED = Histogram(
    "soundforge_queue_seconds",
    "From being asked for to the beginning of the last attempt, of jobs that ended",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200),
)
WORKED = Counter(
    "soundforge_work_seconds", "Work on audio, of jobs that completed and were not known already", ["kind"]
)
WAITED = Gauge("soundforge_longest_wait_seconds", "How long the oldest job has waited that may begin", ["kind"])
WORKERS = Gauge("soundforge_workers_offer", "How many tasks the workers can run at once", ["resource"])
UP = Gauge("soundforge_up", "1 where a part works, 0 where it is down; no line where it is not used", ["part"])
KEPT = Gauge("soundforge_kept_bytes", "Audio and stems of all owners", ["what"])
FREE = Gauge("soundforge_disk_free_bytes", "What is free where the library lives on this server")
HEARD = Counter("soundforge_audio_seconds", "Audio that was worked on in soundforge_work_seconds", ["kind"])


class HasCurrent(Protocol):
    """Whatever knows the workbench once it is open."""

    @property
    def current(self) -> Workbench | None:
        """The workbench; None while the library is not open."""


class Figures:
    """Keeps the figures up to date: `start` on a running loop, `close` at the end."""

    def __init__(self, opened: HasCurrent) -> None:
        self._opened = opened
        self._since = time.time()
        self._counted: dict[str, float] = {}
        """The jobs that were counted and may be seen again, and when they ended."""
        self._next_look_around = 0.0
        self._watch = LoopWatch()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        for kind in get_args(JobKind):
            for state in TERMINAL:
                ENDED.labels(kind, state)
            for metric in (QUEUED, WORKED, HEARD):
                metric.labels(kind)

    def start(self) -> None:
        """Begin to count what ends from now on, and to watch the loop."""
        self._since = time.time()
        self._watch.start()
        self._task = asyncio.get_running_loop().create_task(self._refresh())

    async def close(self) -> None:
        """Count no more; a look at the table that is under way is waited for."""
        self._over.set()
        await self._watch.close()
        if self._task is not None:
            await self._task

    async def _refresh(self) -> None:
        while not self._over.is_set():
            workbench = self._opened.current
            if workbench is not None:
                try:
                    await asyncio.to_thread(self.look_around, workbench)
                    await asyncio.to_thread(self.look, workbench)
                except Exception:
                    log.exception("The figures of /metrics could not be counted; it is tried again.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), REFRESH_SECONDS)

    def look(self, workbench: Workbench) -> None:
        """Count once; reads the table, so call it in a thread."""
        for (kind, state), count in workbench.unfinished_jobs().items():
            JOBS.labels(kind, state).set(count)
        for kind, seconds in workbench.longest_waiting().items():
            WAITED.labels(kind).set(seconds)
        began = time.time()
        self._count(workbench.ended_jobs(self._since))
        self._since = max(self._since, began - OVERLAP_SECONDS)
        self._counted = {job: ended for job, ended in self._counted.items() if ended >= self._since}

    def look_around(self, workbench: Workbench) -> None:
        """Ask the parts how they are, and count what is kept; takes up to a second, so call it in a thread."""
        if time.monotonic() < self._next_look_around:
            return
        self._next_look_around = time.monotonic() + AROUND_SECONDS
        for part, state in workbench.health().services.model_dump(exclude={"api_gateway"}).items():
            if state == "off":
                with suppress(KeyError):
                    UP.remove(part)
            else:
                UP.labels(part).set(state == "up")
        for resource, amount in workbench.offered().items():
            WORKERS.labels(resource).set(amount)
        FREE.set(shutil.disk_usage(workbench.settings.library).free)
        for what, size in workbench.kept_bytes().items():  # raises where the database is away
            KEPT.labels(what).set(size)

    def _count(self, ended: Iterable[EndedJob]) -> None:
        for job in ended:
            if job.id in self._counted:
                continue
            self._counted[job.id] = job.completed_at
            ENDED.labels(job.kind, job.status).inc()
            if job.queued is not None:
                QUEUED.labels(job.kind).observe(job.queued)
            if job.audio is not None and job.worked is not None:
                WORKED.labels(job.kind).inc(job.worked)
                HEARD.labels(job.kind).inc(job.audio)
