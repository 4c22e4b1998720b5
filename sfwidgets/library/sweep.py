"""Cleaning up after processes that died: files that no row speaks of, and that nobody is making any more."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, exists, select

from sfwidgets.library.database import Database
from sfwidgets.library.remote_store import RemoteStore
from sfwidgets.library.remote_sweep import sweep_storage_daily
from sfwidgets.library.schema import audio, jobs, stem_sets
from sfwidgets.library.store import ArtifactStore

GRACE_SECONDS = 3600.0
"""A file that belongs to no job is left alone for this long: somebody may be adding it right now."""


def workspace_name(job_id: str, attempt: int) -> str:
    """Return the name of the temporary folder, and of the set of stems, of one attempt at a job."""
    return f"{job_id}-{attempt}"


def sweep(database: Database, store: ArtifactStore) -> list[str]:
    """Remove what died half made; returns the names of what went.

    An attempt's temporary folder goes once the job has ended or a later attempt has begun; so does a folder of stems
    that was renamed into place by an attempt which did not live to record it. Audio without a row goes after an hour.
    Where artifacts are in Storage, this is so of what is here; what is there goes after a day.
    """
    gone = []
    with database.read() as connection:
        for folder in store.temporary.iterdir():
            if _abandoned(connection, folder):
                gone.append(str(folder.relative_to(store.root)))
        for folder in (store.root / "stems").glob("*/*/*/*"):
            name = str(folder.relative_to(store.root))
            recorded = connection.scalar(select(exists().where(stem_sets.c.folder == name)))
            if not recorded and _abandoned(connection, folder):
                gone.append(name)
        for file in (store.root / "audio").glob("*/*/*"):
            recorded = connection.scalar(
                select(exists().where(audio.c.owner == file.parts[-3], audio.c.hash == file.name.split(".")[0]))
            )
            if not recorded and _old(file):
                gone.append(str(file.relative_to(store.root)))
    for name in gone:
        store.remove_here(name)
    return gone + sweep_storage_daily(database, store) if isinstance(store, RemoteStore) else gone


def _abandoned(connection: Connection, folder: Path) -> bool:
    job_id, _, attempt = folder.stem.rpartition("-")
    row = connection.execute(select(jobs.c.status, jobs.c.attempt).where(jobs.c.id == job_id)).first()
    if row is None:
        return _old(folder)
    return row.status not in ("queued", "processing") or str(row.attempt) != attempt


def _old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > GRACE_SECONDS
    except FileNotFoundError:
        return False
