"""What `pytest --services` does: the same tests, on PostgreSQL, Redis, and a scheduler and workers that join it.

Every library gets databases of its own, by the name of its folder: in this process, and in all that tests start. For
that the settings are changed where they are read. Where a library's own cluster would be started, the two commands of a
cluster of several machines are (`hook/remote_machines.py`), and what it says of itself is what the settings say.
"""

from __future__ import annotations

import hashlib
import itertools
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

SERVICES = "SF_TEST_SERVICES"
"""The environment variable with a folder: in it are the servers' addresses, and a file for each library."""
TEMPLATE = "template_library"


def elsewhere(module: Any) -> None:
    """Make the class `Settings` of `sfwidgets.settings` say where each library's databases and cluster are."""

    def database_url(self: Any) -> SecretStr | None:
        given: SecretStr | None = self.__dict__["database_url"]
        folder = os.environ.get(SERVICES)
        return given if given is not None or folder is None else SecretStr(_database(Path(folder), self.library))

    def redis_url(self: Any) -> SecretStr | None:
        given: SecretStr | None = self.__dict__["redis_url"]
        folder = os.environ.get(SERVICES)
        return given if given is not None or folder is None else SecretStr(_redis(Path(folder), self.library))

    def dask_scheduler(self: Any) -> str | None:
        given: str | None = self.__dict__["dask_scheduler"]
        return given if given is not None or SERVICES not in os.environ else _cluster(self.library)

    module.Settings.database_url = property(database_url)
    module.Settings.redis_url = property(redis_url)
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
    postgres, redis = Postgres(folder / "data"), RedisServer(folder / "redis-data")
    try:
        with _connect(postgres.url()) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # every DROP DATABASE waits for the disk
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {TEMPLATE}")  # type: ignore[call-overload]
        url = SecretStr(postgres.url(TEMPLATE))
        Database(settings.Settings(_env_file=None, library=folder / "library", database_url=url)).close()
        (folder / "postgresql").write_text(postgres.url(""))
        (folder / "redis").write_text(redis.url.rpartition("/")[0])
        hook = str(Path(__file__).parent / "hook")
        os.environ |= {SERVICES: str(folder), "PYTHONPATH": hook}
        elsewhere(settings)
        remote(cluster)
        yield
    finally:
        for name in (SERVICES, "PYTHONPATH"):
            os.environ.pop(name, None)
        redis.kill()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def forget(place: Path) -> None:
    """Drop the databases of the libraries under a folder."""
    for known in Path(os.environ[SERVICES]).glob("*.library"):
        if Path(known.read_text()).is_relative_to(place):
            _in_server(f"DROP DATABASE IF EXISTS {known.stem} WITH (FORCE)")
            known.unlink()


def lose(settings: Any) -> None:
    """Take a library's database away from it, wherever that is."""
    if SERVICES not in os.environ:
        settings.sqlite_file.rename(settings.library / "elsewhere.db")
    else:
        _in_server(f"DROP DATABASE {_name(settings.library)} WITH (FORCE)")


def empty(settings: Any) -> None:
    """Make a library that nobody has opened yet one whose database has no schema."""
    settings.library.mkdir(parents=True)
    if settings.database_url is not None:
        lose(settings)
        _in_server(f"CREATE DATABASE {_name(settings.library)}")


def _name(library: Path) -> str:
    return f"sf_{hashlib.sha256(str(library).encode()).hexdigest()[:16]}"


def _in_server(statement: str) -> None:
    with _connect(_address(Path(os.environ[SERVICES])) + "postgres") as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def _address(folder: Path) -> str:
    return (folder / "postgresql").read_text()


def _database(folder: Path, library: Path) -> str:
    """Return the address of a library's database, which is made where it is not there yet."""
    name, address = _name(library), _address(folder)
    known = folder / f"{name}.library"
    if not known.exists():
        with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            _in_server(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        known.write_text(str(library))
    return address + name


def _redis(folder: Path, library: Path) -> str:
    """Return the address of a library's Redis database, the first that is nobody else's."""
    for number in itertools.count():
        taken = folder / f"redis-{number}"
        with suppress(FileExistsError):
            taken.symlink_to(_name(library))
        if taken.readlink().name == _name(library):
            break
    return f"{(folder / 'redis').read_text()}/{number}"


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
