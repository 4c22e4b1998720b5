"""A live job: what `Workbench.separate` returns. It watches; the work goes on without it."""

from __future__ import annotations

import asyncio
import queue
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

from sfwidgets.errors import JobCancelledError, JobFailedError
from sfwidgets.jobs.events import POLL_SECONDS
from sfwidgets.jobs.service import Jobs
from sfwidgets.models import Event, Job, JobKind, JobStatus, Track


class JobHandle:
    """A job that can be waited for, awaited, cancelled and retried."""

    def __init__(self, jobs: Jobs, job: Job, retry: Callable[[Job], JobHandle]) -> None:
        self._jobs = jobs
        self._job = job
        self._retry = retry

    @property
    def value(self) -> Job:
        """The job as the table has it now."""
        if not self._job.done:
            self._take(self._jobs.table.get(self._job.owner, self._job.id))
        return self._job

    @property
    def last(self) -> Job:
        """The job as it was last read; asks nobody."""
        return self._job

    @property
    def id(self) -> str:
        """The job's id."""
        return self._job.id

    @property
    def kind(self) -> JobKind:
        """What sort of work it is."""
        return self._job.kind

    @property
    def status(self) -> JobStatus:
        """`queued`, `processing`, `completed`, `error` or `cancelled`."""
        return self.value.status

    @property
    def progress(self) -> int:
        """Per cent done, 0 to 100."""
        return self.value.progress

    @property
    def error(self) -> str | None:
        """What went wrong, as a sentence, where the job ended in `error`."""
        return self.value.error

    @property
    def result(self) -> dict[str, Any] | None:
        """What the job made, once it has completed."""
        return self.value.result

    @property
    def track(self) -> Track | None:
        """The track that it works on; None where it works on none, or the track has gone."""
        return self._jobs.track_of(self._job)

    @property
    def title(self) -> str:
        """What the job works on, for people: the track's title, or what a service calls it; of a batch, its name."""
        options = self._job.options
        if self.kind == "batch":
            return str(options["name"])
        track = self.track
        if track is not None:
            return track.title
        named = (options.get("track") or {}).get("title") or options.get("url") or options.get("model")
        return str(named or self._job.track_id or self.kind)

    def children(self) -> list[JobHandle]:
        """Return the parts of a batch, in their order."""
        parts = self._jobs.table.parts(self._job.owner, self._job.id)
        return [JobHandle(self._jobs, part, self._retry) for part in parts]

    def following(self) -> JobHandle | None:
        """Return the job that was asked for when this one had ended (`then`), once there is one."""
        found = self._jobs.following(self.value)
        return None if found is None else JobHandle(self._jobs, found, self._retry)

    def cancel(self) -> None:
        """Ask that the job be cancelled. It ends within one segment of audio, and leaves no files."""
        self._take(self._jobs.cancel(self._job.owner, self._job.id))

    def retry(self) -> JobHandle:
        """Ask for the same work again, as a new job."""
        return self._retry(self._job)

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Call `watcher` with every event of the job, on a thread of the library's; returns what ends that."""
        return self._jobs.watch(self._job, watcher)

    def wait(self, timeout: float | None = None, *, progress: bool | None = None) -> JobHandle:
        """Block until the job has ended; in a notebook, `await job` instead.

        Shows a progress bar where standard error is a terminal, or as `progress` says. Raises `JobFailedError` or
        `JobCancelledError` where it did not complete, `TimeoutError` after `timeout` seconds (the job goes on).
        """
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        deadline = None if timeout is None else time.monotonic() + timeout
        unwatch = self.watch(events.put)
        try:
            with _bar(self._job, sys.stderr.isatty() if progress is None else progress) as bar:
                while not self._job.done:
                    left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, deadline - time.monotonic())
                    if left <= 0:
                        raise TimeoutError(f"Job {self.id} has not ended after {timeout} s; it goes on.")
                    try:
                        self._take(events.get(timeout=left).job)
                    except queue.Empty:
                        continue
                    bar.show(self._job)
        finally:
            unwatch()
        return self._checked()

    def __await__(self) -> Generator[Any, None, JobHandle]:
        return self._wait_async().__await__()

    async def _wait_async(self) -> JobHandle:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Job] = loop.create_future()

        def on_event(event: Event) -> None:
            if event.job.done:
                loop.call_soon_threadsafe(resolve, event.job)

        def resolve(job: Job) -> None:
            if not ended.done():
                ended.set_result(job)

        unwatch = await asyncio.to_thread(self.watch, on_event)
        try:
            self._take(await ended)
        finally:
            unwatch()
        return self._checked()

    def _take(self, job: Job) -> None:
        if job.seq > self._job.seq:
            self._job = job

    def _checked(self) -> JobHandle:
        if self._job.status == "error":
            raise JobFailedError(self._job.error or "The job failed.", code=self._job.code or "job_failed")
        if self._job.status == "cancelled":
            raise JobCancelledError("The job was cancelled.")
        return self

    def _told(self, job: Job) -> str:
        """Return what there is to say of a job beside its status: why it failed, what it does, how its parts ended."""
        said = job.result or {}
        if job.kind != "batch" or job.error or job.stage or "total" not in said:
            return job.error or job.stage
        failed = f", {said['failed']} failed" if said["failed"] else ""
        return f"{said['completed']} of {said['total']} done{failed}"

    def __repr__(self) -> str:
        job = self.value
        told = self._told(job)
        what = f": {told}" if told else ""
        return f"<{job.kind} job {job.id[:8]} {job.status} {job.progress} %{what}>"

    def _repr_html_(self) -> str:
        from html import escape

        job = self.value
        note = f"<div>{escape(job.error)}</div>" if job.error else ""
        return (
            f"<div><strong>{job.kind}</strong> {job.status} · {escape('' if job.error else self._told(job))} "
            f'<progress max="100" value="{job.progress}" aria-label="{job.kind} progress"></progress> '
            f"{job.progress} %{note}</div>"
        )


class _bar:  # noqa: N801 - reads as the context manager it is
    """A progress bar on standard error."""

    def __init__(self, job: Job, shown: bool) -> None:
        from tqdm import tqdm

        layout = "{desc:<28}{percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
        self._bar = tqdm(total=100, desc=job.kind, bar_format=layout, disable=not shown, file=sys.stderr)

    def __enter__(self) -> _bar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def show(self, job: Job) -> None:
        self._bar.set_description(job.stage or job.status, refresh=False)
        self._bar.update(job.progress - self._bar.n)
