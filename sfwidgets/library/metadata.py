"""What services said of their music, kept for a while; and what shall follow a track's download."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from sfwidgets.library.database import Database, put_row
from sfwidgets.library.postgres import hold_owner
from sfwidgets.library.redis_link import RedisLink
from sfwidgets.library.schema import metadata_cache, wishes
from sfwidgets.models import JobKind

CACHE_SECONDS = 3600.0
PREFIX = "soundforge:metadata:"
"""What the names of these documents begin with in Redis."""
MOST_WISHES = 5000
"""How many tracks of an owner may have something waiting for their download."""


class MetadataCache:
    """Documents that a service tells whoever asks, by a key of ours; each is forgotten after an hour.

    They are in Redis where one is configured, in the database where not, or while Redis does not answer.
    """

    def __init__(self, database: Database, redis: RedisLink | None = None) -> None:
        self._database = database
        self._redis = redis

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what is kept, None where nothing is, or it is too old."""
        if self._redis is not None:
            from redis import RedisError

            with suppress(RedisError):
                kept: Any = self._redis.ask(lambda redis: redis.get(PREFIX + key))
                return None if kept is None else dict(json.loads(kept))
        fresh = (metadata_cache.c.key == key, metadata_cache.c.expires_at > time.time())
        with self._database.read() as connection:
            found: dict[str, Any] | None = connection.scalar(select(metadata_cache.c.document).where(*fresh))
        return found

    def put(self, key: str, document: dict[str, Any]) -> None:
        """Keep a document; those that are too old go."""
        if self._redis is not None:
            from redis import RedisError

            with suppress(RedisError):
                self._redis.ask(lambda redis: redis.set(PREFIX + key, json.dumps(document), ex=int(CACHE_SECONDS)))
                return
        now = time.time()
        with self._database.write() as connection:
            connection.execute(delete(metadata_cache).where(metadata_cache.c.expires_at <= now))
            values = {"document": document, "expires_at": now + CACHE_SECONDS}
            put_row(connection, metadata_cache, {"key": key}, values)


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
            .offset(MOST_WISHES)
        )
        mine = {"owner": self._owner, "track_id": track_id}
        values = {"then": list(wish.then), "options": wish.options or {}, "created_at": time.time()}
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            put_row(connection, wishes, mine, values)
            connection.execute(delete(wishes).where(wishes.c.owner == self._owner, wishes.c.track_id.in_(oldest)))

    def take(self, connection: Connection, track_id: str) -> Wish:
        """Return a track's wish, and forget it."""
        hold_owner(connection, self._owner)
        mine = (wishes.c.owner == self._owner, wishes.c.track_id == track_id)
        row = connection.execute(delete(wishes).where(*mine).returning(wishes)).first()
        return Wish() if row is None else Wish(tuple(row.then), row.options or None)
