"""What a Dask worker runs: one attempt at one job.

It claims the job, renews its lease while it works, and ends it: `completed` in the transaction that records the result,
`error` with a sentence, or `cancelled`. An attempt that may not claim, or that loses its lease, ends quietly.
"""

from __future__ import annotations

import functools
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sfwidgets import logs
from sfwidgets.audio import NO_ROOM
from sfwidgets.errors import (
    DiskFullError,
    JobCancelledError,
    ModelUnavailableError,
    SlowDownError,
    SoundForgeError,
    UnavailableError,
)
from sfwidgets.jobs.leases import Leases
from sfwidgets.jobs.patience import AGAIN_SECONDS, is_away, patiently
from sfwidgets.jobs.road import Road
from sfwidgets.jobs.service import holder_is_dead, holder_name, road_of, send
from sfwidgets.jobs.strangers import leave_if_stranger
from sfwidgets.library import Claim, LeaseLostError, Library, Shared, workspace_name
from sfwidgets.models import Job, JobKind, SeparationOptions, one_line
from sfwidgets.settings import Settings

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
BATCH_SECONDS = 0.25
"""What happens to the parts of a batch within so long is counted and told at once, at its end."""
CANCEL_CHECK_SECONDS = 0.25
SLOW_DOWN_SECONDS = 60.0
"""How long downloads wait where a service that wants fewer requests does not say how long."""


_leaving = threading.Event()
"""Set when this process is told to end: its jobs give themselves back at the next moment that they may stop."""
_batches_changed: set[str] = set()
"""Batches that are to be counted and told of in a moment."""
_parts_left: dict[str, int] = {}
"""How many parts of a batch had not ended when it was last counted, less those that have ended here since: about."""


