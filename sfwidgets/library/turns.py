"""Whose turn it is: owners who wait for the same workers take turns, however many jobs each has asked for.

Fair queueing with rounds (after Golestani's self-clocked fair queueing, 1994): each job gets the number of a round when it
is asked for, and lower numbers go first. An owner's first job is of the round after the one that is being served just now,
and each further one of the round after that. So who asks for 500 at once has one in each of 500 rounds, who asks for one
then is served in the next round, and as nobody joins a round that has begun, nobody waits for ever.

An owner's batches are numbered apart from their other jobs, which therefore need not wait behind a batch of their own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, ScalarSelect, func, select, text

from sfwidgets.library.schema import jobs
from sfwidgets.models import JobKind

QUEUES: tuple[tuple[JobKind, ...], ...] = (("processing",), ("download", "analysis", "model"))
"""The kinds of jobs that wait for the same workers."""
UNFINISHED = text("status IN ('queued', 'processing')")
"""In the words of the index that is read here."""


def next_turn(connection: Connection, owner: str, kind: JobKind, *, part: bool) -> int:
    """Return the number of an owner's next job of a kind; `part`: of the first part of a batch, whose others follow."""
    queue = next(kinds for kinds in QUEUES if kind in kinds)
    now, *last = connection.execute(select(_served(queue), *(_last(owner, each, part) for each in queue))).one()
    numbers: list[int] = [now, *(number for number in last if number is not None)]
    return 1 + max(numbers)


def _served(queue: tuple[JobKind, ...]) -> Any:
    """What is being served: the lowest number at work, or that of who has waited longest."""
    at_work = select(func.min(jobs.c.turn)).where(jobs.c.status == "processing", jobs.c.kind.in_(queue))
    waiting = select(jobs.c.turn).where(jobs.c.status == "queued", jobs.c.kind.in_(queue))
    oldest = waiting.order_by(jobs.c.created_at).limit(1)
    return func.coalesce(at_work.scalar_subquery(), oldest.scalar_subquery(), 0)


def _last(owner: str, kind: JobKind, part: bool) -> ScalarSelect[int]:
    lane = jobs.c.parent.is_not(None) if part else jobs.c.parent.is_(None)
    mine = select(jobs.c.turn).where(jobs.c.owner == owner, jobs.c.kind == kind, lane, UNFINISHED)
    return mine.order_by(jobs.c.turn.desc()).limit(1).scalar_subquery()
