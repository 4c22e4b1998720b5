"""The servers that tests of more than one machine share: one of each for a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from services.postgres import Postgres
from services.redis_server import RedisServer


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server; each test makes databases of its own with `postgres.create()`."""
    server = Postgres(tmp_path_factory.mktemp("postgres") / "data")
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
