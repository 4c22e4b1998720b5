"""Events over a real Redis: they arrive, and a Redis that dies, hangs or is cut off holds up nobody."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr
from services.redis_server import RedisServer

from sfwidgets.jobs import events, redis_road
from sfwidgets.jobs.events import EventHub
from sfwidgets.jobs.redis_road import RedisRoad
from sfwidgets.library import RedisLink, Shared, redis_link
from sfwidgets.models import Job
from sfwidgets.settings import Settings


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_road, "PING_SECONDS", 0.1)
    monkeypatch.setattr(redis_road, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(redis_road, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(redis_link, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(events, "POLL_SECONDS", 0.2)


def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def a_job(seq: int = 1, job_id: str = "one", **values: Any) -> Job:
    found: dict[str, Any] = {
        "id": job_id, "owner": "local", "kind": "analysis", "track_id": "t", "status": "processing", "progress": 1,
        "seq": seq, "created_at": "2026-11-23T12:00:00Z", **values,
    }  # fmt: skip
    return Job.model_validate(found)


@dataclass
class End:
    """One process's end of the road."""

    url: str
    heard: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.link = RedisLink(SecretStr(self.url))
        self.road = RedisRoad(self.link)

    def listen(self) -> End:
        self.road.listen(self.heard.append)
        until(lambda: self.road.open)
        return self

    def publish(self, *jobs: Job) -> None:
        for job in jobs:
            self.road.publish(None, job)

    def close(self) -> None:
        self.road.close()
        self.link.close()


@pytest.fixture
def end(redis_server: RedisServer) -> Iterator[Callable[..., End]]:
    """Return what makes an end of a road over the test's Redis: end(), or end(url)."""
    ends: list[End] = []

    def make(url: str | None = None) -> End:
        ends.append(End(url or redis_server.url))
        return ends[-1]

    yield make
    for each in ends:
        each.close()


def test_every_event_arrives_in_order_and_any_program_can_follow(
    end: Callable[..., End], redis_server: RedisServer
) -> None:
    here, there = end().listen(), end().listen()
    with redis.Redis.from_url(redis_server.url) as client, client.pubsub() as program:
        program.psubscribe("*:job:*")
        until(lambda: program.get_message(timeout=0.1))
        first = a_job(1, owner="somebody", kind="processing", track_id=None, status="queued")
        ended = a_job(200, status="completed", result={"analysis": "é"}, completed_at="2026-11-23T12:01:00Z")
        told = [first, *(a_job(seq) for seq in range(2, 200)), ended]
        here.publish(*told)
        for listener in (here, there):
            until(lambda listener=listener: len(listener.heard) >= 200)
            assert listener.heard == told
        messages = [program.get_message(timeout=5) for _ in range(200)]
    names = [message["channel"].decode() for message in messages]
    assert (names[0], set(names[1:-1]), names[-1]) == (
        "processing:job:created", {"analysis:job:updated"}, "analysis:job:completed",
    )  # fmt: skip
    assert json.loads(messages[0]["data"])["job"]["owner"] == "somebody"


