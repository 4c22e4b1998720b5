"""The database: an engine with the right transactions, brought up to the newest schema on opening."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, Row, Table, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, TimeoutError

from sfwidgets.errors import DiskFullError, InvalidInputError, SoundForgeError, UnavailableError
from sfwidgets.library import postgres
from sfwidgets.settings import Settings

HEAD = "0009"
"""The newest migration; a test holds it equal to what Alembic says."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Transactions on the library's database.

    On SQLite a writing transaction begins with `BEGIN IMMEDIATE`: with the driver's default two processes lose each
    other's updates, and with a deferred `BEGIN` they end in "database is locked". On PostgreSQL writers run side by side
    (READ COMMITTED): whoever looks first and changes then takes a lock (`postgres.hold_owner`, `batches.hold`).

    Where the server is gone, transactions raise `UnavailableError`, and the next one connects again.
    """

    def __init__(self, settings: Settings, *, upgrade: bool = True) -> None:
        """Open the database, at the newest schema; without `upgrade`, as it is. Raises `UnavailableError`."""
        url = _url(settings)
        self._settings = settings
        if url.get_backend_name() == "sqlite":
            settings.library.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(url, connect_args={"timeout": 30.0, "check_same_thread": False})
            _begin_immediate(self.engine)
            self._turn: AbstractContextManager[object] = threading.Lock()  # SQLite waits for its turn by polling
        else:
            self.engine = postgres.server_engine(url, settings.database_pool)
            self._turn = nullcontext()
        try:
            if upgrade:
                self.upgrade()
            else:
                self.revision()
        except (OperationalError, UnavailableError) as error:
            self.close()
            if isinstance(error, UnavailableError) and error.code != "database_unavailable":
                raise
            why = postgres.reason(error if isinstance(error, OperationalError) else error.__cause__)
            raise UnavailableError(
                f"The database {self.address} can't be used: {why}. Check DATABASE_URL and AUDIO_DATA_PATH.",
                code="database_unavailable",
            ) from error

    @property
    def address(self) -> str:
        """Where the database is, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a block as one writing transaction: all of it happens, or none.

        Raises `UnavailableError` where the database is gone (`database_unavailable`; whether the last transaction took
        place is not known where it was lost at its very end) or too busy (`database_busy`), and `DiskFullError`.
        """
        with self._turn, self._told(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a block as one reading transaction, which never waits for a writer."""
        with self._told(), self.engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise postgres.busy() from error
        except DBAPIError as error:
            told = self._explained(error)
            if told is None:
                raise
            raise told from error

    def _explained(self, error: DBAPIError) -> SoundForgeError | None:
        if self.engine.dialect.name == "postgresql":
            return postgres.explained(error)
        if "disk is full" in str(error.orig):
            return DiskFullError("The disk is full. Make room where the library lives, then try again.")
        if "database is locked" in str(error.orig):  # for half a minute: whoever writes stands still
            return postgres.busy()
        return None

    def revision(self) -> str | None:
        """Return the schema's revision, None where there is no schema yet."""
        with self.read() as connection:
            return _revision(connection)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def upgrade(self) -> str | None:
        """Bring the schema up to the newest; returns what it was.

        All of it happens, or none, and once, however many programs of however many machines begin at the same time.
        Raises `UnavailableError` (`database_newer`) for a schema that this program does not know.
        """
        found = self.revision()
        if found == HEAD:
            return found
        self._settings.library.mkdir(parents=True, exist_ok=True)
        with FileLock(self._settings.library / "upgrade.lock", timeout=60), self.write() as connection:
            postgres.hold_upgrade(connection)
            found = _revision(connection)
            if found is not None and found > HEAD:
                raise UnavailableError(
                    f"The database {self.address} was written by a newer version of this program (its schema is {found}, "
                    f"this program knows {HEAD}). Upgrade the program.",
                    code="database_newer",
                )
            if found != HEAD:
                migrate(connection, "head")
        return found


def put_row(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Insert a row, or change the one that has that key."""
    row = _insert(connection, table).values(**key, **values)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))


def insert_new(connection: Connection, table: Table, values: dict[str, Any]) -> Row[Any] | None:
    """Insert a row, and return it; None where a unique index has one like it already."""
    row = _insert(connection, table).values(**values).on_conflict_do_nothing().returning(table)
    inserted: Row[Any] | None = connection.execute(row).first()
    return inserted


def _insert(connection: Connection, table: Table) -> Any:
    """Return an INSERT of the database's own kind, which knows what to do about conflicts."""
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None and connection.dialect.name == "postgresql":
        postgres.check_role(connection)
    return found


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema up to a revision, within a transaction that is open."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _url(settings: Settings) -> URL:
    try:
        url = make_url(settings.sqlalchemy_url)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in ("sqlite", "sqlite+pysqlite", *postgres.NAMES):
        raise InvalidInputError(
            "DATABASE_URL is not the address of a database that can be used. It looks like "
            "postgresql://user:password@host/name; unset, it is a SQLite file in the library.",
            code="bad_setting",
        )
    return url


def _begin_immediate(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
