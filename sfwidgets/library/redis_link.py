"""Redis, where one is configured: the cache of what services say, and the road of events. Neither is needed for work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from sfwidgets.errors import InvalidInputError
from sfwidgets.models import PartState
from sfwidgets.settings import Settings

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 0.5
"""Seconds that Redis may take to answer."""
RETRY_SECONDS = 1.0
"""How often a Redis that does not answer is asked again."""
MOST_CONNECTIONS = 4
"""How many connections a process asks over at once."""


def open_redis(address: SecretStr, seconds: float = PATIENCE) -> Redis:
    """Return a client of the Redis at an address, which connects when it is first asked and never tries again by itself.

    Raises `InvalidInputError` where the address has parts that nobody understands.
    """
    from redis import BlockingConnectionPool, Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        pool = BlockingConnectionPool.from_url(
            address.get_secret_value(), max_connections=MOST_CONNECTIONS, timeout=seconds,
            socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0), protocol=2,
        )  # fmt: skip
        pool.make_connection()  # type: ignore[no-untyped-call]  # connects nowhere, but reads all of the address
    except (ValueError, TypeError):
        raise InvalidInputError(
            "REDIS_URL is not the address of a Redis server. It looks like redis://:password@host:6379/0.",
            code="bad_setting",
        ) from None
    return Redis.from_pool(pool)


def redis_state(settings: Settings, seconds: float) -> PartState:
    """Return whether the configured Redis answers within so many seconds."""
    if settings.redis_url is None:
        return "off"
    from redis import RedisError

    with open_redis(settings.redis_url, seconds) as redis:
        try:
            redis.ping()
        except RedisError:
            return "down"
    return "up"


class RedisLink:
    """A process's connections to Redis, used so that a Redis which is down, or hangs, holds up nobody.

    After a failure every question fails at once, until a thread that asks every second has had an answer.
    """

    def __init__(self, address: SecretStr) -> None:
        self.client = open_redis(address)
        self.database = int(self.client.connection_pool.connection_kwargs.get("db") or 0)
        """The number of the Redis database."""
        self._down = False
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def ask(self, question: Callable[[Redis], T]) -> T:
        """Return what Redis answers; raises `redis.RedisError` within a moment where it does not."""
        from redis import ConnectionError as NotConnectedError
        from redis import RedisError

        if self._down:
            raise NotConnectedError("Redis did not answer a moment ago.")
        try:
            return question(self.client)
        except RedisError as error:
            self._lost(error)
            raise

    def close(self) -> None:
        """Give the connections back."""
        self._closing.set()
        self.client.close()

    def _lost(self, error: Exception) -> None:
        with self._lock:
            if self._down or self._closing.is_set():
                return
            self._down = True
        log.warning("Redis does not answer, and the database does its part until it is back: %s", error)
        threading.Thread(target=self._revive, name="soundforge-redis", daemon=True).start()

    def _revive(self) -> None:
        from redis import RedisError

        while not self._closing.wait(RETRY_SECONDS):
            try:
                self.client.ping()
            except RedisError:
                continue
            self._down = False
            log.info("Redis answers again.")
            return
