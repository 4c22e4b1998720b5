"""Cleaning up Storage: objects that no row speaks of, as a process leaves them that died before it could record them."""

from __future__ import annotations

import logging
import time
from itertools import islice

from sqlalchemy import Connection, select

from sfwidgets.library.database import Database
from sfwidgets.library.remote_store import RemoteStore
from sfwidgets.library.schema import audio, stem_sets
from sfwidgets.library.store import Kept

log = logging.getLogger(__name__)

GRACE_SECONDS = 24 * 3600.0
"""What was written more recently is left alone: somebody may be about to record it."""
ASKED = 500
"""How many objects the database is asked of at once."""
EVERY_SECONDS = 24 * 3600.0
"""How often a machine looks through Storage: a large bucket takes minutes to list."""


def sweep_storage_daily(database: Database, store: RemoteStore) -> list[str]:
    """Do as `sweep_storage` does, where this machine has not done it for a day."""
    marker = store.root / "locks" / "storage-swept"
    marker.parent.mkdir(exist_ok=True)
    if marker.exists() and time.time() - marker.stat().st_mtime < EVERY_SECONDS:
        return []
    marker.touch()
    return sweep_storage(database, store)


def sweep_storage(database: Database, store: RemoteStore) -> list[str]:
    """Remove the objects that are older than a day and of no row; returns their names.

    Where more are of no row than of one, nothing is removed: then the bucket is most likely another database's.
    """
    old = (found for found in store.files() if found.changed < time.time() - GRACE_SECONDS)
    known, gone = 0, list[str]()
    while some := tuple(islice(old, ASKED)):
        with database.read() as connection:
            unknown = _unknown(connection, some)
        known += len(some) - len(unknown)
        gone += unknown
    if len(gone) > known:
        log.error(
            "Nothing was removed from the bucket %s: %d of its objects are of this database, and %d are not. Is it another "
            "library's? Set SOUNDFORGE_STORAGE_BUCKET to a bucket of this database's own.",
            store.storage.bucket, known, len(gone),
        )  # fmt: skip
        return []
    store.storage.remove(gone)
    return gone


def _unknown(connection: Connection, some: tuple[Kept, ...]) -> list[str]:
    """Return the names of objects that belong to neither audio nor a set of stems."""
    hashes, folders = {_audio(found.name)[1] for found in some}, {_folder(found.name) for found in some}
    recorded = connection.execute(select(audio.c.owner, audio.c.hash).where(audio.c.hash.in_(hashes)))
    songs = {(row.owner, row.hash) for row in recorded}
    sets = set(connection.scalars(select(stem_sets.c.folder).where(stem_sets.c.folder.in_(folders))))
    return [found.name for found in some if _audio(found.name) not in songs and _folder(found.name) not in sets]


def _audio(name: str) -> tuple[str, str]:
    """Return the owner and the hash of `audio/<owner>/ab/<hash>.…`; of other names, what no row has."""
    parts = name.split("/")
    return (parts[1], parts[3].split(".")[0]) if parts[0] == "audio" and len(parts) == 4 else ("", "")


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
