"""What `pytest --services` does: the same tests, on PostgreSQL, Redis and workers that are no children of ours.

Every library gets a database of its own, by the name of its folder: in this process, and in all that tests start. For
that the settings are changed where they are read; nothing else is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr

SERVICES = "SOUNDFORGE_TEST_SERVICES"
"""The environment variable with a folder: in it are the server's address, and a file for each library."""
TEMPLATE = "template_library"


def elsewhere(module: Any) -> None:
    """Make the class `Settings` of `sfwidgets.settings` say where each library's database and cluster are."""

    def database_url(self: Any) -> SecretStr | None:
        given: SecretStr | None = self.__dict__["database_url"]
        folder = os.environ.get(SERVICES)
        return given if given is not None or folder is None else SecretStr(_database(Path(folder), self.library))

    def dask_scheduler(self: Any) -> str | None:
        given: str | None = self.__dict__["dask_scheduler"]
        return given if given is not None or SERVICES not in os.environ else _cluster(self.library)

    module.Settings.database_url = property(database_url)
    module.Settings.dask_scheduler = property(dask_scheduler)


def remote(module: Any) -> None:
    """Make `sfwidgets.jobs.cluster` join what it has started as it joins a cluster elsewhere."""
    own = module._connect_known

    def connect_known(settings: Any) -> Any:
        if SERVICES not in os.environ:
            return own(settings)
        from sfwidgets.jobs.remote import connect_remote

        return None if settings.dask_scheduler is None else connect_remote(settings)

    module._connect_known = connect_known


@contextmanager
def services() -> Iterator[None]:
    """Have servers for a whole session; everybody who opens a library meanwhile uses them."""
    from services.postgres import Postgres
    from services.redis_server import RedisServer

    from sfwidgets import settings
    from sfwidgets.jobs import cluster
    from sfwidgets.library.database import Database

    folder = Path(tempfile.mkdtemp(prefix="sf-services-"))
    postgres, redis = Postgres(folder / "data"), RedisServer(folder / "redis")
    try:
        with _connect(postgres.url()) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # every DROP DATABASE waits for the disk
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {TEMPLATE}")  # type: ignore[call-overload]
        url = SecretStr(postgres.url(TEMPLATE))
        Database(settings.Settings(_env_file=None, library=folder / "library", database_url=url)).close()
        (folder / "address").write_text(postgres.url(""))
        hook = str(Path(__file__).parent / "hook")
        os.environ |= {SERVICES: str(folder), "PYTHONPATH": hook, "REDIS_URL": redis.url}
        elsewhere(settings)
        remote(cluster)
        yield
    finally:
        for name in (SERVICES, "PYTHONPATH", "REDIS_URL"):
            os.environ.pop(name, None)
        redis.kill()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def forget(place: Path) -> None:
    """Drop the databases of the libraries under a folder."""
    folder = Path(os.environ[SERVICES])
    for known in folder.glob("*.library"):
        if Path(known.read_text()).is_relative_to(place):
            with _connect(_address(folder) + "postgres") as connection:
                connection.execute(f"DROP DATABASE {known.stem} WITH (FORCE)")  # type: ignore[call-overload]
            known.unlink()


def _name(library: Path) -> str:
    return f"sf_{hashlib.sha256(str(library).encode()).hexdigest()[:16]}"


def _address(folder: Path) -> str:
    return (folder / "address").read_text()


def _database(folder: Path, library: Path) -> str:
    """Return the address of a library's database, which is made where it is not there yet."""
    name, address = _name(library), _address(folder)
    known = folder / f"{name}.library"
    if not known.exists():
        with (
            _connect(address + "postgres") as connection,
            suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation),
        ):
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")  # type: ignore[call-overload]
        known.write_text(str(library))
    return address + name


def _cluster(library: Path) -> str | None:
    """Return the address of a library's scheduler, None where it does not run."""
    from sfwidgets.jobs.cluster import _alive

    try:
        known = json.loads((library / "run" / "cluster.json").read_text())
    except (OSError, ValueError):
        return None
    return str(known["address"]) if _alive(known) else None


def _connect(address: str) -> psycopg.Connection[Any]:
    return psycopg.connect(address.replace("+psycopg", ""), autocommit=True)
