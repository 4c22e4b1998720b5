"""Batches, as rows: a parent that no worker ever claims, moved by what happens to its parts; and the queue's pauses."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, update

from sfwidgets.library.job_statements import BEGIN, COUNT, DOWNLOADS, HOLD, PARTS
from sfwidgets.library.schema import jobs
from sfwidgets.models import Job

RUNNING = ("queued", "processing")
MOST_WAITS = 10
LONGEST_WAIT = 3600.0
"""Seconds that the queue waits at most at once, whatever is asked."""


def counts(by_status: dict[str, int]) -> dict[str, int]:
    """Return what a batch says of its parts."""
    return {
        "total": sum(by_status.values()), "completed": by_status.get("completed", 0),
        "failed": by_status.get("error", 0), "cancelled": by_status.get("cancelled", 0),
    }  # fmt: skip


def hold(connection: Connection, *job_ids: str | None) -> None:
    """Keep jobs from changing until the transaction ends, as `hold_rows` does."""
    named = [name for name in job_ids if name is not None]
    if len(named) == 1 and connection.dialect.name != "sqlite":
        connection.execute(HOLD, {"job": named[0]})
    elif named:
        hold_rows(connection, jobs.c.id.in_(named))


def hold_rows(connection: Connection, *which: Any) -> None:
    """Keep jobs from changing until the transaction ends; all who hold several take them in one order, and none waits
    for a batch while it holds parts: so nobody waits for ever.

    Whoever counts the parts of a batch holds that first, and counts right. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(select(jobs.c.id).where(*which).order_by(jobs.c.id).with_for_update())


def hold_parents(connection: Connection, *parts: Any) -> None:
    """Do as `hold` does for the batches of these parts, which a condition tells."""
    if connection.dialect.name != "sqlite":
        hold(
            connection, *connection.scalars(select(jobs.c.parent).where(*parts, jobs.c.parent.is_not(None)).distinct())
        )


def forgotten(connection: Connection) -> list[str]:
    """Return the batches that run though all their parts have ended."""
    part = jobs.alias("part")
    running = exists().where(part.c.parent == jobs.c.id, part.c.status.in_(RUNNING))
    query = select(jobs.c.id).where(jobs.c.kind == "batch", jobs.c.status.in_(RUNNING), ~running)
    return list(connection.scalars(query))


def begin(connection: Connection, batch_id: str) -> bool:
    """Note that a part of a batch has begun: it runs, and waits for nothing; returns whether that is new."""
    changed = connection.execute(BEGIN, {"batch": batch_id, "now": time.time()})
    return bool(changed.rowcount)


def settle(connection: Connection, batch_id: str) -> None:
    """Count the parts of a batch after some of them have ended; it ends with the last."""
    said = counts({row.status: row.parts for row in connection.execute(PARTS, {"batch": batch_id})})
    ended = said["completed"] + said["failed"] + said["cancelled"]
    share, now = 100 * ended // max(1, said["total"]), time.time()
    counted = {"batch": batch_id, "said": said, "share": share, "now": now, "count": _stage(ended, said)}
    connection.execute(COUNT, counted)
    if ended == said["total"]:
        end = {"completed_at": now, "not_before": None, "stage": "", **_end(connection, batch_id, said)}
        connection.execute(update(jobs).where(jobs.c.id == batch_id, jobs.c.status.in_(RUNNING)).values(**end))


def _stage(ended: int, said: dict[str, int]) -> str:
    failed = f", {said['failed']} failed" if said["failed"] else ""
    return f"{ended} of {said['total']} done{failed}"


def _end(connection: Connection, batch_id: str, said: dict[str, int]) -> dict[str, Any]:
    if connection.scalar(select(jobs.c.cancel_requested).where(jobs.c.id == batch_id)):
        return {"status": "cancelled", "code": "cancelled"}
    if said["completed"]:
        return {"status": "completed"}
    if not said["failed"]:
        return {"status": "cancelled", "code": "cancelled"}
    failed = select(jobs.c.error, jobs.c.code).where(jobs.c.parent == batch_id, jobs.c.status == "error")
    first = connection.execute(failed.order_by(jobs.c.created_at).limit(1)).one()
    sentence = f"None of the {said['total']} could be had. The first: {first.error}"
    return {"status": "error", "error": sentence[:2000], "code": first.code}


def paused_until(connection: Connection) -> float | None:
    """Return until when downloads are not begun, as somebody else's service asks for it; None where they may be."""
    waiting = (jobs.c.status == "queued", jobs.c.kind == "download", jobs.c.paused, jobs.c.not_before > time.time())
    until: float | None = connection.scalar(select(func.max(jobs.c.not_before)).where(*waiting))
    return until


def pause_downloads(connection: Connection, job_id: str, seconds: float, why: str) -> tuple[float, str] | None:
    """Let all downloads that wait to be begun wait longer, as one was turned away; returns until when, and what is said.

    That is `seconds` from now, or twice as long for each earlier time that it was turned away. None where that happened
    too often for another try.
    """
    queued = (jobs.c.kind == "download", jobs.c.status == "queued")
    these = or_(jobs.c.id == job_id, and_(*queued))
    hold_parents(connection, these)
    hold_rows(connection, these)
    raised = update(jobs).where(jobs.c.id == job_id).values(waits=jobs.c.waits + 1).returning(jobs.c.waits)
    waits: int = connection.execute(raised).scalar_one()
    if waits > MOST_WAITS:
        return None
    until = time.time() + min(LONGEST_WAIT, seconds * 2 ** (waits - 1))
    stage = f"Paused until {datetime.fromtimestamp(until).astimezone():%H:%M:%S}: {why}"[:255]
    later = {"not_before": until, "paused": True, "stage": stage, "seq": jobs.c.seq + 1}
    sooner = func.coalesce(jobs.c.not_before, 0.0) < until
    parents = select(jobs.c.parent).where(these, jobs.c.parent.is_not(None))
    connection.execute(update(jobs).where(*queued, sooner).values(**later))
    connection.execute(update(jobs).where(jobs.c.id.in_(parents), jobs.c.status.in_(RUNNING), sooner).values(**later))
    return until, stage


def has_twin(connection: Connection, job: Job) -> bool:
    """Return whether an older attempt at a download gets the same recording: by the track's id, its ISRC or its address."""
    others = connection.execute(DOWNLOADS, {"of": job.owner, "job": job.id, "now": time.time()})
    began = 0.0 if job.started_at is None else job.started_at.timestamp()
    wanted = names(job.options)
    return any(
        (row.started_at, row.id) < (began, job.id)
        and (row.track_id == job.track_id or not wanted.isdisjoint(names(row.options)))
        for row in others
    )


def names(options: dict[str, Any]) -> set[str]:
    """Return what tells the recording that a download is to get: its code, its address."""
    return {name for name in ((options.get("track") or {}).get("isrc"), options.get("url")) if name is not None}