def test_another_installation_s_events_and_what_is_none_are_left_out(
    end: Callable[..., End], redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    here, elsewhere = end().listen(), end(redis_server.url.replace("/0", "/1")).listen()
    with redis.Redis.from_url(redis_server.url) as client:
        client.publish("a:job:updated", "[" * 200_000)
        for text in (b"\xff", "", "3", "[]", "{}", '{"job": {}}', '{"job": 1, "database": 0}', '{"database": "x"}'):
            client.publish("a:job:updated", text)
    elsewhere.publish(a_job(1, "theirs"))
    here.publish(a_job(1, "ours"))
    until(lambda: here.heard and elsewhere.heard)
    assert [job.id for job in here.heard] == ["ours"]
    assert not [line for line in caplog.messages if "don't arrive over Redis" in line], "it was no fault of Redis"
    assert [job.id for job in elsewhere.heard] == ["theirs"]


def test_a_redis_that_dies_and_comes_back_is_found_again(end: Callable[..., End], redis_server: RedisServer) -> None:
    here, there = end(), end().listen()
    here.publish(a_job(1))
    until(lambda: there.heard)
    redis_server.kill()
    here.publish(a_job(2))
    until(lambda: not there.road.open)
    redis_server.start()
    until(lambda: there.road.open)

    def heard() -> bool:
        here.publish(a_job(3))  # the publisher finds it a moment later
        return there.heard[-1].seq == 3

    until(heard)
    assert {job.seq for job in there.heard} == {1, 3}


def test_a_redis_that_hangs_holds_up_nobody(end: Callable[..., End], redis_server: RedisServer) -> None:
    here, there = end(), end().listen()
    here.publish(a_job(1))
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        publishing = [threading.Thread(target=here.publish, args=[a_job(n) for n in range(2, 502)]) for _ in range(8)]
        for thread in publishing:
            thread.start()
        for thread in publishing:
            thread.join()
        assert time.monotonic() - began < 10  # 4000 events: one moment's wait for those that are on their way
        until(lambda: not there.road.open)
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    until(lambda: there.road.open)
    until(lambda: (here.publish(a_job(600)), there.heard[-1].seq == 600)[1])


class Wire:
    """Connections to a Redis that can be cut without either side noticing: nothing more gets through."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def cut(self) -> None:
        """Let nothing through any more on the connections that there are; new ones work."""
        self._cut.set()
        self._cut = threading.Event()

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target, self._cut), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if cut.is_set():
                    return
                target.sendall(data)


def test_a_subscription_that_is_cut_silently_is_made_again(end: Callable[..., End], redis_server: RedisServer) -> None:
    with closing(Wire(redis_server.port)) as wire:
        here, there = end(), end(wire.url).listen()
        wire.cut()
        here.publish(a_job(1))
        until(lambda: not there.road.open)
        until(lambda: there.road.open)
        here.publish(a_job(2))
        until(lambda: there.heard)
        assert [job.seq for job in there.heard] == [2]


def test_without_redis_the_table_tells_the_watchers_of_jobs_and_of_tracks(
    end: Callable[..., End], redis_server: RedisServer, tmp_path: Path
) -> None:
    shared = Shared(Settings(library=tmp_path / "library"))
    worker, server = end(), end()
    hub = EventHub(shared.jobs, server.road, lambda: None)
    seen: dict[str, list[int]] = {"track": [], "job": []}
    hub.watch(("local", "t"), lambda event: seen["track"].append(event.seq))
    created, _ = shared.jobs.submit("local", "analysis", "t", {}, settings={})
    hub.watch(created.id, lambda event: seen["job"].append(event.seq))
    until(lambda: server.road.open)
    worker.publish(created)
    until(lambda: all(seen.values()))
    redis_server.kill()
    until(lambda: not server.road.open)
    claim = shared.jobs.claim(created.id, "somebody")
    assert claim is not None
    worker.publish(claim.job)
    until(lambda: all(told[-1] == 2 for told in seen.values()))
    redis_server.start()
    until(lambda: server.road.open)
    ended = shared.jobs.fail(claim.job, "Broken on purpose.", "broken")  # its publisher may not have found Redis again
    until(lambda: all(told[-1] == 3 for told in seen.values()))
    until(lambda: (worker.publish(ended), any(told[-1] == 3 for told in seen.values()))[1])
    assert seen == {"track": [1, 2, 3], "job": [1, 2, 3]}
    hub.close()
    shared.close()


@pytest.mark.soak
def test_a_thousand_events_a_second_for_a_minute(end: Callable[..., End]) -> None:
    """Nothing piles up, nothing is lost; prints how long events take from before they are published to their arrival."""
    import psutil

    here, there = end(), end()
    took: list[float] = []
    there.road.listen(lambda job: took.append(time.time() - float(job.stage)))
    until(lambda: there.road.open)
    process, sizes, count = psutil.Process(), [], 60_000
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / 1000 - time.monotonic()))
        here.publish(a_job(number + 1, stage=repr(time.time())))
        if number % 10_000 == 9_999:
            took_so_far = len(took)
            sizes.append(process.memory_info().rss)
            assert took_so_far > number - 1000
    until(lambda: len(took) == count)
    ordered = sorted(took)
    half, most = (ordered[int(count * share)] * 1e3 for share in (0.5, 0.99))
    used, memory = process.cpu_times().user, [round(size / 1e6, 1) for size in sizes]
    print(
        f"\n{count} events in {time.monotonic() - began:.1f} s, from before publishing to arrival {half:.2f} ms (median), "
        f"{most:.2f} ms (99 %); CPU of both ends {used:.1f} s; memory {memory} MB"
    )
    assert sizes[-1] - sizes[1] < 10e6
