"""Backing up a library while it is in use: its rows as of one moment, then the artifacts that they name.

Artifacts never change, so that the only thing which can happen to one after that moment is that it is deleted. Then the
rows that need it were deleted as well, and are left out.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, exists, func, select

from sfwidgets import __version__
from sfwidgets.errors import ConflictError, NotFoundError
from sfwidgets.library.archive import FILES, FORMAT, HEADER, ROWS, Writer, artifacts
from sfwidgets.library.database import HEAD, Database
from sfwidgets.library.schema import audio, metadata, metadata_cache, stem_sets, tracks
from sfwidgets.library.store import ArtifactStore

TABLES = [table for table in metadata.sorted_tables if table is not metadata_cache]
"""What is backed up, each after those that it refers to. What a service says to everybody can be asked for again."""

AT_ONCE = 500
"""How many rows are read at once."""

Progress = Callable[[int, int], None]
"""Is told how many bytes are done, and how many there are."""


@dataclass
class Backup:
    """What a backup holds."""

    path: Path
    tracks: int = 0
    files: int = 0
    size: int = 0
    """Bytes of the artifacts."""
    deleted: int = 0
    """How many audio files and sets of stems were deleted while it was made, and are left out."""
    missing: list[str] = field(default_factory=list)
    """Artifacts that the library itself has lost; the rows that name them are kept."""
    damaged: list[str] = field(default_factory=list)
    """Audio that is not what was once added; it is kept as it is."""


def back_up(database: Database, store: ArtifactStore, target: Path, progress: Progress = lambda *_: None) -> Backup:
    """Write a backup of all owners' rows and artifacts; `target` is there whole, or not at all.

    Raises `ConflictError` where there is such a file, `InvalidInputError` where its folder can't be written to,
    `DiskFullError`.
    """
    from sfwidgets.audio import sync_file, whole_file, writable_folder

    if target.exists():
        raise ConflictError(f"There is {target} already. Name another file.", code="file_exists")
    folder = writable_folder(target.parent)
    with whole_file(target) as partial, tempfile.TemporaryDirectory(dir=folder, prefix=".backup-") as spool:
        made = _Making(database, store, Path(spool), Backup(target), progress)
        made.read_rows()
        with Writer(partial, Path(spool) / "sums") as writer:
            made.write(writer)
        sync_file(partial)
    return made.told


class _Making:
    def __init__(self, database: Database, store: ArtifactStore, spool: Path, told: Backup, progress: Progress) -> None:
        self.told = told
        self._database = database
        self._store = store
        self._spool = spool
        self._progress = progress
        self._total = 0
        self._dropped: dict[str, set[tuple[Any, ...]]] = {table.name: set() for table in TABLES}
        """The keys of the rows that are left out, by table."""

    def read_rows(self) -> None:
        """Write all rows, as of one moment, where they wait for the artifacts."""
        with self._database.read() as connection:
            sizes = (connection.scalar(select(func.coalesce(func.sum(t.c.size), 0))) for t in (audio, stem_sets))
            self._total = sum(int(size or 0) for size in sizes)
            for table in TABLES:
                with self._rows_file(table).open("w", encoding="utf-8") as file:
                    found = connection.execute(select(table), execution_options={"yield_per": AT_ONCE})
                    for row in found.mappings():
                        file.write(_line(dict(row)))

    def write(self, writer: Writer) -> None:
        """Write the artifacts, and then the rows, without those that were deleted meanwhile."""
        header = {
            "format": FORMAT, "schema": HEAD, "version": __version__, "made": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        (self._spool / HEADER).write_text(_line(header), encoding="utf-8")
        writer.add(HEADER, self._spool / HEADER)
        for table in (audio, stem_sets):
            for row in self._rows(table):
                if not self._write_artifacts(writer, table, row):
                    self._dropped[table.name].add(_key(table, row))
                    self.told.deleted += 1
        for table in TABLES:
            kept = self._spool / "kept"
            with kept.open("w", encoding="utf-8") as file:
                for row in filter(None, (self._kept(table, row) for row in self._rows(table))):
                    self.told.tracks += table is tracks
                    file.write(_line(row))
            writer.add(f"{ROWS}/{table.name}.jsonl", kept)
        writer.finish()

    def _write_artifacts(self, writer: Writer, table: Table, row: dict[str, Any]) -> bool:
        """Write what a row names; returns False where the row was deleted meanwhile."""
        if self._refers_to_dropped(table, row):
            return False
        needed, peaks = artifacts(table.name, row)
        for name in needed:
            digest = self._write_one(writer, name)
            if digest is None:
                if not self._still_there(table, row):
                    return False
                self.told.missing.append(name)
            elif table is audio and digest != row["hash"]:
                self.told.damaged.append(name)
        for name in peaks:
            self._write_one(writer, name)
        return True

    def _write_one(self, writer: Writer, name: str) -> str | None:
        try:
            file = self._store.fetch(name)
            size = file.stat().st_size
            digest = writer.add(f"{FILES}/{name}", file)
        except (FileNotFoundError, NotFoundError):
            return None
        self.told.files += 1
        self.told.size += size
        self._progress(self.told.size, max(self._total, self.told.size))
        return digest

    def _kept(self, table: Table, row: dict[str, Any]) -> dict[str, Any] | None:
        """Return a row as it is backed up; None where it is left out, as one is that it needs.

        A track that has other audio by now is kept without any.
        """
        if _key(table, row) in self._dropped[table.name]:
            return None
        if not self._refers_to_dropped(table, row):
            return row
        if table is tracks and self._still_there(table, row):
            return row | {"hash": None}
        self._dropped[table.name].add(_key(table, row))
        return None

    def _refers_to_dropped(self, table: Table, row: dict[str, Any]) -> bool:
        return any(
            tuple(row[column.name] for column in constraint.columns) in self._dropped[constraint.referred_table.name]
            for constraint in table.foreign_key_constraints
        )

    def _still_there(self, table: Table, row: dict[str, Any]) -> bool:
        same = (column == row[column.name] for column in table.primary_key)
        with self._database.read() as connection:
            return bool(connection.scalar(select(exists().where(*same))))

    def _rows_file(self, table: Table) -> Path:
        return self._spool / f"{table.name}.jsonl"

    def _rows(self, table: Table) -> Iterator[dict[str, Any]]:
        with self._rows_file(table).open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def _key(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
