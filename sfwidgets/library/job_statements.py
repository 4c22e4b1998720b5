"""What is asked of the table of jobs several times for every job, built once: that costs more than to run it."""

from __future__ import annotations

from sqlalchemy import JSON, ColumnElement, Select, and_, bindparam, case, func, literal_column, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate, Update

from sfwidgets.library.schema import jobs

IS_RUNNING = or_(jobs.c.status == "queued", jobs.c.status == "processing")
"""Not `IN`, whose values SQLAlchemy fills in anew each time."""

_HELD = and_(jobs.c.id == bindparam("job"), jobs.c.status == "processing", jobs.c.attempt == bindparam("held_attempt"))
_BATCH_WAITS: ColumnElement[bool | None] = literal_column(
    "(SELECT batch.status = 'queued' OR batch.not_before IS NOT NULL FROM jobs AS batch"
    " WHERE batch.id = jobs.parent AND batch.status IN ('queued', 'processing'))"
).label("batch_waits")
"""Whether the batch of a job is to be told that a part of it begins; NULL where there is none that runs.

As text: SQLAlchemy leaves the tables' names out of what SQLite returns, and `id` would be anybody's.
"""

HOLD: Select[tuple[str]] = select(jobs.c.id).where(jobs.c.id == bindparam("job")).with_for_update()
"""Keep one job from changing until the transaction ends."""

CLAIM: ReturningUpdate[tuple[object, ...]] = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        or_(
            and_(
                jobs.c.status == "queued", or_(jobs.c.not_before.is_(None), jobs.c.not_before <= bindparam("now"))
            ),
            and_(jobs.c.status == "processing", jobs.c.lease_until < bindparam("now")),
        ),
        jobs.c.attempt < bindparam("most_attempts"),
        jobs.c.cancel_requested.is_(False),
    )
    .values(
        status="processing", attempt=jobs.c.attempt + 1, seq=jobs.c.seq + 1, holder=bindparam("by"), progress=0,
        stage="Starting", not_before=None, paused=False, lease_until=bindparam("until"), started_at=bindparam("now"),
    )
    .returning(jobs, _BATCH_WAITS)
)  # fmt: skip

BEGIN: Update = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("batch"),
        or_(jobs.c.status == "queued", and_(jobs.c.status == "processing", jobs.c.not_before.is_not(None))),
    )
    .values(
        status="processing", not_before=None, paused=False, stage="", seq=jobs.c.seq + 1,
        started_at=func.coalesce(jobs.c.started_at, bindparam("now")),
    )
)  # fmt: skip
"""Note that a part of a batch has begun, where that is new."""

RENEW: ReturningUpdate[tuple[str]] = (
    update(jobs).where(_HELD).values(lease_until=bindparam("until")).returning(jobs.c.id)
)

CANCEL_REQUESTED: Select[tuple[bool]] = select(jobs.c.cancel_requested).where(_HELD)

COMPLETE: ReturningUpdate[tuple[object, ...]] = (
    update(jobs)
    .where(_HELD)
    .values(
        status="completed", stage="", completed_at=bindparam("now"), seq=jobs.c.seq + 1, lease_until=0.0, holder=None,
        progress=100, output_path=bindparam("made_path"), result=bindparam("made", type_=JSON),
    )
    .returning(jobs)
)  # fmt: skip

PARTS: Select[tuple[str, int]] = (
    select(jobs.c.status, func.count().label("parts"))
    .where(jobs.c.parent == bindparam("batch"))
    .group_by(jobs.c.status)
)

COUNT: Update = (
    update(jobs)
    .where(jobs.c.id == bindparam("batch"), IS_RUNNING)
    .values(
        result=bindparam("said", type_=JSON), progress=bindparam("share"), seq=jobs.c.seq + 1, status="processing",
        stage=case((jobs.c.not_before.is_(None), bindparam("count")), else_=jobs.c.stage),
        started_at=func.coalesce(jobs.c.started_at, bindparam("now")),
    )
)  # fmt: skip
"""Note how many parts of a batch have ended, some of which have not."""

DOWNLOADS: Select[tuple[str, str, dict[str, object], float]] = select(
    jobs.c.id, jobs.c.track_id, jobs.c.options, jobs.c.started_at
).where(
    jobs.c.owner == bindparam("of"), jobs.c.kind == "download", jobs.c.status == "processing",
    jobs.c.id != bindparam("job"), jobs.c.lease_until > bindparam("now"),
)  # fmt: skip
"""The other downloads of an owner that run."""
