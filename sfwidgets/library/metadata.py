"""What services said of their music, kept for a while; and what shall follow a track's download."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from sfwidgets.library.database import Database
from sfwidgets.library.schema import metadata_cache, wishes
from sfwidgets.models import JobKind

CACHE_SECONDS = 3600.0
MOST_WISHES = 5000
"""How many tracks of an owner may have something waiting for their download."""


class MetadataCache:
    """Documents that a service tells whoever asks, by a key of ours; each is forgotten after an hour."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what is kept, None where nothing is, or it is too old."""
        fresh = (metadata_cache.c.key == key, metadata_cache.c.expires_at > time.time())
        with self._database.read() as connection:
            found: dict[str, Any] | None = connection.scalar(select(metadata_cache.c.document).where(*fresh))
        return found

    def put(self, key: str, document: dict[str, Any]) -> None:
        """Keep a document; those that are too old go."""
        now = time.time()
        gone = (metadata_cache.c.key == key) | (metadata_cache.c.expires_at <= now)
        fresh = insert(metadata_cache).values(key=key, document=document, expires_at=now + CACHE_SECONDS)
        with suppress(IntegrityError), self._database.write() as connection:  # somebody else has just kept the same
            connection.execute(delete(metadata_cache).where(gone))
            connection.execute(fresh)


@dataclass(frozen=True)
class Wish:
    """What shall follow a download: kinds of jobs, and how to separate."""

    then: tuple[JobKind, ...] = ()
    options: dict[str, Any] | None = None


class Wishes:
    """What shall follow the downloads of an owner's tracks, asked for before there is one."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    def put(self, track_id: str, wish: Wish) -> None:
        """Remember a wish; an earlier one of that track is forgotten, and so are the oldest beyond `MOST_WISHES`."""
        oldest = (
            select(wishes.c.track_id)
            .where(wishes.c.owner == self._owner)
            .order_by(wishes.c.created_at.desc())
            .offset(MOST_WISHES - 1)
        )
        with suppress(IntegrityError), self._database.write() as connection:  # somebody else has just wished
            self.take(connection, track_id)
            connection.execute(delete(wishes).where(wishes.c.owner == self._owner, wishes.c.track_id.in_(oldest)))
            connection.execute(
                insert(wishes).values(
                    owner=self._owner, track_id=track_id, then=list(wish.then), options=wish.options or {},
                    created_at=time.time(),
                )
            )  # fmt: skip

    def take(self, connection: Connection, track_id: str) -> Wish:
        """Return a track's wish, and forget it."""
        mine = (wishes.c.owner == self._owner, wishes.c.track_id == track_id)
        row = connection.execute(delete(wishes).where(*mine).returning(wishes)).first()
        return Wish() if row is None else Wish(tuple(row.then), row.options or None)
