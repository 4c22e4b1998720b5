"""Events: what happened to which job, from the worker that did it to whoever watches.

They travel by a road (`sfwidgets.jobs.road`). A process holds one subscription, whose handler only puts the event on a
queue; a thread of the hub fans it out. The road is for speed, the table for truth: while somebody watches, another thread
reads the table every two seconds, and what the road has failed to bring since the last time is told from there. A watcher
is told of nothing that is not newer than what it knows.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sfwidgets.errors import SoundForgeError
from sfwidgets.jobs.road import Road
from sfwidgets.library import JobTable
from sfwidgets.models import Event, Job

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0

Watcher = Callable[[Event], None]
Subject = str | tuple[str, str | None]
"""What is watched: a job, by its id, or a track, by its owner and id."""


def event_of(job: Job) -> Event:
    """Return the event that tells of a job's present state, under the HTTP contract's name."""
    running = "created" if job.seq == 1 else "updated"
    return Event(name=f"{job.kind}:job:{job.status if job.done else running}", job=job)


@dataclass(eq=False)
class Watch:
    """Somebody who watches, and the newest `seq` of each job that they know, with the moment they came to know it."""

    subject: Subject
    watcher: Watcher
    known: dict[str, tuple[int, float]] = field(default_factory=dict)

    def seq(self, job_id: str) -> int:
        """Return the newest `seq` that is known of a job."""
        return self.known.get(job_id, (0, 0.0))[0]

    def learn(self, job: Job) -> bool:
        """Return whether a job's state is news, which it is not any more then."""
        if self.seq(job.id) >= job.seq:
            return False
        self.known[job.id] = (job.seq, time.monotonic())
        return True


@dataclass(frozen=True)
class _Told:
    """A job's new state, for all who watch it or for one of them."""

    job: Job
    only: Watch | None = None


@dataclass(frozen=True)
class _Read:
    """What the table said of all that is watched, when it was asked, and whether the road was open then."""

    jobs: list[Job]
    began: float
    road_open: bool


class EventHub:
    """Fans out events to the watchers of a process. Watchers run on the hub's thread and must be quick."""

    def __init__(self, table: JobTable, road: Road, recover: Callable[[], None]) -> None:
        self._table = table
        self._road = road
        self._recover = recover
        self._inbox: queue.SimpleQueue[_Told | _Read | None] = queue.SimpleQueue()
        self._watches: dict[Subject, list[Watch]] = {}
        self._late: dict[str, int] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def watch(self, subject: Subject, watcher: Watcher) -> Watch:
        """Tell `watcher` of everything that happens to a job, or to the jobs of a track, until `unwatch`."""
        watch = Watch(subject, watcher)
        with self._lock:
            self._watches.setdefault(subject, []).append(watch)
            if not self._threads:
                self._start()
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Tell a watcher nothing any more."""
        with self._lock:
            left = [other for other in self._watches.pop(watch.subject, []) if other is not watch]
            if left:
                self._watches[watch.subject] = left

    def skip(self, watch: Watch, jobs: list[Job]) -> None:
        """Take it that a watcher knows these states."""
        with self._lock:
            for job in jobs:
                watch.learn(job)

    def tell(self, job: Job, only: Watch | None = None) -> None:
        """Put a job's new state on the queue, for all who watch it or for one of them."""
        if self._threads:  # else nobody has ever watched, and nobody reads the queue
            self._inbox.put(_Told(job, only))

    def close(self) -> None:
        """Stop the threads; a later `watch` starts others."""
        with self._lock:
            threads, self._threads = self._threads, []
        self._closing.set()
        if threads:
            self._inbox.put(None)
        for thread in threads:
            thread.join()

    def _start(self) -> None:
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._fan_out, name="soundforge-events", daemon=True),
            threading.Thread(target=self._poll, args=(self._closing,), name="soundforge-poll", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._road.listen(self.tell)

    def _fan_out(self) -> None:
        while (news := self._inbox.get()) is not None:
            if isinstance(news, _Told):
                self._deliver(news.job, news.only)
            else:
                self._compare(news)

    def _poll(self, closing: threading.Event) -> None:
        while not closing.wait(POLL_SECONDS):
            with self._lock:
                watched = list(self._watches)
            if not watched:
                continue
            try:
                began, road_open = time.monotonic(), self._road.open
                self._inbox.put(_Read(list(self._read(watched)), began, road_open))
                self._recover()
            except SoundForgeError as error:
                log.warning("The table of jobs could not be read; it is tried again in %s s: %s", POLL_SECONDS, error)
            except Exception:
                log.exception("The table of jobs could not be read; it is tried again in %s s.", POLL_SECONDS)

    def _read(self, watched: list[Subject]) -> Iterator[Job]:
        tracks: defaultdict[str, list[str]] = defaultdict(list)
        for subject in watched:
            if isinstance(subject, tuple) and subject[1] is not None:
                tracks[subject[0]].append(subject[1])
        yield from self._table.many([subject for subject in watched if isinstance(subject, str)])
        for owner, ids in tracks.items():
            yield from self._table.recent(owner, ids)

    def _compare(self, read: _Read) -> None:
        """Tell what the road has failed to bring: what the table said the last time too, and what no road could bring.

        What the table says for the first time may be on its way just now, and something else before it.
        """
        late, self._late = self._late, {}
        for job in read.jobs:
            with self._lock:
                oldest = min((watch.seq(job.id) for watch in self._watching(job)), default=job.seq)
            if oldest >= job.seq:
                continue
            if not read.road_open or oldest < late.get(job.id, 0):
                self._deliver(job)
            else:
                self._late[job.id] = job.seq
        self._forget({job.id for job in read.jobs}, read.began)

    def _forget(self, present: set[str], before: float) -> None:
        """Free what watchers of tracks know of jobs that the table did not return: those ended long ago."""
        with self._lock:
            for watch in (watch for watches in self._watches.values() for watch in watches):
                watch.known = {
                    job: (seq, moment)
                    for job, (seq, moment) in watch.known.items()
                    if job in present or moment >= before
                }

    def _watching(self, job: Job) -> list[Watch]:
        return [*self._watches.get(job.id, ()), *self._watches.get((job.owner, job.track_id), ())]

    def _deliver(self, job: Job, only: Watch | None = None) -> None:
        with self._lock:
            news = [watch for watch in self._watching(job) if only in (None, watch) and watch.learn(job)]
        for watch in news:
            try:
                watch.watcher(event_of(job))
            except Exception:
                log.exception("A watcher of job %s failed.", job.id)
