"""The table of jobs: the truth about what was asked for, what is running and how it ended.

Every change raises `seq` in its own transaction. A job is worked on by whoever holds its lease: `claim` is a
compare-and-set that raises `attempt`, and everything a worker writes after it names that attempt, so that a worker which
lost its lease can change nothing any more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from sfwidgets.errors import NotFoundError
from sfwidgets.library import batches
from sfwidgets.library.batches import RUNNING
from sfwidgets.library.database import Database, insert_new
from sfwidgets.library.job_rows import ended, fingerprint_of, held, job_of, new_row
from sfwidgets.library.job_statements import CANCEL_REQUESTED, CLAIM, COMPLETE, RENEW
from sfwidgets.library.limits import check_asked
from sfwidgets.library.lost_jobs import MAX_ATTEMPTS, LostJobs
from sfwidgets.library.postgres import hold_owner
from sfwidgets.library.schema import jobs
from sfwidgets.library.turns import next_turn
from sfwidgets.models import Job, JobKind, Limits

LEASE_SECONDS = 15.0
RECENT_SECONDS = 120.0
"""How long a job that has ended is still told to whoever comes to watch."""
ORDER_SECONDS = 1e-6
"""What the parts of a batch are apart in `created_at`, which keeps their order."""
MOST_IDS = 500
"""How many ids one query names; databases have limits of their own."""


class LeaseLostError(Exception):
    """This attempt no longer holds the job: another one took over, or the job has ended. The work stops quietly."""


@dataclass(frozen=True)
class Claim:
    """A job as the attempt that holds its lease sees it."""

    job: Job
    settings: dict[str, Any]
    batch_waits: bool
    """Whether it is a part of a batch that does not know yet that one of its parts has begun."""


class JobTable(LostJobs):
    """Rows of jobs. What clients ask goes by owner; what workers and recovery do goes by job id."""

    def __init__(self, database: Database, limits: Limits) -> None:
        super().__init__(database)
        self._limits = limits

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
        """Insert a queued job, or return the identical one that is running; the second value says which it was.

        Raises `SlowDownError` and `QuotaError` where the owner may not have one more.
        """
        with self._database.write() as connection:
            self._hold_limited(connection, owner)
            job, created = self.insert(connection, owner, kind, track_id, options, settings=settings, then=then)
            if created:
                check_asked(connection, self._limits, owner, kind, 1)
            return job, created

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
        """Do as `submit` does, within a transaction that is open already, and whatever the owner may have."""
        fingerprint = fingerprint_of(kind, track_id, options, sorted(then))
        values = new_row(owner, kind, track_id, options, settings, then, fingerprint)
        values["turn"] = next_turn(connection, owner, kind, part=False)
        if kind == "download":
            values["not_before"] = batches.paused_until(connection)
            values["paused"] = values["not_before"] is not None
        return self._insert_new(connection, values)

    def submit_batch(
        self,
        owner: str,
        kind: JobKind,
        parts: dict[str, dict[str, Any]],
        *,
        options: dict[str, Any],
        settings: dict[str, Any],
        then: tuple[JobKind, ...] = (),
    ) -> tuple[Job, list[Job]]:
        """Insert a batch and its parts, jobs of that kind: track id → options. Returns them, the parts in their order.

        Where an identical batch is running, that is returned, with no parts: they have been sent. Raises as `submit` does.
        """
        fingerprint = fingerprint_of("batch", kind, options, sorted(then), parts)
        batch = new_row(owner, "batch", None, options, settings, then, fingerprint)
        batch["result"] = batches.counts({"queued": len(parts)})
        rows = [
            {
                **new_row(owner, kind, track_id, given, settings, then, fingerprint_of(batch["id"], track_id)),
                "parent": batch["id"],
                "created_at": batch["created_at"] + number * ORDER_SECONDS,
            }
            for number, (track_id, given) in enumerate(parts.items(), 1)
        ]
        with self._database.write() as connection:
            self._hold_limited(connection, owner)
            parent, created = self._insert_new(connection, batch)
            if not created:
                return parent, []
            paused = batches.paused_until(connection) if kind == "download" else None
            first = next_turn(connection, owner, kind, part=True)
            connection.execute(insert(jobs), [{**row, "turn": first + number} for number, row in enumerate(rows)])
            check_asked(connection, self._limits, owner, kind, len(rows))
            mine = (jobs.c.id == batch["id"]) | (jobs.c.parent == batch["id"])
            if paused is not None:
                connection.execute(update(jobs).where(mine).values(not_before=paused, paused=True))
            parent = job_of(connection.execute(select(jobs).where(jobs.c.id == batch["id"])).one())
        return parent, self.parts(owner, parent.id)

    def parts(self, owner: str, batch_id: str) -> list[Job]:
        """Return the parts of a batch, in their order."""
        query = select(jobs).where(jobs.c.parent == batch_id, jobs.c.owner == owner).order_by(jobs.c.created_at)
        with self._database.read() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def _hold_limited(self, connection: Connection, owner: str) -> None:
        """Hold an owner who may not have any number of jobs, before they are inserted and `check_asked` looks at them.

        A worker that completes a job holds the owner before it inserts what follows: the other order could wait for ever.
        """
        if self._limits.unfinished_jobs is not None or self._limits.storage_bytes is not None:
            hold_owner(connection, owner)

    def _insert_new(self, connection: Connection, values: dict[str, Any]) -> tuple[Job, bool]:
        """Insert a job, or return the identical one that runs; others may be asking for the same just now."""
        mine = (jobs.c.owner == values["owner"], jobs.c.fingerprint == values["fingerprint"])
        while True:
            row = insert_new(connection, jobs, values)
            if row is not None:
                return job_of(row), True
            row = connection.execute(select(jobs).where(*mine, jobs.c.status.in_(RUNNING))).first()
            if row is not None:
                return job_of(row), False

    def get(self, owner: str, job_id: str) -> Job:
        """Return a job; raises `NotFoundError` where it is not there, or not this owner's."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id, jobs.c.owner == owner)).first()
        if row is None:
            raise NotFoundError(f"There is no job {job_id}.", code="job_not_found")
        return job_of(row)

    def many(self, ids: list[str]) -> list[Job]:
        """Return the jobs with these ids, in no particular order."""
        found = []
        with self._database.read() as connection:
            for start in range(0, len(ids), MOST_IDS):
                query = select(jobs).where(jobs.c.id.in_(ids[start : start + MOST_IDS]))
                found += [job_of(row) for row in connection.execute(query)]
        return found

    def recent(self, owner: str, tracks: list[str]) -> list[Job]:
        """Return the jobs of an owner's tracks that run, and those that ended in the last two minutes; the oldest first."""
        fresh = or_(jobs.c.status.in_(RUNNING), jobs.c.completed_at > time.time() - RECENT_SECONDS)
        of_owner = select(jobs).where(jobs.c.owner == owner, fresh).order_by(jobs.c.created_at, jobs.c.id)
        found = []
        with self._database.read() as connection:
            for start in range(0, len(tracks), MOST_IDS):
                query = of_owner.where(jobs.c.track_id.in_(tracks[start : start + MOST_IDS]))
                found += [job_of(row) for row in connection.execute(query)]
        return found

    def newest(
        self,
        owner: str,
        *,
        kind: JobKind | None = None,
        track_id: str | None = None,
        parent: str | None = None,
        parts: bool = True,
        limit: int = 50,
    ) -> list[Job]:
        """Return an owner's jobs, the newest first; without `parts`, those of no batch."""
        query = select(jobs).where(jobs.c.owner == owner).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        if parent is not None:
            query = query.where(jobs.c.parent == parent)
        if not parts:
            query = query.where(jobs.c.parent.is_(None))
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        if track_id is not None:
            query = query.where(jobs.c.track_id == track_id)
        with self._database.read() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def cancel(self, owner: str, job_id: str) -> Job:
        """Cancel a job: at once where it has not begun, else by a flag that its worker reads between two blocks.

        A batch is cancelled with all its parts; it ends with the last of them.
        """
        with self._database.write() as connection:
            asked = connection.execute(select(jobs).where(jobs.c.id == job_id, jobs.c.owner == owner)).first()
            if asked is not None:
                batches.hold(connection, job_id if asked.kind == "batch" else asked.parent)
                mine = (jobs.c.id == job_id) | (jobs.c.parent == job_id)
                batches.hold_rows(connection, mine)
                begun = (jobs.c.status == "processing") | (jobs.c.kind == "batch")
                running = jobs.c.status.in_(RUNNING)
                connection.execute(update(jobs).where(mine, running, begun).values(cancel_requested=True))
                connection.execute(
                    update(jobs).where(mine, running, ~begun).values(**ended("cancelled"), code="cancelled")
                )
                batch = job_id if asked.kind == "batch" else asked.parent
                if batch is not None:
                    batches.settle(connection, batch)
        return self.get(owner, job_id)

    def claim(self, job_id: str, holder: str) -> Claim | None:
        """Take the lease of a job that nobody holds, as its next attempt; None where that may not be."""
        now = time.time()
        asked = {
            "job": job_id, "by": holder, "now": now, "until": now + LEASE_SECONDS, "most_attempts": MAX_ATTEMPTS,
        }  # fmt: skip
        with self._database.write() as connection:
            row = connection.execute(CLAIM, asked).first()
        return None if row is None else Claim(job_of(row), row.settings, bool(row.batch_waits))

    def begin_batch(self, batch_id: str) -> bool:
        """Note that a part of a batch has begun; returns whether that is new.

        It is no part of the claim, as nobody may wait for a batch while they hold a part.
        """
        with self._database.write() as connection:
            return batches.begin(connection, batch_id)

    def renew(self, job: Job) -> None:
        """Renew the lease; raises `LeaseLostError` where this attempt no longer holds it."""
        with self._database.write() as connection:
            done = connection.execute(RENEW, {**_of(job), "until": time.time() + LEASE_SECONDS}).first()
        if done is None:
            raise LeaseLostError

    def cancel_requested(self, job: Job) -> bool:
        """Return whether somebody wants the job cancelled; raises `LeaseLostError` where it is not ours any more."""
        with self._database.read() as connection:
            flag: Any = connection.scalar(CANCEL_REQUESTED, _of(job))
        if flag is None:
            raise LeaseLostError
        return bool(flag)

    def progress(self, job: Job, progress: int, stage: str) -> Job:
        """Record how far an attempt is; raises `LeaseLostError`."""
        with self._database.write() as connection:
            return self._change(connection, job, progress=progress, stage=stage)

    def complete(self, connection: Connection, job: Job, *, output_path: str | None, result: dict[str, Any]) -> Job:
        """End an attempt well, within the transaction that records what it made; raises `LeaseLostError`."""
        made = {"now": time.time(), "made_path": output_path, "made": result}
        return _changed(connection.execute(COMPLETE, {**_of(job), **made}).first())

    def fail(self, job: Job, error: str, code: str) -> Job:
        """End an attempt in `error`; raises `LeaseLostError`."""
        with self._database.write() as connection:
            return self._change(connection, job, **ended("error"), error=error[:2000], code=code)

    def cancelled(self, job: Job) -> Job:
        """End an attempt in `cancelled`; raises `LeaseLostError`."""
        with self._database.write() as connection:
            return self._change(connection, job, **ended("cancelled"), code="cancelled")

    def postpone(self, job: Job, seconds: float, *, stage: str) -> Job:
        """Give an attempt back, as if it had not been made: the job is queued again, for later.

        Raises `LeaseLostError`.
        """
        with self._database.write() as connection:
            return self._give_back(connection, job, time.time() + seconds, stage)

    def pause_downloads(self, job: Job, seconds: float, *, why: str) -> Job | None:
        """Postpone a download that somebody else's service turned away, and with it all that wait to be begun.

        Returns None, having changed nothing, where that happened to it too often. Raises `LeaseLostError`.
        """
        with self._database.write() as connection:
            paused = batches.pause_downloads(connection, job.id, seconds, why)
            return None if paused is None else self._give_back(connection, job, *paused, paused=True)

    def downloads_paused(self) -> float:
        """Return for how many seconds downloads are not begun, as somebody else's service asks for it."""
        with self._database.read() as connection:
            until = batches.paused_until(connection)
        return 0.0 if until is None else max(0.0, until - time.time())

    def twin(self, job: Job) -> bool:
        """Return whether another download that began before this one is getting the same recording for the same owner."""
        with self._database.read() as connection:
            return batches.has_twin(connection, job)

    def sent(self, tasks: dict[str, str]) -> None:
        """Remember under which key each job was last given to Dask: job id → key."""
        with self._database.write() as connection:
            if tasks:
                batches.hold(connection, *tasks)
                named = update(jobs).where(jobs.c.id == bindparam("job")).values(task=bindparam("key"))
                connection.execute(named, [{"job": job, "key": key} for job, key in tasks.items()])

    def _give_back(self, connection: Connection, job: Job, until: float, stage: str, *, paused: bool = False) -> Job:
        if connection.scalar(select(jobs.c.cancel_requested).where(*held(job))):
            return self._change(connection, job, **ended("cancelled"), code="cancelled")
        given_back = {
            "status": "queued", "stage": stage, "progress": 0, "attempt": jobs.c.attempt - 1, "started_at": None,
            "lease_until": 0.0, "holder": None, "task": None, "not_before": until,
            "paused": paused,
        }  # fmt: skip
        return self._change(connection, job, **given_back)

    def _change(self, connection: Connection, job: Job, **values: Any) -> Job:
        changed = update(jobs).where(*held(job)).values(**{"seq": jobs.c.seq + 1, **values}).returning(jobs)
        return _changed(connection.execute(changed).first())


def _changed(row: Row[Any] | None) -> Job:
    if row is None:
        raise LeaseLostError
    return job_of(row)


def _of(job: Job) -> dict[str, Any]:
    """Return what tells an attempt that holds the lease of its job."""
    return {"job": job.id, "held_attempt": job.attempt}