class LaterError(Exception):
    """The work can't be done just now; the attempt does not count, and is made again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"to be tried again in {seconds} s")
        self.seconds = seconds


class Attempt:
    """One attempt at a job, as the code that does the work sees it."""

    def __init__(self, shared: Shared, claim: Claim) -> None:
        self.job: Job = claim.job
        self.library: Library = shared.of(claim.job.owner)
        self.settings: Settings = _settings().model_copy(
            update={
                "models_dir": None if claim.settings["models_dir"] is None else Path(claim.settings["models_dir"]),
                "offline": claim.settings["offline"],
            }
        )
        self.name: str = workspace_name(claim.job.id, claim.job.attempt)
        self._shared = shared
        self._claim_settings = claim.settings
        self._stage = ""
        self._share = 0.0
        self._reported = (-1, "")
        self._next_report = 0.0
        self._next_check = time.monotonic() + CANCEL_CHECK_SECONDS  # the claim has looked

    def stage(self, name: str) -> None:
        """Say what the work is at; also a moment to stop, as `progress` is."""
        self._stage = name
        self._next_report = 0.0
        self.progress(self._share)

    def report(self, share: float, stage: str) -> None:
        """Do as `progress` does, and say what the work is at; what is over in a second is not told of."""
        self._next_report = self._next_report or time.monotonic() + REPORT_SECONDS
        self._stage = stage
        self.progress(share)

    def progress(self, share: float) -> None:
        """Record the share done, 0 to 1, at most once a second and only when the percentage grows.

        Raises `JobCancelledError` where somebody wants the job cancelled, `LeaseLostError` where it is not ours any more.
        Work goes on while the database is away.
        """
        try:
            self._progress(share)
        except UnavailableError as error:
            if not is_away(error):
                raise
            self._next_check = self._next_report = time.monotonic() + REPORT_SECONDS

    def _progress(self, share: float) -> None:
        if _leaving.is_set():
            raise LaterError(0)
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + CANCEL_CHECK_SECONDS
            if self._shared.jobs.cancel_requested(self.job):
                raise JobCancelledError("Cancelled.")
        self._share = max(self._share, share)
        percent = (min(99, int(self._share * 100)), self._stage)
        if now >= self._next_report and percent != self._reported:
            self._next_report = now + REPORT_SECONDS
            self._reported = percent
            _tell(self._shared.jobs.progress(self.job, *percent))

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Make a temporary folder of this attempt's own, which is gone afterwards."""
        folder = self.library.store.workspace(self.name)
        try:
            yield folder
        finally:
            self.library.store.discard_workspace(self.name)

    def complete(
        self,
        record: Callable[[Connection], None],
        *,
        output_path: str | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        """Record what was made and end the job, in one transaction; raises `LeaseLostError`, having changed nothing.

        Where the database is away, that is tried until it is back. `UnavailableError` says that it was not for long, and
        that nobody knows whether the job has ended.
        """

        def commit() -> tuple[Job, list[tuple[Job, bool]]]:
            try:
                with self._shared.database.write() as connection:
                    done = self._shared.jobs.complete(
                        connection, self.job, output_path=output_path, result=result or {}
                    )
                    record(connection)
                    return done, self._follow(connection, done)
            except LeaseLostError:
                for job in self._shared.jobs.many([self.job.id]):
                    if job.status == "completed" and job.attempt == self.job.attempt:
                        return job, []  # an earlier try took place; recovery sends what it asked for
                raise

        done, following = patiently(commit)
        _tell_end(done)
        self.begin(following)

    def twin(self) -> bool:
        """Return whether another download that began before this one gets the same recording."""
        return self._shared.jobs.twin(self.job)

    def paused(self) -> float:
        """Return how many seconds downloads are to wait, as another of them was turned away; 0 where they need not."""
        return self._shared.jobs.downloads_paused()

    def metadata(self, key: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what a service says under that key: from the cache, or else as `read` returns it."""
        found = self._shared.metadata.get(key)
        if found is None:
            found = read()
            self._shared.metadata.put(key, found)
        return found

    def ask_for_analysis(self) -> list[tuple[Job, bool]]:
        """Ask for the analysis that was to follow a separation which has no model: an analysis needs none."""
        with self._shared.database.write() as connection:
            return [self._insert(connection, kind, {}) for kind in self.job.then if kind == "analysis"]

    def _follow(self, connection: Connection, done: Job) -> list[tuple[Job, bool]]:
        """Ask for what follows a job; after a download, a separation comes first, and an analysis follows that."""
        if done.kind != "download" or done.track_id is None:
            return [self._insert(connection, kind, {}) for kind in done.then]
        wish = self.library.wishes.take(connection, done.track_id)
        wanted = {*done.then, *wish.then}
        analysis: tuple[JobKind, ...] = ("analysis",) if "analysis" in wanted else ()
        if "processing" not in wanted:
            return [self._insert(connection, kind, {}) for kind in analysis]
        options = wish.options or SeparationOptions().model_dump(mode="json")
        return [self._insert(connection, "processing", options, analysis)]

    def _insert(
        self, connection: Connection, kind: JobKind, options: dict[str, Any], then: tuple[JobKind, ...] = ()
    ) -> tuple[Job, bool]:
        job = self.job
        return self._shared.jobs.insert(
            connection, job.owner, kind, job.track_id, options, settings=self._claim_settings, then=then
        )

    def begin(self, asked: list[tuple[Job, bool]]) -> None:
        """Tell of jobs that were asked for, and send them to the workers; those that can't be sent, recovery sends."""
        from distributed import get_client

        for job in (job for job, created in asked if created):
            _tell(job)
            try:
                send(get_client(), self._shared.jobs, [job])
            except Exception:
                log.exception("Job %s could not be sent; it waits in the table.", job.id)


def leave() -> None:
    """Let the jobs of this process give themselves back; such an attempt does not count."""
    _leaving.set()


def run_job(job_id: str, task: str) -> None:
    """Make one attempt at a job, if it may be made."""
    logs.JOB.set(job_id)
    shared = patiently(_shared)
    claim = patiently(lambda: _claim(shared, job_id, holder_name(task)))
    if claim is None:
        leave_if_stranger(shared, job_id)
        return
    _forget_earlier_attempts(shared, claim.job)
    attempt = Attempt(shared, claim)
    if claim.job.parent is None:
        _tell(claim.job)  # a part of a batch is told of by its first progress, or by its end
    with _leases().kept(claim.job):
        try:
            if claim.job.parent is not None and claim.batch_waits:
                _begin_batch(shared, claim.job.parent)
            _work(attempt)
        except LeaseLostError:
            log.info("Attempt %d at job %s lost its lease.", claim.job.attempt, job_id)
        except JobCancelledError:
            _end(lambda: shared.jobs.cancelled(claim.job))
        except LaterError as later:
            seconds = later.seconds
            _end(lambda: shared.jobs.postpone(claim.job, seconds, stage="Waiting"))
        except Exception as error:
            if is_away(error):
                _end(lambda: shared.jobs.postpone(claim.job, AGAIN_SECONDS, stage="Waiting"))
                return
            if isinstance(error, SlowDownError) and _paused(shared, claim.job, error):
                return
            sentence, code = _explain(error, job_id)
            following = patiently(attempt.ask_for_analysis) if isinstance(error, ModelUnavailableError) else []
            _end(lambda: shared.jobs.fail(claim.job, sentence, code))
            attempt.begin(following)


def _paused(shared: Shared, job: Job, error: SlowDownError) -> bool:
    """Let all downloads wait as somebody else's service asks; returns whether this one is to be tried again."""
    try:
        seconds = error.retry_after or SLOW_DOWN_SECONDS
        postponed = patiently(lambda: shared.jobs.pause_downloads(job, seconds, why=error.message))
    except LeaseLostError:
        return True
    if postponed is None:
        return False
    log.warning("%s %s waits: %s", job.kind, job.id, postponed.stage)
    _tell_all(postponed)
    return True


def _work(attempt: Attempt) -> None:
    from sfwidgets.jobs.work import KINDS

    attempt.library.store.check_room()
    KINDS[attempt.job.kind](attempt)


def _begin_batch(shared: Shared, batch_id: str) -> None:
    if patiently(lambda: shared.jobs.begin_batch(batch_id)):
        _tell_batch(batch_id)


def _claim(shared: Shared, job_id: str, holder: str) -> Claim | None:
    claim = shared.jobs.claim(job_id, holder)
    if claim is not None:
        return claim
    for other in shared.jobs.unfinished(job_id=job_id):
        if other.holder == holder:  # an earlier try of ours took place, and only its answer was lost
            shared.jobs.postpone(other.job, 0, stage="Starting")
        elif holder_is_dead(other.holder):
            shared.jobs.expire(other)
        else:
            return None
        return shared.jobs.claim(job_id, holder)
    return None


def _forget_earlier_attempts(shared: Shared, job: Job) -> None:
    store = shared.of(job.owner).store
    for number in range(1, job.attempt):
        store.discard_workspace(workspace_name(job.id, number))
        for folder in (store.root / "stems" / job.owner).glob(f"*/*/{workspace_name(job.id, number)}"):
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _leases() -> Leases:
    return Leases(_shared().jobs)


def _end(change: Callable[[], Job]) -> None:
    try:
        _tell_end(patiently(change))
    except LeaseLostError:
        log.info("The job had ended, or had been taken over, before this attempt could end it.")


def _explain(error: Exception, job_id: str) -> tuple[str, str]:
    if isinstance(error, SoundForgeError):
        return error.message, error.code
    if (isinstance(error, OSError) and error.errno in NO_ROOM) or "disk is full" in str(error):
        return "The disk is full. Make room where the library lives, then retry.", DiskFullError.code
    log.error("Job %s failed.", job_id, exc_info=error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "There was not enough memory. Close other programs, or choose a smaller model.", "out_of_memory"
    return "Something went wrong inside; the workers' log says what (run/cluster.log in the library).", "internal"


@functools.cache
def _settings() -> Settings:
    return Settings()


@functools.cache
def _shared() -> Shared:
    return Shared(_settings())


@functools.cache
def _road() -> Road:
    return road_of(_shared())


def _tell(job: Job, worker: Any = None) -> None:
    """Tell of a job; `worker` is Dask's, whose task this is where it is not said."""
    from distributed import get_worker

    try:
        _road().publish(worker or get_worker(), job)
    except Exception as error:
        log.warning("Nobody could be told of job %s, but the table tells: %s", job.id, error)


def _tell_all(job: Job) -> None:
    """Tell of a job, and in a moment of the batch that it is a part of; at once where it seems to be the last."""
    _tell(job)
    if job.parent is not None:
        _parts_left[job.parent] = _parts_left.get(job.parent, 0) - job.done
        _tell_batch(job.parent, at_once=job.done and _parts_left[job.parent] == 0)


def _tell_batch(batch_id: str, *, at_once: bool = False) -> None:
    from distributed import get_worker

    waits = batch_id in _batches_changed
    _batches_changed.add(batch_id)
    if at_once:
        _tell_batch_now(batch_id, get_worker())
    elif not waits:
        timer = threading.Timer(BATCH_SECONDS, _tell_batch_now, (batch_id, get_worker()))
        timer.daemon = True
        timer.start()


def _tell_batch_now(batch_id: str, worker: Any) -> None:
    if batch_id not in _batches_changed:
        return
    _batches_changed.discard(batch_id)
    try:
        batch = patiently(lambda: _shared().jobs.settle(batch_id))
    except Exception:
        log.exception("The parts of batch %s could not be counted; recovery does it.", batch_id)
        return
    if batch is None or batch.done or batch.result is None:
        _parts_left.pop(batch_id, None)
    else:
        _parts_left[batch_id] = batch.result["total"] - sum(
            batch.result[how] for how in ("completed", "failed", "cancelled")
        )
    if batch is not None:
        _tell(batch, worker)


def _tell_end(job: Job) -> None:
    if job.started_at is not None and job.completed_at is not None:
        seconds = (job.completed_at - job.started_at).total_seconds()
        why = f": {one_line(job.error)}" if job.error else ""
        log.info("%s %s %s after %.1f s%s", job.kind, job.id, job.status, seconds, why)
    _tell_all(job)
