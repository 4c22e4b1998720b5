"""Jobs whose worker died, or that were never sent: what whoever looks after them asks and changes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import exists, func, select, update

from sfwidgets.library import batches
from sfwidgets.library.batches import RUNNING
from sfwidgets.library.database import Database
from sfwidgets.library.job_rows import ended, held, job_of
from sfwidgets.library.schema import jobs
from sfwidgets.models import Job

MAX_ATTEMPTS = 3
OUT_OF_MEMORY = "Out of memory"
"""The stage of an attempt whose worker was killed for the memory that it took, until the next attempt begins."""
DEATHS = {
    False: ("each time the worker died before it was done.", "worker_died"),
    True: ("the worker was killed as it took more memory than it may. Choose a smaller model, or give the "
           "workers more memory (`soundforge worker --memory`).", "out_of_memory"),
}  # fmt: skip


@dataclass(frozen=True)
class Unfinished:
    """What recovery needs to know of a job that has not ended."""

    job: Job
    task: str | None
    holder: str | None
    lease_until: float
    cancel_requested: bool


class LostJobs:
    """The part of the table of jobs that recovery uses; it goes by job id, whoever owns the job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unfinished(self, limit: int = 1000, *, job_id: str | None = None) -> list[Unfinished]:
        """Return jobs of all owners that have not ended, but for those that wait; or that one job, if it is one.

        First those that run, then those that were never sent, then the oldest; the parts of batches last.
        """
        waits = (jobs.c.status == "queued") & (func.coalesce(jobs.c.not_before, 0.0) > time.time())
        query = select(jobs).where(jobs.c.status.in_(RUNNING), jobs.c.kind != "batch", ~waits)
        query = query.order_by(jobs.c.status, jobs.c.task.is_not(None), jobs.c.parent.is_not(None), jobs.c.created_at)
        query = query.limit(limit)
        if job_id is not None:
            query = query.where(jobs.c.id == job_id)
        with self._database.read() as connection:
            return [
                Unfinished(job_of(row), row.task, row.holder, row.lease_until, row.cancel_requested)
                for row in connection.execute(query)
            ]

    def waiting(self) -> bool:
        """Return whether there are jobs, of any owner, that wait for a moment to come."""
        later = exists().where(jobs.c.status == "queued", jobs.c.not_before > time.time())
        with self._database.read() as connection:
            return bool(connection.scalar(select(later)))

    def settle(self, batch_id: str) -> Job | None:
        """Count the parts of a batch of which some have ended, and return it; it ends with the last. None where it is gone.

        Parts don't wait for their batch when they end: whoever ends some has it counted in a moment, and else recovery has.
        """
        with self._database.write() as connection:
            batches.hold(connection, batch_id)
            batches.settle(connection, batch_id)
            row = connection.execute(select(jobs).where(jobs.c.id == batch_id)).first()
        return None if row is None else job_of(row)

    def settle_batches(self) -> list[Job]:
        """End the batches whose parts have all ended without anybody having counted them."""
        with self._database.read() as connection:
            ids = batches.forgotten(connection)
        return [batch for batch in map(self.settle, ids) if batch is not None]

    def expire(self, lost: Unfinished) -> None:
        """End the lease of an attempt whose process is known to be dead."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(*held(lost.job)).values(lease_until=0.0))

    def out_of_memory(self, lost: Unfinished) -> None:
        """End the lease of an attempt whose process was killed for the memory that it took."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(*held(lost.job)).values(lease_until=0.0, stage=OUT_OF_MEMORY, seq=jobs.c.seq + 1)
            )

    def give_up(self, lost: Unfinished) -> Job | None:
        """End a job whose lease has lapsed and that may not run again; None where somebody else was first."""
        if lost.cancel_requested:
            values = {**ended("cancelled"), "code": "cancelled"}
        elif lost.job.attempt >= MAX_ATTEMPTS:
            why, code = DEATHS[lost.job.stage == OUT_OF_MEMORY]
            values = {**ended("error"), "error": f"Given up after {MAX_ATTEMPTS} attempts: {why}", "code": code}
        else:
            return None
        lapsed = (*held(lost.job), jobs.c.lease_until < time.time())
        with self._database.write() as connection:
            row = connection.execute(update(jobs).where(*lapsed).values(**values).returning(jobs)).first()
        if row is not None and row.parent is not None:
            self.settle(row.parent)
        return None if row is None else job_of(row)
