"""Jobs as a person follows them: one job in a cell, and the queue of a library."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape
from typing import Any

from traitlets import Dict, Int, List, Unicode

from sfwidgets.errors import NotFoundError, SoundForgeError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import Event, Job, Track, utc_now
from sfwidgets.widgets.base import View
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

RECENT = 20
"""So many jobs are in the queue panel."""

WHAT = {
    "processing": "Separation",
    "analysis": "Analysis",
    "model": "Model download",
    "download": "Download",
    "batch": "Downloads",
}
SETTLED_SECONDS = 2.0
"""A job must have run for this long before its speed says anything."""
MOST_FAILURES = 200
"""So many of the failed parts of a batch are told, each with its sentence."""


def show_job(job: JobHandle) -> None:
    """Show a job in a cell as it goes on: what a display formatter calls for a `JobHandle`."""
    from IPython.display import display

    display(JobProgress(job))  # type: ignore[no-untyped-call]


class JobProgress(View):
    """One job as it goes on, with its speed, the time left, and what follows it by itself.

    >>> JobProgress(wb.separate(track, analyze=True))
    """

    BUNDLE = "jobs"

    view = Unicode("job").tag(sync=True)
    jobs: List[Any] = List(Dict()).tag(sync=True)
    """The job, and then those that follow from it, each as `row` tells it."""

    def __init__(self, job: JobHandle) -> None:
        self._showing = threading.Lock()
        self._following = Following(job, self._show)
        super().__init__(jobs=self._following.rows())
        self._following.start()

    def close(self) -> None:
        """Take the widget down; the job goes on."""
        self._following.stop()
        super().close()

    def answer_state(self) -> list[dict[str, Any]]:
        """Return the jobs as the table has them now."""
        return self._following.read()

    def answer_cancel(self, job: str) -> None:
        """Ask that a job be cancelled."""
        self._following.handle(job).cancel()
        self._following.read()

    def answer_retry(self, job: str) -> None:
        """Ask for the same work again, and show that job in place of this one."""
        again = self._following.handle(job).retry()
        self._following.stop()
        self._following = Following(again, self._show)
        self._show(self._following)
        self._following.start()

    def answer_failed(self, job: str) -> list[dict[str, Any]]:
        """Return which parts of a batch failed, and why."""
        return failures(self._following.handle(job))

    def still(self) -> str:
        """Return the jobs as a table."""
        return table(self.jobs)

    def _show(self, following: Following) -> None:
        with self._showing:
            if following is self._following:
                self.jobs = following.rows()
                self.fault = following.fault


class JobQueue(View):
    """The jobs of a library that run, wait or ended lately, whoever asked for them.

    The page asks for them at its start, and every two seconds while it is looked at; nothing runs here in between.
    """

    BUNDLE = "jobs"

    view = Unicode("queue").tag(sync=True)
    version = Int(0).tag(sync=True)
    """Raised by `refresh`."""

    def __init__(self, wb: Workbench) -> None:
        self._wb = wb
        self._cleared = 0.0
        super().__init__()

    def refresh(self) -> None:
        """Have the page ask for the jobs now, even where nobody looks at them."""
        self.version += 1

    def answer_jobs(self) -> list[dict[str, Any]]:
        """Return the newest jobs, each as `row` tells it."""
        return self._rows()

    def answer_cancel(self, job: str) -> list[dict[str, Any]]:
        """Ask that a job be cancelled."""
        self._wb.job(str(job)).cancel()
        return self._rows()

    def answer_retry(self, job: str) -> list[dict[str, Any]]:
        """Ask for the same work again, as a new job."""
        self._wb.job(str(job)).retry()
        return self._rows()

    def answer_failed(self, job: str) -> list[dict[str, Any]]:
        """Return which parts of a batch failed, and why."""
        return failures(self._wb.job(str(job)))

    def answer_clear(self) -> list[dict[str, Any]]:
        """Hide the jobs that have ended; they stay in the library."""
        self._cleared = time.time()
        return self._rows()

    def still(self) -> str:
        """Return the jobs as a table."""
        return table(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        found = self._wb.jobs(limit=RECENT, children=False)
        ended = {handle.id: handle.last.completed_at for handle in found}
        shown = [handle for handle in found if (at := ended[handle.id]) is None or at.timestamp() > self._cleared]
        tracks = _tracks(self._wb, {job.track_id for job in (handle.last for handle in shown) if job.track_id})
        return [row(handle.last, tracks.get(handle.last.track_id or ""), title=_title(handle)) for handle in shown]


class Following:
    """A job and those that follow from it by themselves, watched until the last has ended.

    `changed` is called with this, on any thread, whenever there is news.
    """

    def __init__(self, job: JobHandle, changed: Callable[[Following], None]) -> None:
        self.fault = ""
        """A sentence, where the job can't be watched."""
        self._changed = changed
        self._handles = [job]
        self._jobs = [job.value]
        self._track, self._title = job.track, _title(job)
        self._unwatch: Callable[[], None] | None = None
        self._over = False
        self._lock = threading.RLock()
        while self.done and self._take_up_next():
            pass

    @property
    def done(self) -> bool:
        """Whether the job has ended, and nothing follows from it any more."""
        return self._jobs[-1].done

    @property
    def completed(self) -> bool:
        """Whether all of it went well."""
        return all(job.status == "completed" and not (job.result or {}).get("failed") for job in self._jobs)

    @property
    def first(self) -> Job:
        """The job itself, without those that follow."""
        return self._jobs[0]

    def parts(self) -> list[JobHandle]:
        """Return the parts of a batch, as the table has them now; of any other job, that job."""
        return self._handles[0].children() if self.first.kind == "batch" else self._handles[:1]

    def rows(self) -> list[dict[str, Any]]:
        """Return the jobs, each as `row` tells it."""
        with self._lock:
            return [row(job, self._track, title=self._title) for job in self._jobs]

    def handle(self, job_id: str) -> JobHandle:
        """Return one of the jobs; raises `NotFoundError`."""
        for handle in self._handles:
            if handle.id == job_id:
                return handle
        raise NotFoundError("This job is not shown here any more. Reload the page.", code="job_not_found")

    def start(self) -> None:
        """Begin to watch; in the background, since the library's workers may have to be started first."""
        threading.Thread(target=self._watch, name="sfwidgets-follow", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer; the job goes on."""
        with self._lock:
            self._over = True
            unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()

    def read(self) -> list[dict[str, Any]]:
        """Read the jobs from the table, as when events don't come through, and return them as `rows`."""
        for handle in list(self._handles):
            self._take(handle.value)
        return self.rows()

    def _watch(self) -> None:
        with self._lock:
            handle = self._handles[-1]
        try:
            unwatch = handle.watch(self._on_event)
        except (SoundForgeError, OSError, TimeoutError) as error:
            log.warning("Job %s can't be watched: %s", handle.id, error)
            self.fault = error.message if isinstance(error, SoundForgeError) else "The library's workers don't answer."
            self._changed(self)
            return
        with self._lock:
            late = self._over or self._handles[-1] is not handle or self._jobs[-1].done
            if not late:
                self._unwatch = unwatch
        if late:
            unwatch()

    def _on_event(self, event: Event) -> None:
        self._take(event.job)

    def _take(self, job: Job) -> None:
        followed = False
        with self._lock:
            numbers = [number for number, known in enumerate(self._jobs) if known.id == job.id and known.seq < job.seq]
            if not numbers:
                return
            self._jobs[numbers[0]] = job
            if job.done and numbers[0] == len(self._jobs) - 1:
                unwatch, self._unwatch = self._unwatch, None
                if unwatch is not None:
                    unwatch()
                followed = self._take_up_next()
        self._changed(self)  # without the lock: who is told takes one of its own, and asks for the rows within it
        if followed and not self._over:
            self.start()

    def _take_up_next(self) -> bool:
        handle = self._handles[-1].following() if self.first.kind != "batch" else None
        if handle is None:
            return False
        self._track = handle.track or self._track
        self._handles.append(handle)
        self._jobs.append(handle.value)
        return True


def row(job: Job, track: Track | None, *, title: str = "", now: datetime | None = None) -> dict[str, Any]:
    """Return what a page shows of a job; `title` is what it is known by where there is no track.

    `speed` is how many seconds of audio are done in a second, `left` the seconds that it will still take, `took` the
    seconds that it took; each is None where that can't be told. `counts` are those of a batch's parts.
    """
    ended = job.completed_at or now or utc_now()
    run = None if job.started_at is None else (ended - job.started_at).total_seconds()
    share = job.progress / 100
    told = run is not None and run >= SETTLED_SECONDS and share > 0
    length = track.duration if track is not None and job.kind in ("processing", "analysis") else None
    running = job.status == "processing" and job.not_before is None
    return {
        "id": job.id,
        "kind": job.kind,
        "what": WHAT.get(job.kind, job.kind),
        "detail": str(job.options.get("model", "")),
        "trackId": job.track_id,
        "track": title if track is None else track.title,
        "status": job.status,
        "progress": job.progress,
        "stage": job.stage,
        "attempt": job.attempt,
        "error": job.error,
        "paused": job.not_before is not None and not job.done,
        "counts": job.result if job.kind == "batch" else None,
        "speed": round(length * share / run, 1)
        if told and run and length and job.status in ("processing", "completed")
        else None,
        "left": round(run * (1 - share) / share, 1) if told and run and running and job.progress >= 2 else None,
        "took": None if run is None or job.completed_at is None else round(run, 1),
    }


def _title(job: JobHandle) -> str:
    """Return what a download is known by before its track is there, and a batch; of others, their track says it."""
    return job.title if job.kind in ("download", "batch") else ""


def failures(batch: JobHandle) -> list[dict[str, Any]]:
    """Return which parts of a batch failed: what they are known by, and why."""
    failed = [part for part in batch.children() if part.last.status == "error"]
    return [{"title": part.title, "error": part.last.error} for part in failed[:MOST_FAILURES]]


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Return jobs as an HTML table, for where no kernel runs."""
    lines = "".join(
        f"<tr><td>{escape(job['what'])}</td><td>{escape(job['track'] or job['detail'])}</td>"
        f"<td>{escape(job['status'])}</td><td>{job['progress']} %</td><td>{escape(job['error'] or '')}</td></tr>"
        for job in rows
    )
    if not lines:
        return "<p>No jobs.</p>"
    return f"<table><tr><th>Job</th><th>Track</th><th>Status</th><th>Done</th><th></th></tr>{lines}</table>"


def _tracks(wb: Workbench, ids: set[str]) -> dict[str, Track]:
    found = {}
    for track_id in ids:
        try:
            found[track_id] = wb.track(track_id)
        except NotFoundError:
            continue
    return found
