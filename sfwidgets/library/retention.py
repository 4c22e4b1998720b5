"""What nobody asked to keep goes after some days: old jobs, and files that can be made again.

What is listed stays: tracks, stems, analyses, and the newest job of each kind of each track. So does whatever runs.
"""

from __future__ import annotations

import re
import time

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select

from sfwidgets.library.batches import RUNNING
from sfwidgets.library.database import Database
from sfwidgets.library.schema import jobs, metadata_cache, tracks
from sfwidgets.library.store import ArtifactStore, Kept
from sfwidgets.models import TERMINAL

DAY_SECONDS = 24 * 3600.0
AT_ONCE = 500
"""How many rows one transaction deletes: others write meanwhile."""
_REMADE = re.compile(r".+\.(?:\d+\.flac|in\.\w+)")
"""The names of renditions, and of files in another format than is kept."""


def forget_daily(database: Database, store: ArtifactStore, days: float | None) -> list[str]:
    """Do as `forget_old` does, where this machine has not done it for a day; None: never."""
    if days is None:
        return []
    marker = store.root / "locks" / "forgotten"
    marker.parent.mkdir(exist_ok=True)
    if marker.exists() and time.time() - marker.stat().st_mtime < DAY_SECONDS:
        return []
    marker.touch()
    return forget_old(database, store, days)


def forget_old(database: Database, store: ArtifactStore, days: float) -> list[str]:
    """Remove what is older than so many days; returns the names of the files that went."""
    before = time.time() - days * DAY_SECONDS
    forget_jobs(database, before)
    with database.write() as connection:
        connection.execute(delete(metadata_cache).where(metadata_cache.c.expires_at <= time.time()))
    gone = [kept.name for kept in store.files() if _REMADE.fullmatch(kept.name) and _unread_since(store, kept, before)]
    for name in gone:
        store.remove(name)
    return gone


def forget_jobs(database: Database, before: float) -> int:
    """Delete the rows of jobs that ended before that moment; returns how many.

    The newest of each kind stays for as long as its track does, and a batch for as long as one of its parts.
    """
    old = and_(jobs.c.completed_at < before, jobs.c.status.in_(TERMINAL))
    return sum(_delete(database, and_(old, unlisted)) for unlisted in (_unlisted_job(), _empty_batch()))


def _delete(database: Database, which: ColumnElement[bool]) -> int:
    count = 0
    while True:
        with database.write() as connection:
            ids = list(connection.scalars(select(jobs.c.id).where(which).limit(AT_ONCE)))
            connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
        count += len(ids)
        if len(ids) < AT_ONCE:
            return count


def _unlisted_job() -> ColumnElement[bool]:
    """Any job but a batch, where it is not a track's newest of its kind, and no part of a batch that runs."""
    newer, parent = jobs.alias("newer"), jobs.alias("batch")
    same = and_(newer.c.owner == jobs.c.owner, newer.c.kind == jobs.c.kind, newer.c.track_id == jobs.c.track_id)
    later = or_(
        newer.c.created_at > jobs.c.created_at,
        and_(newer.c.created_at == jobs.c.created_at, newer.c.id < jobs.c.id),
    )
    superseded = exists().where(same, later)
    there = exists().where(tracks.c.owner == jobs.c.owner, tracks.c.id == jobs.c.track_id)
    in_running = exists().where(parent.c.id == jobs.c.parent, parent.c.status.in_(RUNNING))
    return and_(jobs.c.kind != "batch", or_(superseded, ~there), ~in_running)


def _empty_batch() -> ColumnElement[bool]:
    part = jobs.alias("part")
    return and_(jobs.c.kind == "batch", ~exists().where(part.c.parent == jobs.c.id))


def _unread_since(store: ArtifactStore, kept: Kept, moment: float) -> bool:
    """Return whether nobody has read a file of the store since then, as far as this machine knows."""
    try:
        read = store.path(kept.name).stat().st_atime
    except FileNotFoundError:  # it is kept elsewhere, or has just gone
        read = 0.0
    return max(read, kept.changed) < moment
