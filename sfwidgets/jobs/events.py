"""Events: what happened to which job, from the worker that did it to whoever watches.

They travel as one Dask topic. A process holds one subscription, whose handler only puts the event on a queue; a thread of
the hub fans it out. The road is for speed, the table for truth: while somebody watches, the table is read again every
two seconds, and a watcher drops what is not newer than what it has seen.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
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
    """Return the event that tells of a job's present state, under contract.md's name."""
    running = "created" if job.seq == 1 else "updated"
    return Event(name=f"{job.kind}:job:{job.status if job.done else running}", job=job)


def pack(job: Job) -> dict[str, Any]:
    """Return a job as it travels: Dask adds keys of its own beside it."""
    return {"job": job.model_dump(mode="json")}


class EventHub:
    """Fans out events to the watchers of a process. Watchers run on the hub's thread and must be quick."""

    def __init__(self, table: JobTable, recover: Callable[[], None]) -> None:
        self._table = table
        self._recover = recover
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._watchers: dict[str, list[Watcher]] = {}
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def attach(self, client: Client) -> None:
        """Listen on a client's cluster."""
        client.subscribe_topic(TOPIC, self._on_topic)

    def watch(self, job: Job, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of everything that happens to a job from now on; returns what ends that."""
        with self._lock:
            self._watchers.setdefault(job.id, []).append(watcher)
            if self._thread is None:
                self._thread = threading.Thread(target=self._fan_out, name="soundforge-events", daemon=True)
                self._thread.start()

        def unwatch() -> None:
            with self._lock:
                watchers = self._watchers.get(job.id, [])
                if watcher in watchers:
                    watchers.remove(watcher)
                if not watchers:
                    self._watchers.pop(job.id, None)
                    self._seen.pop(job.id, None)

        return unwatch

    def tell(self, job: Job) -> None:
        """Put a job's new state on the queue."""
        self._inbox.put(job)

    def close(self) -> None:
        """Stop the thread."""
        self._inbox.put(None)

    def _on_topic(self, event: tuple[float, dict[str, Any]]) -> None:
        try:
            self._inbox.put(Job.model_validate(event[1]["job"]))
        except (KeyError, ValueError):
            log.warning("An event on %s was not a job and was left out.", TOPIC)

    def _fan_out(self) -> None:
        while True:
            try:
                job = self._inbox.get(timeout=POLL_SECONDS)
            except queue.Empty:
                self._poll()
                continue
            if job is None:
                return
            self._deliver(job)

    def _poll(self) -> None:
        with self._lock:
            watched = list(self._watchers)
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
            watchers = list(self._watchers.get(job.id, ()))
            if not watchers or job.seq <= self._seen.get(job.id, 0):
                return
            self._seen[job.id] = job.seq
        for watcher in watchers:
            try:
                watcher(event_of(job))
            except Exception:
                log.exception("A watcher of job %s failed.", job.id)
