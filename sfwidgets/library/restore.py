"""Restoring a backup into an empty library: all of it, or nothing.

Everything is unpacked beside the library and checked first. Then the artifacts are moved to their names, where no row
speaks of them yet, and one transaction makes them count. Where that is cut off, the library is empty still, and takes the
next try.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, MetaData, Table, exists, func, insert, select, text, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from sfwidgets.errors import ConflictError, DiskFullError, InvalidInputError, NotFoundError
from sfwidgets.library import postgres
from sfwidgets.library.archive import FILES, FORMAT, HEADER, ROWS, artifacts, unpack
from sfwidgets.library.backup import AT_ONCE, TABLES, Progress
from sfwidgets.library.batches import RUNNING
from sfwidgets.library.database import HEAD, MIGRATIONS, Database, migrate
from sfwidgets.library.schema import audio, jobs, metadata, stem_sets, tracks
from sfwidgets.library.store import ArtifactStore
from sfwidgets.library.uploads import SPARE_BYTES


@dataclass(frozen=True)
class Restored:
    """What was restored."""

    tracks: int
    files: int
    jobs: int
    """How many jobs had not ended, and are queued anew."""
    missing: int
    """How many files were lost before the backup was made."""


def restore(database: Database, store: ArtifactStore, source: Path, progress: Progress = lambda *_: None) -> Restored:
    """Restore a backup. Jobs that had not ended are queued as if they had just been asked for.

    Raises `NotFoundError` where there is no such file, `ConflictError` where the library is not empty,
    `InvalidInputError` where the file is no whole backup, or is of a newer version, and `DiskFullError`.
    """
    if not source.is_file():
        raise NotFoundError(f"There is no file {source}.", code="no_backup")
    with database.read() as connection:
        _check_empty(connection)
    if shutil.disk_usage(store.root).free < source.stat().st_size + SPARE_BYTES:
        raise DiskFullError(f"There is no room for {source.name} in {store.root}. Make room, then try again.")
    folder = store.workspace(f"restore-{uuid.uuid4().hex}")
    try:
        return _Restoring(database, store, source, folder, progress).run()
    finally:
        store.discard_workspace(folder.name)


class _Restoring:
    def __init__(
        self, database: Database, store: ArtifactStore, source: Path, folder: Path, progress: Progress
    ) -> None:
        self._database = database
        self._store = store
        self._source = source
        self._folder = folder
        self._progress = progress
        self._files = 0
        self._missing = 0

    def run(self) -> Restored:
        self._unpack()
        revision = self._revision()
        self._check_artifacts()
        try:
            self._publish()
            with self._database.write() as connection:
                queued = self._insert(connection, revision)
                count = connection.scalar(select(func.count()).select_from(tracks))
        except BaseException:
            for name in self._artifacts():
                self._store.remove(name)
            raise
        return Restored(tracks=int(count or 0), files=self._files, jobs=queued, missing=self._missing)

    def _unpack(self) -> None:
        done, total = 0, self._source.stat().st_size
        for size in unpack(self._source, self._folder):
            done += size
            os.utime(self._folder)  # by which the sweep knows that somebody is at it
            self._progress(done, total)

    def _revision(self) -> str:
        """Return the backup's revision of the schema; raises `InvalidInputError` for one that is not known here."""
        try:
            header = json.loads((self._folder / HEADER).read_text(encoding="utf-8"))
            revision, version = str(header["schema"]), str(header["version"])
            known = header["format"] == FORMAT and any(MIGRATIONS.glob(f"versions/{int(revision):04d}_*.py"))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise self._wrong("it does not say what it is") from None
        if not known:
            raise InvalidInputError(
                f"{self._source.name} was made by version {version[:20]} of this program (schema {revision[:20]}), and this "
                f"one knows schemas up to {HEAD}. Update this program first.",
                code="backup_too_new",
            )
        return revision

    def _check_artifacts(self) -> None:
        """See that rows name nothing but artifacts of their owner."""
        try:
            for table in (audio, stem_sets):
                for row in self._rows(table.name):
                    names = [name for part in artifacts(table.name, row) for name in part]
                    self._missing += sum(not self._unpacked(name).exists() for name in artifacts(table.name, row)[0])
                    self._files += sum(self._unpacked(name).exists() for name in names)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._wrong(str(error)) from None

    def _publish(self) -> None:
        for name in self._artifacts():
            if self._unpacked(name).exists():
                self._store.remove_here(name)  # what a try that was cut off left there
                self._store.publish(self._unpacked(name), Path(name))

    def _artifacts(self) -> Iterator[str]:
        """Return what is moved as one: files of audio and of its peaks, and folders of stems."""
        for row in self._rows(audio.name):
            for part in artifacts(audio.name, row):
                yield from part
        for row in self._rows(stem_sets.name):
            yield row["folder"]

    def _insert(self, connection: Connection, revision: str) -> int:
        """Insert all rows, bring them up to the newest schema, and queue what had not ended; returns how many those are."""
        _keep_others_out(connection)
        _check_empty(connection)
        if revision != HEAD:
            _empty_schema(connection, revision)
        schema = _ours(connection)
        unknown = {file.stem for file in (self._folder / ROWS).iterdir()} - schema.tables.keys()
        if unknown:
            raise self._wrong(f"it has rows of {', '.join(sorted(unknown))}, which the schema {revision} does not know")
        try:
            for table in schema.sorted_tables:
                _keep_null(table)
                rows = self._rows(table.name)
                while some := list(islice(rows, AT_ONCE)):
                    if any(row.keys() != set(table.columns.keys()) for row in some):
                        raise ValueError(f"rows of {table.name} have other columns")
                    connection.execute(insert(table), some)
        except (StatementError, ValueError, RecursionError) as error:
            if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError | DataError | ProgrammingError):
                raise
            raise self._wrong(f"its rows don't fit the schema {revision} ({type(error).__name__})") from error
        if revision != HEAD:
            migrate(connection, HEAD)
        unfinished = update(jobs).where(jobs.c.status.in_(RUNNING), jobs.c.kind != "batch")
        queued = connection.execute(
            unfinished.values(
                status="queued", stage="", progress=0, attempt=0, started_at=None, lease_until=0.0, holder=None, task=None,
                seq=jobs.c.seq + 1,
            )
        )  # fmt: skip
        return queued.rowcount

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        file = self._folder / ROWS / f"{table}.jsonl"
        if not file.exists():
            return
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"{table} has a line that is no row")
                yield row

    def _unpacked(self, name: str) -> Path:
        return self._folder / FILES / name

    def _wrong(self, why: str) -> InvalidInputError:
        return InvalidInputError(
            f"{self._source.name} can't be restored: {why[:300]}. Nothing was changed.", code="bad_backup"
        )


def _check_empty(connection: Connection) -> None:
    for table in TABLES:
        if connection.scalar(select(exists().select_from(table))):
            address = connection.engine.url.render_as_string(hide_password=True)
            raise ConflictError(
                f"This library is not empty ({address} has rows), and a backup is restored into an empty one only: name a "
                "new folder with --library, and an empty database in DATABASE_URL if that is set.",
                code="library_not_empty",
            )


def _keep_others_out(connection: Connection) -> None:
    """Let nobody read, write or upgrade until the transaction ends; SQLite has one writer at a time anyway."""
    postgres.hold_upgrade(connection)
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in TABLES)
        connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))


def _empty_schema(connection: Connection, revision: str) -> None:
    """Replace the schema, which is empty, by that of an earlier revision."""
    _ours(connection).drop_all(connection)
    connection.execute(text("DELETE FROM alembic_version"))
    migrate(connection, revision)


def _ours(connection: Connection) -> MetaData:
    """Return the tables of this program as they are; others may live beside them."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in metadata.tables)
    return found


def _keep_null(table: Table) -> None:
    """Write None as NULL in columns of JSON, where it would become the document `null`."""
    for column in table.columns:
        if isinstance(column.type, JSON):
            column.type = JSON(none_as_null=True)
