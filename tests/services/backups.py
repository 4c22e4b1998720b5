"""What tests of backups share: a look at all that a library holds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sfwidgets.library import Shared
from sfwidgets.library.backup import TABLES
from sfwidgets.library.schema import audio, stem_sets


def rows(shared: Shared) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, in the order of their keys."""
    with shared.database.read() as connection:
        return {
            table.name: [
                dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in TABLES
        }


def files(shared: Shared) -> dict[str, str]:
    """Return the SHA-256 of every artifact on disk, by its name."""
    root = shared.store.root
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for area in ("audio", "stems")
        for file in (root / area).rglob("*")
        if file.is_file()
    }


def named(shared: Shared) -> set[str]:
    """Return the names of all artifacts that rows need."""
    with shared.database.read() as connection:
        stems = connection.scalars(select(stem_sets.c.stems)).all()
        return {
            *connection.scalars(select(audio.c.path)),
            *(s[w] for one in stems for s in one for w in ("path", "peaks")),
        }


def is_empty(root: Path) -> bool:
    """Return whether a library's folder holds no artifact, finished or not."""
    return not any(f.is_file() for area in ("audio", "stems", "tmp") for f in (root / area).rglob("*"))
