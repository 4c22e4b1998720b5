"""What else Redis does where it is configured: the cache of metadata, its line in `/health`, and what is no address."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from services.redis_server import RedisServer

from sfwidgets import Workbench, doctor
from sfwidgets.errors import InvalidInputError
from sfwidgets.library import Shared
from sfwidgets.library.redis_link import open_redis
from sfwidgets.settings import Settings
from sfwidgets.workbench.health import unopened

SECRET = "hunter2-is-secret"


def settings(folder: Path, url: str) -> Settings:
    return Settings(library=folder / "library", redis_url=SecretStr(url))


def test_metadata_is_kept_in_redis_for_an_hour_and_in_the_database_while_redis_is_down(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    shared = Shared(settings(tmp_path, redis_server.url))
    cache, plain = shared.metadata, Shared(Settings(library=tmp_path / "library"))
    assert cache.get("spotify:track:1") is None
    cache.put("spotify:track:1", {"name": "Øne", "tracks": []})
    assert cache.get("spotify:track:1") == {"name": "Øne", "tracks": []}
    assert plain.metadata.get("spotify:track:1") is None
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.keys() == [b"soundforge:metadata:spotify:track:1"]
        assert 3590 < client.ttl("soundforge:metadata:spotify:track:1") <= 3600
    redis_server.kill()
    with caplog.at_level(logging.WARNING, "sfwidgets"):
        assert cache.get("spotify:track:1") is None
        cache.put("spotify:track:1", {"name": "Two"})
        assert cache.get("spotify:track:1") == {"name": "Two"}
    assert plain.metadata.get("spotify:track:1") == {"name": "Two"}
    assert len(caplog.records) == 1
    shared.close()
    plain.close()


def test_health_and_the_doctor_say_whether_redis_answers(tmp_path: Path, redis_server: RedisServer) -> None:
    configured = settings(tmp_path, redis_server.url)

    with Workbench(settings=configured) as wb:
        assert (wb.health().status, wb.health().services.redis) == ("ok", "up")
        assert doctor._redis(configured).state == "ok"
        redis_server.process.send_signal(signal.SIGSTOP)
        assert (wb.health().status, wb.health().services.redis) == ("degraded", "down")
        redis_server.kill()
        assert wb.health().services.redis == "down"
        assert doctor._redis(configured).state == "missing"
        assert unopened(configured).services.redis == "down"
        assert unopened(Settings(library=tmp_path)).services.redis == "off"


@pytest.mark.parametrize(
    "address",
    [
        f"http://:{SECRET}@host", f"host:6379/{SECRET}", f"redis://:{SECRET}/x@host", f"redis://:{SECRET}#@host",
        "unix://", f"redis://:{SECRET}@host x", f"redis://:{SECRET}@host:port/0",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_redis_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidInputError, match=r"redis_url: .*redis://") as refused:
        Settings(redis_url=SecretStr(address))
    assert SECRET not in str(refused.value)


def test_an_address_that_nobody_can_read_whole_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="REDIS_URL") as refused:
        Shared(settings(tmp_path, f"redis://:{SECRET}@host?nonsense=1"))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (f"redis://:{SECRET}@host", {"host": "host"}), ("rediss://me:pw@host:7000/2", {"port": 7000, "db": 2}),
        ("redis://[::1]:6380", {"host": "::1", "port": 6380}), ("unix:///run/redis.sock?db=1", {"path": "/run/redis.sock"}),
    ],
)  # fmt: skip
def test_addresses_are_taken_as_redis_writes_them(address: str, found: dict[str, object]) -> None:
    configured = Settings(redis_url=SecretStr(address))
    assert SECRET not in repr(configured)
    assert configured.redis_url is not None
    kwargs = open_redis(configured.redis_url).connection_pool.connection_kwargs
    assert found.items() <= kwargs.items()
