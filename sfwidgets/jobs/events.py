"""Events: what happened to which job, from the worker that did it to whoever watches.

They travel as one Dask topic. A process holds one subscription, whose handler only puts the event on a queue; a thread of
the hub fans it out. The road is for speed, the table for truth: while somebody watches, the table is read again every
two seconds, and a watcher drops what is not newer than what it has seen.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfwidgets.library import JobTable
from sfwidgets.models import Event, Job

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

TOPIC = "soundforge-events"
POLL_SECONDS = 2.0

Watcher = Callable[[Event], None]


def event_of(job: Job) -> Event:
    """Return the event that tells of a job's present state, under the HTTP contract's name."""
    running = "created" if job.seq == 1 else "updated"
    return Event(name=f"{job.kind}:job:{job.status if job.done else running}", job=job)


def pack(job: Job) -> dict[str, Any]:
    """Return a job as it travels: Dask adds keys of its own beside it."""
    return {"job": job.model_dump(mode="json")}


@dataclass(eq=False)
class _Watch:
    """Somebody who watches a job, and the newest `seq` that they were told of."""

    watcher: Watcher
    seen: int = 0


class EventHub:
    """Fans out events to the watchers of a process. Watchers run on the hub's thread and must be quick."""

    def __init__(self, table: JobTable, recover: Callable[[], None]) -> None:
        self._table = table
        self._recover = recover
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._watches: dict[str, list[_Watch]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def attach(self, client: Client) -> None:
        """Listen on a client's cluster."""
        client.subscribe_topic(TOPIC, self._on_topic)

    def watch(self, job: Job, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of everything that happens to a job from now on; returns what ends that."""
        watch = _Watch(watcher)
        with self._lock:
            self._watches.setdefault(job.id, []).append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._fan_out, name="soundforge-events", daemon=True)
                self._thread.start()

        def unwatch() -> None:
            with self._lock:
                left = [w for w in self._watches.pop(job.id, []) if w is not watch]
                if left:
                    self._watches[job.id] = left

        return unwatch

    def tell(self, job: Job) -> None:
        """Put a job's new state on the queue."""
        self._inbox.put(job)

    def close(self) -> None:
        """Stop the thread; a later `watch` starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._inbox.put(None)
            thread.join()

    def _on_topic(self, event: tuple[float, dict[str, Any]]) -> None:
        try:
            self._inbox.put(Job.model_validate(event[1]["job"]))
        except (KeyError, ValueError):
            log.warning("An event on %s was not a job and was left out.", TOPIC)

    def _fan_out(self) -> None:
        next_poll = time.monotonic() + POLL_SECONDS
        while True:
            try:
                job = self._inbox.get(timeout=max(0.0, next_poll - time.monotonic()))
            except queue.Empty:
                self._poll()
                next_poll = time.monotonic() + POLL_SECONDS
                continue
            if job is None:
                return
            self._deliver(job)

    def _poll(self) -> None:
        with self._lock:
            watched = list(self._watches)
        if not watched:
            return
        try:
            for job in self._table.many(watched):
                self._deliver(job)
            self._recover()
        except Exception:
            log.exception("The table of jobs could not be read; it is tried again in %s s.", POLL_SECONDS)

    def _deliver(self, job: Job) -> None:
        with self._lock:
            news = [watch for watch in self._watches.get(job.id, ()) if watch.seen < job.seq]
            for watch in news:
                watch.seen = job.seq
        for watch in news:
            try:
                watch.watcher(event_of(job))
            except Exception:
                log.exception("A watcher of job %s failed.", job.id)
