"""PostgreSQL: an engine that comes back after a lost connection, behind a pooler too; and what its refusals mean."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from sfwidgets.errors import DiskFullError, SoundForgeError, UnavailableError

log = logging.getLogger(__name__)

NAMES = ("postgres", "postgresql", "postgresql+psycopg")
"""What an address may begin with; all mean psycopg 3."""
RETRY_SECONDS = 2.0
"""When to ask again where the database is gone, or too busy."""
FRESH_SECONDS = 0.2
"""A connection that was used so lately is taken to stand; any other is tried before it is used."""
POOL_SECONDS = 30.0
"""How long a transaction waits for a connection where all are in use."""

CONNECTING: dict[str, Any] = {
    "prepare_threshold": None,  # a pooler gives each transaction another session, which knows no prepared statement
    "connect_timeout": 10,
    "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000,
    "application_name": "soundforge",
}  # fmt: skip

LIMITS = (
    "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '30s'; "
    "SET LOCAL idle_in_transaction_session_timeout = '60s'"
)
"""Set with each transaction: a pooler keeps nothing of a session, and may refuse them when connecting."""

BUSY = ("40001", "40P01", "55P03", "57014")
"""SQLSTATEs of a transaction that stood in the way of others, or waited too long for them."""
GONE = ("08", "28", "3D", "53", "57", "25006", "25P03", "25P04")
"""How the SQLSTATEs begin of a server that is gone, going, full, or lets nobody in or write."""

OWNERS = 0x50FA
"""Tells our advisory locks on owners from anybody else's."""
UPGRADE = 0x50FB


def server_engine(url: URL, pool: int) -> Engine:
    """Return an engine with that many connections, and as many again for a moment; it connects when first used."""
    engine = create_engine(
        url.set(drivername=NAMES[-1]),
        connect_args=CONNECTING, pool_size=pool, max_overflow=pool, pool_timeout=POOL_SECONDS, pool_recycle=1800,
        use_native_hstore=False,
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.autocommit = True  # transactions begin below, with their limits, in one round trip

    @event.listens_for(engine, "checkin")
    def _on_checkin(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _on_checkout(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) > FRESH_SECONDS:
            try:
                connection.execute("SELECT 1")
            except connection.Error as error:
                raise InvalidatePoolError from error

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if reading else "BEGIN ISOLATION LEVEL READ COMMITTED"
        connection.exec_driver_sql(f"{begin}; {LIMITS}")

    return engine


def explained(error: DBAPIError) -> SoundForgeError | None:
    """Return what to tell a person of an error; None where it is no fault of the server's."""
    state = getattr(error.orig, "sqlstate", None)
    if state == "53100":
        return DiskFullError("The database's disk is full. Make room where the database lives, then try again.")
    if state in BUSY:
        log.warning("The database was too busy: %s", reason(error))
        return busy()
    # Where no connection could be made, there is no SQLSTATE.
    lost = state is None and type(error.orig).__name__ == "OperationalError"
    if error.connection_invalidated or lost or (state or "").startswith(GONE):
        log.warning("The database can't be used: %s", reason(error))
        return UnavailableError(
            "The database can't be reached just now. Try again in a moment; what was finished is kept.",
            code="database_unavailable", details={"retryAfter": RETRY_SECONDS},
        )  # fmt: skip
    return None


def busy() -> UnavailableError:
    """Return what to tell a person of a database that has too much to do, also where it is not PostgreSQL."""
    return UnavailableError(
        "The database was too busy for this. Try again in a moment.", code="database_busy",
        details={"retryAfter": RETRY_SECONDS},
    )  # fmt: skip


def reason(error: BaseException | None) -> str:
    """Return the first line of what a driver says, which holds no password."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return said.splitlines()[0].rstrip(".") if said else "it does not say why"


def hold_owner(connection: Connection, owner: str) -> None:
    """Keep others from changing an owner's tracks, and what was made of them, until the transaction ends.

    Whoever looks first and changes then needs it; rows of jobs, if any, are changed before. SQLite has one writer at a
    time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(OWNERS, func.hashtext(owner))))


def check_role(connection: Connection) -> None:
    """Raise `UnavailableError` where row-level security hides the service's own rows from it."""
    if connection.scalar(select(func.row_security_active("alembic_version"))):
        raise UnavailableError(
            "The database's tables belong to another role than the one in DATABASE_URL, which sees nothing of them. "
            "Name the role that made them.",
            code="database_role",
        )


def hold_upgrade(connection: Connection) -> None:
    """Keep other machines from upgrading the schema until the transaction ends, which may take its time."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE})")
