"""Whether two processes mean the same library: one leaves a mark in the database and the store, the other looks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, select

from sfwidgets.library.schema import audio, metadata_cache
from sfwidgets.models import check_id

if TYPE_CHECKING:
    from pathlib import Path

    from sfwidgets.library import Shared

MARK_SECONDS = 300.0
"""A mark that was left by a process that died is swept away with old metadata after this long."""

LOOKED_FOR = 5
"""How many songs are looked for in the store: one may have been lost, or be deleted just now."""


@contextmanager
def landmark(shared: Shared) -> Iterator[str]:
    """Leave a random mark in the database and in the store for a block; returns its name."""
    name = f"landmark-{uuid.uuid4().hex}"
    file = _file(shared, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.touch()
        with shared.database.write() as connection:
            connection.execute(
                insert(metadata_cache).values(key=name, document={}, expires_at=time.time() + MARK_SECONDS)
            )
        yield name
    finally:
        file.unlink(missing_ok=True)
        with shared.database.write() as connection:
            connection.execute(delete(metadata_cache).where(metadata_cache.c.key == name))


def sees(shared: Shared, name: str) -> tuple[bool, bool]:
    """Return whether this process sees a mark in its database, and in its store."""
    with shared.database.read() as connection:
        known = bool(connection.scalar(select(exists().where(metadata_cache.c.key == name))))
    return known, _file(shared, name).exists()


def lacks_its_songs(shared: Shared) -> bool:
    """Return whether the database has songs, and not one of the newest is in this process's store."""
    with shared.database.read() as connection:
        newest = connection.scalars(select(audio.c.path).order_by(audio.c.created_at.desc()).limit(LOOKED_FOR)).all()
    return bool(newest) and not any(shared.store.exists(name) for name in newest)


def _file(shared: Shared, name: str) -> Path:
    return shared.store.temporary / check_id(name, "landmark")
