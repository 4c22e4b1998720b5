"""Events over Redis, so that several servers, and any other program that may, can follow.

Each is published on the channel of its name (`processing:job:updated`; `PSUBSCRIBE *:job:*` gets all) as JSON:
`{"job": …, "database": n}`. The job is told whole, its owner included, of all owners: whoever may connect to this Redis is
trusted with that. Channels know nothing of Redis' numbered databases, so that each event names the one it belongs to: one
Redis database serves one installation.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from sfwidgets.jobs.events import event_of
from sfwidgets.jobs.road import OnJob, hand_over, pack
from sfwidgets.library import RedisLink
from sfwidgets.library.redis_link import PATIENCE
from sfwidgets.models import Job

if TYPE_CHECKING:
    from distributed import Client
    from redis.client import PubSub

log = logging.getLogger(__name__)

PATTERN = "*:job:*"
PING_SECONDS = 1.0
"""How long nothing may happen before Redis is asked whether it is still there."""
SILENCE_SECONDS = 3.0
"""How long after that nothing may be heard before the connection counts as lost."""
RETRY_SECONDS = 1.0
"""How long a subscription that was lost waits before it is made again."""


class RedisRoad:
    """Redis channels. A job is published before `publish` returns, so that whoever is then told of it publishes later."""

    over_cluster = False

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._heard = float("-inf")
        self._listener: threading.Thread | None = None
        self._tried = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether there is a subscription, and Redis was heard of just now."""
        return time.monotonic() - self._heard < SILENCE_SECONDS

    def join(self, client: Client) -> None:
        """Do nothing: this road does not lead over the cluster."""

    def listen(self, on_job: OnJob) -> None:
        """Call `on_job`, from a thread of the road's own, with the job of every event from now on; once a road.

        Returns when the subscription stands, or after a moment where Redis does not answer.
        """
        with self._lock:
            if self._listener is None:
                self._listener = threading.Thread(
                    target=self._listen, args=(on_job,), name="soundforge-redis-events", daemon=True
                )
                self._listener.start()
        self._tried.wait(PATIENCE)

    def publish(self, member: Any, job: Job) -> None:
        """Tell all who listen. Where Redis does not answer within a moment, the table tells them."""
        from redis import RedisError

        del member
        text = json.dumps({**pack(job), "database": self._link.database}, separators=(",", ":"))
        try:
            self._link.ask(lambda redis: redis.publish(event_of(job).name, text))
        except RedisError as error:
            log.debug("An event of job %s was not published: %s", job.id, error)

    def close(self) -> None:
        """Listen no more."""
        self._closing.set()

    def _listen(self, on_job: OnJob) -> None:
        told = False
        while not self._closing.is_set():
            try:
                with self._link.client.pubsub() as subscription:  # type: ignore[no-untyped-call]
                    subscription.psubscribe(PATTERN)
                    self._follow(subscription, on_job)
            except Exception as error:
                self._tried.set()
                if self._closing.is_set():
                    return
                if not told or self._heard > float("-inf"):
                    log.warning("Events don't arrive over Redis; the table of jobs tells them meanwhile: %r", error)
                told, self._heard = True, float("-inf")
                self._closing.wait(RETRY_SECONDS)

    def _follow(self, subscription: PubSub, on_job: OnJob) -> None:
        """Hand over what arrives, until the road is closed; raises `TimeoutError` where nothing is heard any more."""
        heard = time.monotonic()
        while not self._closing.is_set():
            message = subscription.get_message(timeout=PING_SECONDS)
            if message is None:
                if time.monotonic() - heard > SILENCE_SECONDS:
                    raise TimeoutError("Redis is silent.")
                subscription.ping()
                continue
            self._heard = heard = time.monotonic()
            if message["type"] == "pmessage":
                self._hand_over(message["data"], on_job)
            elif message["type"] == "psubscribe":
                log.info("Events arrive over Redis.")
                self._tried.set()

    def _hand_over(self, data: bytes, on_job: OnJob) -> None:
        try:
            packed = json.loads(data)
        except (ValueError, RecursionError):
            packed = None
        if not isinstance(packed, dict) or packed.get("database", self._link.database) == self._link.database:
            hand_over(packed, on_job)
