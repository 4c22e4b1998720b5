"""Two servers behind one library, with their events over Redis: a client of either sees all, whoever was asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from services.postgres import Postgres
from services.redis_server import RedisServer
from simple_song import write_song

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from tests.browser.servers import Server, start_serve
from tests.server import live_jobs
from tests.server.live_clients import Listener, listening
from tests.server.serving import ask

STEPS: list[tuple[float, str, Any]] = [
    (0.0, "create", None), (0.05, "claim", None), *((0.1 + n / 50, "stage", f"step {n}") for n in range(20)),
    (0.8, "complete", None),
]  # fmt: skip


@dataclass
class Scene:
    """Two servers, the Redis between them, and another process (this one) that works in the same library."""

    a: Server
    b: Server
    wb: Workbench
    redis: RedisServer

    def post(self, server: Server, path: str, document: dict[str, Any]) -> str:
        """Ask a server for a job; returns its id."""
        answer = ask(server.url + path, "POST", document, Authorization=f"token {server.token}")
        assert answer.status == 202, answer.body
        return str(answer.body["jobId"])

    def redis_is(self, state: str) -> bool:
        answer = ask(f"{self.a.url}health")
        services: dict[str, str] = answer.body["services"]
        return services["redis"] == state

    def subscriptions(self) -> int:
        """Return how many processes follow the events."""
        with redis.Redis.from_url(self.redis.url) as client:
            return sum(int(one["psub"]) for one in client.client_list(_type="pubsub"))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root: Path = tmp_path_factory.mktemp("servers")
    broker = RedisServer(root / "redis")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", broker.url)
        if request.param == "postgresql":
            postgres: Postgres = request.getfixturevalue("postgres")
            patch.setenv("DATABASE_URL", postgres.create())
        try:
            with Workbench(root / "library") as wb, ExitStack() as stack, ThreadPoolExecutor() as both:
                starting = [both.submit(stack.enter_context, start_serve(root / "library")) for _ in range(2)]
                a, b = (future.result() for future in starting)
                for seed, track in enumerate(("song", "other")):
                    wb.add(write_song(root / f"{track}.wav", 1, seed=seed), id=track)
                yield Scene(a, b, wb, broker)
        finally:
            stop_cluster(wb.settings)
            broker.kill()


async def ready(listener: Listener) -> None:
    """Return when a client is subscribed: it is answered in turn."""
    await listener.emit("unsubscribe:track", "!")
    await listener.until(lambda: listener.got)
    listener.got.clear()


def whole(listener: Listener, job: str) -> None:
    """Assert that a client was told all of a job, in order, each once."""
    told = listener.long(job)
    assert [data["seq"] for _, data in told] == list(range(1, len(told) + 1)), (listener.door, told)
    kinds = [name.rpartition(":")[2] for name, _ in told]
    assert kinds == ["created", *["updated"] * (len(told) - 2), "completed"]


def test_clients_of_one_server_see_all_of_a_job_that_the_other_was_asked_for(scene: Scene) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            near, far = scene.a, scene.b
            listeners = [
                await stack.enter_async_context(listening(server, door, "song", "other"))
                for server in (near, far)
                for door in ("plain", "websocket")
            ]
            for listener in listeners:
                await ready(listener)
            assert scene.subscriptions() >= 2
            jobs = [
                await asyncio.to_thread(scene.post, server, "api/analyze/analyze", {"trackId": track})
                for server, track in ((far, "song"), (near, "other"))
            ]
            for listener in listeners:
                await listener.ended(*jobs)
                for job in jobs:
                    whole(listener, job)
            stages = await asyncio.to_thread(live_jobs.start(scene.wb, [("song", "local", "analysis", STEPS)]).result)
            job = stages["song"][0][0]
            for listener in listeners:
                await listener.ended(job)
                whole(listener, job)
                assert listener.long(job) == listeners[0].long(job)

    asyncio.run(scenario())


def test_without_redis_work_goes_on_and_events_come_by_the_table_until_it_is_back(scene: Scene) -> None:
    async def scenario() -> None:
        async with listening(scene.a, "plain", "song") as near, listening(scene.b, "polling", "song") as far:
            await ready(near)
            await ready(far)
            scene.redis.kill()
            try:
                assert await asyncio.to_thread(scene.redis_is, "down")
                job = await asyncio.to_thread(scene.post, scene.b, "api/analyze/analyze", {"trackId": "song"})
                for listener in (near, far):
                    await listener.ended(job)
                    seqs = [data["seq"] for _, data in listener.long(job)]
                    assert seqs == sorted(set(seqs))
            finally:
                scene.redis.start()
            deadline = time.monotonic() + 30
            while scene.subscriptions() < 2:
                assert time.monotonic() < deadline, "nobody follows any more"
                await asyncio.sleep(0.05)
            assert await asyncio.to_thread(scene.redis_is, "up")
            whole_ones = [False, False]
            while not all(whole_ones):  # whoever publishes finds it a moment later
                assert time.monotonic() < deadline, "events don't come over Redis any more"
                future = live_jobs.start(scene.wb, [("song", "local", "analysis", [STEPS[0], STEPS[1], STEPS[-1]])])
                job = (await asyncio.to_thread(future.result))["song"][0][0]
                for listener in (near, far):
                    await listener.ended(job)
                whole_ones = [len(listener.long(job)) == 3 for listener in (near, far)]

    asyncio.run(scenario())


def test_a_server_that_is_killed_costs_its_clients_nothing_but_the_way_to_the_other(scene: Scene) -> None:
    async def scenario() -> None:
        async with listening(scene.b, "plain", "fallen") as before, listening(scene.a, "plain", "fallen") as other:
            await ready(before)
            await ready(other)
            steps = [*STEPS[:-1], (1.5, "progress", 0.9), (1.7, "complete", None)]
            future = live_jobs.start(scene.wb, [("fallen", "local", "processing", steps)])
            await before.until(lambda: len(before.long()) > 5)
            scene.b.process.kill()
            async with listening(scene.a, "websocket", "fallen") as after:
                job = (await asyncio.to_thread(future.result))["fallen"][0][0]
                await after.ended(job)
                await other.ended(job)
                whole(other, job)
                seqs = [data["seq"] for _, data in after.long(job)]
                assert seqs == list(range(seqs[0], seqs[-1] + 1))  # from the newest state on
                assert after.long(job)[-1] == other.long(job)[-1]
            async with listening(scene.a, "plain", "fallen") as late:
                await late.until(late.short)
                assert [name for name, _ in late.got] == ["processing:job:completed", "processing:completed"]

    asyncio.run(scenario())
