"""Looking at a database from outside, and moving all of its rows into another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, Connection, MetaData, Table, func, insert, inspect, select, text

from sfwidgets.errors import ConflictError, NotFoundError
from sfwidgets.library.batches import RUNNING
from sfwidgets.library.database import HEAD, Database
from sfwidgets.library.schema import jobs, metadata
from sfwidgets.models import Value
from sfwidgets.settings import Settings

ROWS_AT_ONCE = 1000


class DatabaseStatus(Value):
    """What there is to know of a database without opening it for work."""

    address: str
    """Where it is, without its password."""
    revision: str | None
    """Its schema's; None where there is none yet."""
    newest: str
    """The revision that this program works with."""
    size: int
    """Bytes on disk."""
    rows: dict[str, int]
    """How many there are, by table."""
    unfinished_jobs: int


def status(settings: Settings) -> DatabaseStatus:
    """Look at the database as it is, whatever its schema; raises `UnavailableError`."""
    if settings.database_url is None and not settings.sqlite_file.exists():
        address = f"sqlite:///{settings.sqlite_file}"
        return DatabaseStatus(address=address, revision=None, newest=HEAD, size=0, rows={}, unfinished_jobs=0)
    database = Database(settings, upgrade=False)
    try:
        revision = database.revision()
        with database.read() as connection:
            there = set(inspect(connection).get_table_names())
            rows = _counts(connection, [table for table in metadata.sorted_tables if table.name in there])
            unfinished = _unfinished(connection) if jobs.name in there else 0
            return DatabaseStatus(
                address=database.address, revision=revision, newest=HEAD, size=_size(connection), rows=rows,
                unfinished_jobs=unfinished,
            )  # fmt: skip
    finally:
        database.close()


def move(source: Settings, target: Settings) -> DatabaseStatus:
    """Copy every row of a library's SQLite file into an empty database; files stay where they are.

    All of it happens in one transaction, or none. Nobody can change the source meanwhile. Returns how the target is then.
    Raises `NotFoundError` where there is no SQLite file, and `ConflictError` where the target is the same, or not empty,
    or jobs have not ended.
    """
    if not source.sqlite_file.exists():
        raise NotFoundError(f"There is no database {source.sqlite_file} to move.", code="nothing_to_move")
    into = Database(target)
    if into.engine.dialect.name == "sqlite":
        into.close()
        raise ConflictError(
            "This would move the library's rows from SQLite to SQLite. Set DATABASE_URL, or say --to, to name a PostgreSQL "
            "database.",
            code="same_database",
        )
    out_of = Database(source)
    try:
        with out_of.write() as reading, into.write() as writing:
            _check_idle(reading)
            _check_empty(writing)
            for table in metadata.sorted_tables:
                _copy(reading, writing, table)
            copied, there = (_counts(connection, metadata.sorted_tables) for connection in (reading, writing))
            if copied != there:
                raise ConflictError(
                    f"Not all rows arrived: {copied} became {there}. Nothing was moved.", code="move_failed"
                )
    finally:
        out_of.close()
        into.close()
    return status(target)


def _check_idle(connection: Connection) -> None:
    unfinished = _unfinished(connection)
    if unfinished:
        raise ConflictError(
            f"{unfinished} jobs have not ended. Wait for them, or cancel them with `soundforge cancel`, then move.",
            code="in_use",
        )


def _check_empty(connection: Connection) -> None:
    filled = [name for name, count in _counts(connection, metadata.sorted_tables).items() if count]
    if filled:
        raise ConflictError(
            f"There are rows already in the database to move to ({', '.join(filled)}). Name an empty one.",
            code="not_empty",
        )


def _copy(reading: Connection, writing: Connection, table: Table) -> None:
    rows = reading.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
    plain = _plain(table)
    for part in rows.mappings().partitions():
        writing.execute(insert(plain), [dict(row) for row in part])


def _plain(table: Table) -> Table:
    """Return the table with nothing but its columns, in which a JSON that is not there stays NULL."""
    columns: list[Column[Any]] = [
        Column(column.name, JSON(none_as_null=True) if isinstance(column.type, JSON) else column.type)
        for column in table.columns
    ]
    return Table(table.name, MetaData(), *columns)


def _counts(connection: Connection, tables: list[Table]) -> dict[str, int]:
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}


def _unfinished(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(jobs.c.status.in_(RUNNING))).scalar_one()


def _size(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    pages, page = (connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size"))
    return int(pages) * int(page)
