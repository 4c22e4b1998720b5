"""The servers that tests of more than one machine share: one of each for a session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.everywhere import SERVICES
from services.postgres import Postgres
from services.redis_server import RedisServer


@pytest.fixture(autouse=True)
def _by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests say themselves what they use: `--services` changes nothing for them."""
    for name in (SERVICES, "REDIS_URL", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; each test makes databases of its own with `postgres.create()`.

    It lives outside pytest's folders: every session of pytest that begins closes those to other accounts.
    """
    with tempfile.TemporaryDirectory(prefix="sf-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder) / "data")
        yield server
        server.stop()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of the test's own, which it may kill and start; it runs when the test ends."""
    with tempfile.TemporaryDirectory(prefix="sf-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder) / "data")
        yield server
        server.stop()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """The address of an empty database."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server of the test's own, which it may kill and start."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()
