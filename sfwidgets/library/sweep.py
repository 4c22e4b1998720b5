"""Cleaning up after processes that died: files that no row speaks of, and that nobody is making any more."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from sfwidgets.library.database import Database
from sfwidgets.library.remote_store import RemoteStore
from sfwidgets.library.remote_sweep import sweep_storage_daily
from sfwidgets.library.schema import audio, jobs, stem_sets
from sfwidgets.library.store import ArtifactStore

log = logging.getLogger(__name__)

GRACE_SECONDS = 3600.0
"""A file that belongs to no job is left alone for this long: somebody may be adding it right now."""


def workspace_name(job_id: str, attempt: int) -> str:
    """Return the name of the temporary folder, and of the set of stems, of one attempt at a job."""
    return f"{job_id}-{attempt}"


def sweep(database: Database, store: ArtifactStore) -> list[str]:
    """Remove what died half made; returns the names of what went.

    An attempt's temporary folder goes once the job has ended or a later attempt has begun; so does a folder of stems
    that was renamed into place by an attempt which did not live to record it. Audio without a row goes after an hour,
    and so do stems of a job that this database never had: but where those are more than what it knows, they are left
    alone, for then the database is most likely another library's. Where artifacts are in Storage, this is so of what is
    here; what is there goes after a day.
    """
    gone, strange, known = list[str](), list[str](), 0
    with database.read() as connection:
        for folder in store.temporary.iterdir():
            if _abandoned(connection, folder):
                gone.append(str(folder.relative_to(store.root)))
        for folder in (store.root / "stems").glob("*/*/*/*"):
            name = str(folder.relative_to(store.root))
            if connection.scalar(select(exists().where(stem_sets.c.folder == name))):
                known += 1
            elif _abandoned(connection, folder):
                (gone if _job(connection, folder) else strange).append(name)
        for file in (store.root / "audio").glob("*/*/*"):
            of_it = audio.c.owner == file.parts[-3], audio.c.hash == file.name.split(".")[0]
            if connection.scalar(select(exists().where(*of_it))):
                known += 1
            elif _old(file):
                strange.append(str(file.relative_to(store.root)))
    if len(strange) > known:
        log.error(
            "No songs and stems were cleared away in %s: the database %s knows %d of them, and %d it does not know. Is it "
            "another library's? Check DATABASE_URL and AUDIO_DATA_PATH.",
            store.root, database.address, known, len(strange),
        )  # fmt: skip
    else:
        gone += strange
    for name in gone:
        store.remove_here(name)
    return gone + sweep_storage_daily(database, store) if isinstance(store, RemoteStore) else gone


def _abandoned(connection: Connection, folder: Path) -> bool:
    row = _job(connection, folder)
    if row is None:
        return _old(folder)
    return row.status not in ("queued", "processing") or str(row.attempt) != folder.stem.rpartition("-")[2]


def _job(connection: Connection, folder: Path) -> Row[Any, Any] | None:
    """Return the row of the job that made a folder, None where there is none."""
    job_id = folder.stem.rpartition("-")[0]
    return connection.execute(select(jobs.c.status, jobs.c.attempt).where(jobs.c.id == job_id)).first()


def _old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > GRACE_SECONDS
    except FileNotFoundError:
        return False
