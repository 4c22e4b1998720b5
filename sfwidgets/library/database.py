"""The database: an engine with the right transactions, brought up to the newest schema on opening."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from sfwidgets.errors import DiskFullError, InvalidInputError, UnavailableError
from sfwidgets.settings import Settings

HEAD = "0006"
"""The newest migration; a test holds it equal to what Alembic says."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Transactions on the library's database.

    On SQLite a writing transaction begins with `BEGIN IMMEDIATE`: with the driver's default two processes lose each
    other's updates, and with a deferred `BEGIN` they end in "database is locked".
    """

    def __init__(self, settings: Settings) -> None:
        url = _url(settings)
        self._settings = settings
        if url.get_backend_name() == "sqlite":
            settings.library.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(url, connect_args={"timeout": 30.0, "check_same_thread": False})
            _begin_immediate(self.engine)
        else:
            self.engine = _server_engine(url)
        try:
            self._upgrade()
        except OperationalError as error:
            where = url.render_as_string(hide_password=True)
            raise UnavailableError(
                f"The database {where} can't be used: {str(error.orig).strip()}. Check DATABASE_URL and AUDIO_DATA_PATH.",
                code="database_unavailable",
            ) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a block as one writing transaction: all of it happens, or none."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            if "disk is full" in str(error.orig):
                raise DiskFullError("The disk is full. Make room where the library lives, then try again.") from error
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a block as one reading transaction, which never waits for a writer."""
        with self.engine.connect().execution_options(reading=True) as connection:
            yield connection

    def revision(self) -> str | None:
        """Return the schema's revision, None where there is no schema yet."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def _upgrade(self) -> None:
        if self.revision() == HEAD:
            return
        self._settings.library.mkdir(parents=True, exist_ok=True)
        with FileLock(self._settings.library / "upgrade.lock", timeout=60):
            if self.revision() != HEAD:
                self._migrate()

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _url(settings: Settings) -> URL:
    try:
        return make_url(settings.sqlalchemy_url)
    except ArgumentError:
        raise InvalidInputError(
            "DATABASE_URL is not a database's URL. It looks like postgresql+psycopg://user:password@host/name; unset, it "
            "is a SQLite file in the library.",
            code="bad_setting",
        ) from None


def _server_engine(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise UnavailableError(
            f"The driver for {url.drivername} is not installed ({error}). Install it, or unset DATABASE_URL.",
            code="database_unavailable",
        ) from None


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
