"""When events go out, to whom, and how often: the one source behind both doors, on a real library and cluster."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from server_ext.live import Live, connection
from server_ext.live.connection import Connection
from server_ext.live.frames import Frame
from sfwidgets import Workbench
from sfwidgets.jobs.events import Watch
from sfwidgets.models import Job
from tests.server import live_jobs

Song = Callable[..., Path]


class _Opened:
    """What opens the library, where that is open already."""

    def __init__(self, wb: Workbench) -> None:
        self._wb = wb

    async def workbench(self, owner: str) -> Workbench:
        return self._wb.of(owner)


class _Client(Connection):
    """A client whose side of the connection is this list."""

    def __init__(self, live: Live, owner: str = "local") -> None:
        super().__init__(owner, "websocket")
        self.got: list[tuple[float, str, dict[str, Any]]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.aborted = False
        self._live = live
        live.enter(self)

    async def write(self, frames: list[Frame]) -> None:
        await self.reads.wait()
        self.got += [(time.monotonic(), frame.name, frame.data) for frame in frames]

    def abort(self) -> None:
        self.aborted = True
        self._live.leave(self)

    async def subscribe(self, id: str, kind: str = "track") -> None:
        await self._live.obey(self, f"subscribe:{kind}", id)

    async def unsubscribe(self, id: str) -> None:
        await self._live.obey(self, "unsubscribe:track", id)

    @property
    def names(self) -> list[str]:
        return [name for _, name, _ in self.got]

    async def until(self, name: str, count: int = 1) -> float:
        """Wait for an event of that name; returns when it came."""
        async with asyncio.timeout(30):
            while self.names.count(name) < count:
                await asyncio.sleep(0.01)
        return [at for at, found, _ in self.got if found == name][-1]


@pytest.fixture
def live(shared_wb: Workbench) -> Live:
    return Live(_Opened(shared_wb))  # type: ignore[arg-type]


def test_events_wait_for_the_202_and_the_last_one_half_a_second_longer(
    shared_wb: Workbench, live: Live, song: Song
) -> None:
    track = shared_wb.add(song(1, seed=300))
    shared_wb.analyze(track).wait(60)  # a second analysis has nothing left to do

    async def scenario() -> None:
        before, other = _Client(live), _Client(live)
        await before.subscribe(track.id)
        await before.until("analysis:completed")
        before.got.clear()
        with live.hold("local", track.id) as hold:
            job = await asyncio.to_thread(shared_wb.analyze, track)
            await asyncio.to_thread(job.wait, 60)
            during = _Client(live)
            await during.subscribe(track.id)
            await asyncio.sleep(0.3)
            assert before.got == []
            assert {data.get("id", data.get("jobId")) for _, _, data in during.got}.isdisjoint({job.id})
            hold.accepted(job.id)
            written = time.monotonic()
        await before.until("analysis:job:created")
        assert "analysis:job:completed" not in before.names
        await other.subscribe(track.id)
        for client in (before, during, other):
            last = [await client.until(name) for name in ("analysis:job:completed", "analysis:completed")]
            ends = [at for at, name, data in client.got if data.get("id") == job.id and name.endswith("completed")]
            assert len(ends) == 1
            assert 0.5 <= ends[0] - written < 1.0, client.got
            assert last[1] >= last[0]
        assert before.names[0] == "analysis:job:created"
        await live.close()

    asyncio.run(scenario())


def test_a_request_that_fails_lets_the_events_go(shared_wb: Workbench, live: Live, song: Song) -> None:
    track = shared_wb.add(song(1, seed=301))

    async def scenario() -> None:
        client = _Client(live)
        await client.subscribe(track.id)
        with pytest.raises(ZeroDivisionError), live.hold("local", track.id):
            await asyncio.to_thread(shared_wb.analyze(track).wait, 60)
            assert client.got == []
            raise ZeroDivisionError
        await client.until("analysis:completed")
        await live.close()

    asyncio.run(scenario())


def test_short_updates_come_once_a_second_and_the_newest_is_not_lost(shared_wb: Workbench, live: Live) -> None:
    steps = [
        (0.0, "create", None), (0.1, "claim", None),
        *((0.2 + 0.15 * n, "stage", f"step {n}") for n in range(3)),  # nothing new in per cent
        (1.6, "progress", 0.10), (1.9, "progress", 0.2), (1.95, "stage", "a"), (2.1, "progress", 0.25), (2.15, "stage", "b"),
        (3.8, "progress", 0.3), (5.0, "complete", None),
    ]  # fmt: skip

    async def scenario() -> None:
        client = _Client(live)
        await client.subscribe("updated")
        future = await asyncio.to_thread(live_jobs.start, shared_wb, [("updated", "local", "processing", steps)])
        await client.until("processing:completed")
        told = (await asyncio.to_thread(future.result))["updated"]
        longs = [(data["id"], data["seq"]) for _, name, data in client.got if ":job:" in name]
        assert longs == list(dict.fromkeys((job, seq) for job, seq, _, _ in told))
        shorts = [(at, name, data) for at, name, data in client.got if ":job:" not in name]
        assert [name for _, name, _ in shorts][:2] == ["processing:started", "processing:update"]
        updates = [(at, data["progress"]) for at, name, data in shorts if name == "processing:update"]
        assert [progress for _, progress in updates] == [10, 25, 30]
        assert all(later[0] - earlier[0] >= 0.95 for earlier, later in pairwise(updates))
        assert shorts[-1][2] == {"trackId": "updated", "jobId": longs[0][0], "status": "completed", "progress": 100}
        await live.close()

    asyncio.run(scenario())


async def _told(client: _Client, count: int) -> None:
    """Wait until a client was told of so many events, and a moment longer, in which one too many would come."""
    async with asyncio.timeout(20):
        while len(client.names) < count:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)


def _watches(wb: Workbench) -> set[Watch]:
    return {watch for watches in wb._jobs._hub._watches.values() for watch in watches}


def test_who_comes_late_is_told_how_things_stand_once(shared_wb: Workbench, live: Live) -> None:
    failing = [(0.0, "create", None), (0.02, "claim", None), (0.04, "fail", "Broken on purpose.")]
    running = [(0.0, "create", None), (0.02, "claim", None), (0.1, "progress", 0.4), (6.0, "complete", None)]
    plan = [("late", "local", "analysis", failing), ("late", "local", "processing", running)]
    others = _watches(shared_wb)  # views of other tests, which may still be there

    async def scenario() -> None:
        future = await asyncio.to_thread(live_jobs.start, shared_wb, plan)
        early = _Client(live)
        await early.subscribe("late")
        await early.until("analysis:error")
        async with asyncio.timeout(20):
            while not any(data.get("progress") == 40 for _, _, data in early.got):
                await asyncio.sleep(0.02)
        client = _Client(live)
        for _ in range(2):  # the second time changes nothing
            await client.subscribe("late")
            await _told(client, 4)
        first = sorted(client.names)
        assert first == ["analysis:error", "analysis:job:error", "processing:job:updated", "processing:update"]
        (update,) = [data for _, name, data in client.got if name == "processing:update"]
        assert (update["status"], update["progress"]) == ("processing", 40)
        (error,) = [data for _, name, data in client.got if name == "analysis:error"]
        assert error["error"] == "Broken on purpose."
        await client.unsubscribe("late")
        await client.subscribe("late")
        await _told(client, 8)
        assert sorted(client.names) == sorted(first * 2)
        await early.until("processing:completed")
        told = (await asyncio.to_thread(future.result))["late"]
        for listener in (early, client):
            await listener.until("processing:job:completed")
            assert listener.names.count("processing:job:completed") == 1
        await client.unsubscribe("late")
        again = _Client(live)
        await again.subscribe("late")
        await again.until("processing:completed")
        assert sorted(set(again.names)) == sorted(again.names)
        assert len({job for job, *_ in told}) == 2
        one = _Client(live)
        await one.subscribe(told[0][0], "job")
        await one.until("analysis:error")
        assert one.names == ["analysis:job:error", "analysis:error"]
        await live.close()
        assert _watches(shared_wb) <= others

    asyncio.run(scenario())


def test_a_download_that_is_paused_is_queued_again_and_says_until_when(shared_wb: Workbench, live: Live) -> None:
    steps = [(0.0, "create", None), (0.05, "claim", None), (0.1, "progress", 0.3), (0.3, "pause", 600)]

    async def scenario() -> None:
        client, late = _Client(live), _Client(live)
        await client.subscribe("paused")
        future = await asyncio.to_thread(live_jobs.start, shared_wb, [("paused", "local", "download", steps)])
        async with asyncio.timeout(30):
            while "queued" not in [data["status"] for _, _, data in client.got][1:]:
                await asyncio.sleep(0.01)
        await late.subscribe("paused")
        ((job, *_), *_) = (await asyncio.to_thread(future.result))["paused"]
        await asyncio.to_thread(shared_wb.job(job).cancel)
        await late.until("download:job:cancelled")
        await client.until("download:job:cancelled")
        assert [(name, data["status"]) for _, name, data in client.got if data["progress"] != 30] == [
            ("download:job:created", "queued"), ("download:job:updated", "processing"),
            ("download:job:updated", "queued"), ("download:job:cancelled", "cancelled"),
        ]  # fmt: skip
        seqs = [data["seq"] for _, _, data in client.got]
        assert seqs == sorted(set(seqs))
        assert late.names == ["download:job:updated", "download:job:cancelled"]
        (paused,) = [data for _, _, data in client.got if data["status"] == "queued" and data["seq"] > 1]
        assert late.got[0][2] == paused
        left = datetime.fromisoformat(paused["notBefore"]) - datetime.now(UTC)
        assert 500 < left.total_seconds() <= 600
        await live.close()

    asyncio.run(scenario())


def test_a_batch_is_followed_by_its_id(shared_wb: Workbench, live: Live) -> None:
    jobs, table = shared_wb._jobs, shared_wb._jobs.table
    batch, parts = table.submit_batch(
        "local", "download", {"part-1": {}, "part-2": {}}, options={"name": "Parts"}, settings={}
    )
    first, second = [claim.job for part in parts if (claim := table.claim(part.id, f"elsewhere 1 1.0 {part.id}"))]
    assert table.begin_batch(batch.id)

    def complete(job: Job) -> Job:
        with shared_wb._shared.database.write() as connection:
            return table.complete(connection, job, output_path=None, result={})

    async def scenario() -> None:
        client = _Client(live)
        await client.subscribe(batch.id, "job")
        for end in (lambda: table.fail(first, "Nothing was found.", "no_match"), lambda: complete(second)):
            for changed in (end(), table.settle(batch.id)):  # as a worker does
                assert changed is not None
                jobs._hub.tell(changed)
        await client.until("batch:job:completed")
        assert {name for _, name, _ in client.got} == {"batch:job:updated", "batch:job:completed"}
        documents = [data for _, _, data in client.got]
        assert [data["progress"] for data in documents] == [0, 50, 100]
        assert {(data["id"], data["trackId"], data["options"]["name"]) for data in documents} == {
            (batch.id, None, "Parts")
        }
        assert documents[-1]["result"] == {"total": 2, "completed": 1, "failed": 1, "cancelled": 0}
        await live.close()

    asyncio.run(scenario())


def test_another_owner_sees_nothing_and_can_not_ask(shared_wb: Workbench, live: Live, song: Song) -> None:
    track = shared_wb.add(song(1, seed=302))

    async def scenario() -> None:
        with Workbench(shared_wb.settings.library, owner="other") as theirs:
            stranger = _Client(Live(_Opened(theirs)), "other")  # type: ignore[arg-type]
            await stranger.subscribe(track.id)
            job = await asyncio.to_thread(shared_wb.analyze(track).wait, 60)
            await stranger.subscribe(job.id, "job")
            await stranger.until("error")
            await asyncio.sleep(2.5)  # a poll later
            assert [(name, data.get("code")) for _, name, data in stranger.got] == [("error", "job_not_found")]
            await stranger._live.close()

    asyncio.run(scenario())


def test_who_does_not_read_is_dropped_and_delays_nobody(
    shared_wb: Workbench, live: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "MOST_FRAMES", 5)
    caplog.set_level(logging.INFO, "server_ext.live")
    steps = [
        (0.0, "create", None), (0.05, "claim", None), *((0.1 + 0.1 * n, "stage", f"step {n}") for n in range(12)),
        (1.5, "complete", None),
    ]  # fmt: skip

    async def scenario() -> None:
        stuck, full, good = _Client(live), _Client(live), _Client(live)
        stuck.reads.clear()
        for client in (stuck, good):
            await client.subscribe("slow")
        future = await asyncio.to_thread(live_jobs.start, shared_wb, [("slow", "local", "analysis", steps)])
        await good.until("analysis:completed")
        assert stuck.aborted
        assert not stuck.got
        told = (await asyncio.to_thread(future.result))["slow"]
        assert [data["seq"] for _, name, data in good.got if ":job:" in name] == [seq for _, seq, _, _ in told]
        full.reads.clear()
        for _ in range(8):
            await live.obey(full, "nonsense", None)
        assert full.aborted
        await live.close()

    asyncio.run(scenario())
    assert len([record for record in caplog.records if "dropped" in record.getMessage()]) == 2
