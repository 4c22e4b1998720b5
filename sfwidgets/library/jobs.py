"""The table of jobs: the truth about what was asked for, what is running and how it ended.

Every change raises `seq` in its own transaction. A job is worked on by whoever holds its lease: `claim` is a
compare-and-set that raises `attempt`, and everything a worker writes after it names that attempt, so that a worker which
lost its lease can change nothing any more.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from sfwidgets.errors import NotFoundError
from sfwidgets.library.database import Database
from sfwidgets.library.schema import jobs
from sfwidgets.library.tracks import moment
from sfwidgets.models import Job, JobKind

MAX_ATTEMPTS = 3
LEASE_SECONDS = 15.0
RECENT_SECONDS = 120.0
"""How long a job that has ended is still told to whoever comes to watch."""
MOST_IDS = 500
"""How many ids one query names; databases have limits of their own."""
RUNNING = ("queued", "processing")


class LeaseLostError(Exception):
    """This attempt no longer holds the job: another one took over, or the job has ended. The work stops quietly."""


@dataclass(frozen=True)
class Claim:
    """A job as the attempt that holds its lease sees it."""

    job: Job
    settings: dict[str, Any]


@dataclass(frozen=True)
class Unfinished:
    """What recovery needs to know of a job that has not ended."""

    job: Job
    task: str | None
    holder: str | None
    lease_until: float
    cancel_requested: bool


class JobTable:
    """Rows of jobs. What clients ask goes by owner; what workers and recovery do goes by job id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(
        self,
        owner: str,
        kind: JobKind,
        track_id: str | None,
        options: dict[str, Any],
        *,
        settings: dict[str, Any],
        then: tuple[JobKind, ...] = (),
    ) -> tuple[Job, bool]:
        """Insert a queued job, or return the identical one that is running; the second value says which it was."""
        with self._database.write() as connection:
            return self.insert(connection, owner, kind, track_id, options, settings=settings, then=then)

    def insert(
        self,
        connection: Connection,
        owner: str,
        kind: JobKind,
        track_id: str | None,
        options: dict[str, Any],
        *,
        settings: dict[str, Any],
        then: tuple[JobKind, ...] = (),
    ) -> tuple[Job, bool]:
        """Do as `submit` does, within a transaction that is open already."""
        asked = json.dumps([kind, track_id, options, sorted(then)], sort_keys=True)
        fingerprint = hashlib.sha256(asked.encode()).hexdigest()
        same = select(jobs).where(jobs.c.owner == owner, jobs.c.fingerprint == fingerprint, jobs.c.status.in_(RUNNING))
        running = connection.execute(same).first()
        if running is not None:
            return _job(running), False
        row = connection.execute(
            insert(jobs)
            .values(
                id=uuid.uuid4().hex,
                owner=owner,
                kind=kind,
                track_id=track_id,
                status="queued",
                progress=0,
                stage="",
                options=options,
                settings=settings,
                then=list(then),
                fingerprint=fingerprint,
                seq=1,
                attempt=0,
                lease_until=0.0,
                cancel_requested=False,
                created_at=time.time(),
            )
            .returning(jobs)
        ).one()
        return _job(row), True

    def get(self, owner: str, job_id: str) -> Job:
        """Return a job; raises `NotFoundError` where it is not there, or not this owner's."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id, jobs.c.owner == owner)).first()
        if row is None:
            raise NotFoundError(f"There is no job {job_id}.", code="job_not_found")
        return _job(row)

    def many(self, ids: list[str]) -> list[Job]:
        """Return the jobs with these ids, in no particular order."""
        with self._database.read() as connection:
            return [_job(row) for row in connection.execute(select(jobs).where(jobs.c.id.in_(ids)))]

    def recent(self, owner: str, tracks: list[str]) -> list[Job]:
        """Return the jobs of an owner's tracks that run, and those that ended in the last two minutes; the oldest first."""
        fresh = or_(jobs.c.status.in_(RUNNING), jobs.c.completed_at > time.time() - RECENT_SECONDS)
        of_owner = select(jobs).where(jobs.c.owner == owner, fresh).order_by(jobs.c.created_at, jobs.c.id)
        found = []
        with self._database.read() as connection:
            for start in range(0, len(tracks), MOST_IDS):
                query = of_owner.where(jobs.c.track_id.in_(tracks[start : start + MOST_IDS]))
                found += [_job(row) for row in connection.execute(query)]
        return found

    def newest(
        self, owner: str, *, kind: JobKind | None = None, track_id: str | None = None, limit: int = 50
    ) -> list[Job]:
        """Return an owner's jobs, the newest first."""
        query = select(jobs).where(jobs.c.owner == owner).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        if track_id is not None:
            query = query.where(jobs.c.track_id == track_id)
        with self._database.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def cancel(self, owner: str, job_id: str) -> Job:
        """Cancel a job: at once where it has not begun, else by a flag that its worker reads between two blocks."""
        with self._database.write() as connection:
            mine = (jobs.c.id == job_id, jobs.c.owner == owner)
            connection.execute(
                update(jobs).where(*mine, jobs.c.status == "queued").values(**_ended("cancelled"), code="cancelled")
            )
            connection.execute(update(jobs).where(*mine, jobs.c.status == "processing").values(cancel_requested=True))
        return self.get(owner, job_id)

    def claim(self, job_id: str, holder: str) -> Claim | None:
        """Take the lease of a job that nobody holds, as its next attempt; None where that may not be."""
        now = time.time()
        free = or_(jobs.c.status == "queued", and_(jobs.c.status == "processing", jobs.c.lease_until < now))
        taken = (
            update(jobs)
            .where(jobs.c.id == job_id, free, jobs.c.attempt < MAX_ATTEMPTS, jobs.c.cancel_requested.is_(False))
            .values(
                status="processing",
                attempt=jobs.c.attempt + 1,
                seq=jobs.c.seq + 1,
                holder=holder,
                progress=0,
                stage="Starting",
                lease_until=now + LEASE_SECONDS,
                started_at=now,
            )
            .returning(jobs)
        )
        with self._database.write() as connection:
            row = connection.execute(taken).first()
        return None if row is None else Claim(_job(row), row.settings)

    def renew(self, job: Job) -> None:
        """Renew the lease; raises `LeaseLostError` where this attempt no longer holds it."""
        with self._database.write() as connection:
            done = connection.execute(
                update(jobs).where(*_held(job)).values(lease_until=time.time() + LEASE_SECONDS).returning(jobs.c.id)
            ).first()
        if done is None:
            raise LeaseLostError

    def cancel_requested(self, job: Job) -> bool:
        """Return whether somebody wants the job cancelled; raises `LeaseLostError` where it is not ours any more."""
        with self._database.read() as connection:
            flag: bool | None = connection.scalar(select(jobs.c.cancel_requested).where(*_held(job)))
        if flag is None:
            raise LeaseLostError
        return flag

    def progress(self, job: Job, progress: int, stage: str) -> Job:
        """Record how far an attempt is; raises `LeaseLostError`."""
        with self._database.write() as connection:
            return self._change(connection, job, progress=progress, stage=stage)

    def complete(self, connection: Connection, job: Job, *, output_path: str | None, result: dict[str, Any]) -> Job:
        """End an attempt well, within the transaction that records what it made; raises `LeaseLostError`."""
        values = {**_ended("completed"), "progress": 100, "output_path": output_path, "result": result}
        return self._change(connection, job, **values)

    def fail(self, job: Job, error: str, code: str) -> Job:
        """End an attempt in `error`; raises `LeaseLostError`."""
        with self._database.write() as connection:
            return self._change(connection, job, **_ended("error"), error=error[:2000], code=code)

    def cancelled(self, job: Job) -> Job:
        """End an attempt in `cancelled`; raises `LeaseLostError`."""
        with self._database.write() as connection:
            return self._change(connection, job, **_ended("cancelled"), code="cancelled")

    def sent(self, job_id: str, task: str) -> None:
        """Remember under which key a job was last given to Dask."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(task=task))

    def unfinished(self, limit: int = 1000, *, job_id: str | None = None) -> list[Unfinished]:
        """Return jobs of all owners that have not ended, the oldest first; or that one job, if it has not ended."""
        query = select(jobs).where(jobs.c.status.in_(RUNNING)).order_by(jobs.c.created_at).limit(limit)
        if job_id is not None:
            query = query.where(jobs.c.id == job_id)
        with self._database.read() as connection:
            return [
                Unfinished(_job(row), row.task, row.holder, row.lease_until, row.cancel_requested)
                for row in connection.execute(query)
            ]

    def expire(self, lost: Unfinished) -> None:
        """End the lease of an attempt whose process is known to be dead."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(*_held(lost.job)).values(lease_until=0.0))

    def give_up(self, lost: Unfinished) -> Job | None:
        """End a job whose lease has lapsed and that may not run again; None where somebody else was first."""
        if lost.cancel_requested:
            values = {**_ended("cancelled"), "code": "cancelled"}
        elif lost.job.attempt >= MAX_ATTEMPTS:
            sentence = f"Given up after {MAX_ATTEMPTS} attempts: each time the worker died before it was done."
            values = {**_ended("error"), "error": sentence, "code": "worker_died"}
        else:
            return None
        lapsed = (*_held(lost.job), jobs.c.lease_until < time.time())
        with self._database.write() as connection:
            row = connection.execute(update(jobs).where(*lapsed).values(**values).returning(jobs)).first()
        return None if row is None else _job(row)

    def _change(self, connection: Connection, job: Job, **values: Any) -> Job:
        row = connection.execute(
            update(jobs).where(*_held(job)).values(**{"seq": jobs.c.seq + 1, **values}).returning(jobs)
        ).first()
        if row is None:
            raise LeaseLostError
        return _job(row)


def _held(job: Job) -> tuple[Any, ...]:
    return jobs.c.id == job.id, jobs.c.status == "processing", jobs.c.attempt == job.attempt


def _ended(status: str) -> dict[str, Any]:
    return {
        "status": status,
        "stage": "",
        "completed_at": time.time(),
        "seq": jobs.c.seq + 1,
        "lease_until": 0.0,
        "holder": None,
    }


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        owner=row.owner,
        kind=row.kind,
        track_id=row.track_id,
        status=row.status,
        progress=row.progress,
        stage=row.stage,
        options=row.options,
        then=tuple(row.then),
        attempt=row.attempt,
        seq=row.seq,
        error=row.error,
        code=row.code,
        output_path=row.output_path,
        result=row.result,
        created_at=moment(row.created_at),
        started_at=None if row.started_at is None else moment(row.started_at),
        completed_at=None if row.completed_at is None else moment(row.completed_at),
    )
