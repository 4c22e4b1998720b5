"""Watching a track: every event of every job of it, in order, each once, whoever asked for the job."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError
from sfwidgets.jobs import events as hub_module
from sfwidgets.jobs.events import EventHub
from sfwidgets.jobs.road import DaskRoad, pack
from sfwidgets.library import JobTable, Shared
from sfwidgets.models import Event, Job
from sfwidgets.settings import Settings

Song = Callable[..., Path]


def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_tracks_watcher_sees_all_of_its_jobs_whoever_asks_and_no_others(shared_wb: Workbench, song: Song) -> None:
    library = shared_wb.settings.library
    seen: list[Event] = []
    with Workbench(library) as asking, Workbench(library, owner="other") as other:
        asking.analyze(asking.add(song(1, seed=200))).wait(60)  # there is a cluster
        unwatch = shared_wb.watch_track("watched", seen.append)
        path = song(8, seed=201)
        for owned in (asking, other):
            owned.add(path, id="watched")
            owned.add(path, id="not-watched")
        mine = [asking.separate("watched", "embedded", analyze=True), shared_wb.analyze("watched")]
        theirs = [asking.analyze("not-watched"), other.analyze("watched")]
        for job in (*mine, *theirs):
            job.wait(60)
        (following,) = [job for job in asking.jobs("watched", kind="analysis") if job.id != mine[1].id]
        following.wait(60)
        jobs = {job.id for job in [*mine, following]}
        until(lambda: {event.job.id for event in seen if event.job.done} == jobs)
        assert {job.id for job in shared_wb.recent_jobs("watched")} == jobs
        assert {job.id for job in other.recent_jobs("watched")} == {theirs[1].id}
        unwatch()
        told = len(seen)
        asking.separate("watched", "embedded").wait(60)
        assert len(seen) == told
    by_job: dict[str, list[int]] = defaultdict(list)
    for event in seen:
        by_job[event.job.id].append(event.seq)
    assert set(by_job) == jobs
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in by_job.values()), by_job


def test_what_is_no_track_id_can_not_be_watched(shared_wb: Workbench) -> None:
    with pytest.raises(InvalidInputError):
        shared_wb.watch_track("../etc", print)


def test_a_job_that_ended_long_ago_is_not_recent(
    shared_wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = shared_wb.add(song(1, seed=202))
    job = shared_wb.separate(track, "embedded").wait(60)
    assert [recent.id for recent in shared_wb.recent_jobs(track.id)] == [job.id]
    monkeypatch.setattr("sfwidgets.library.jobs.RECENT_SECONDS", 0.0)
    assert shared_wb.recent_jobs(track.id) == []


class _Table:
    """The real table; `reads` counts how often the hub has read it."""

    def __init__(self, table: JobTable) -> None:
        self._table = table
        self.reads = 0

    def many(self, ids: list[str]) -> list[Job]:
        return self._table.many(ids)

    def recent(self, owner: str, tracks: list[str]) -> list[Job]:
        found = self._table.recent(owner, tracks)
        self.reads += 1
        return found


class _Client:
    """A cluster's client, as far as the road over it looks: events arrive when a test brings them."""

    status = "running"

    def subscribe_topic(self, _topic: str, handler: Callable[[tuple[float, dict[str, Any]]], None]) -> None:
        self._handler = handler

    def bring(self, *jobs: Job) -> None:
        for job in jobs:
            self._handler((time.time(), pack(job)))


def test_the_table_tells_only_what_the_road_does_not_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.2)
    shared = Shared(Settings(library=tmp_path / "library"))
    table, client, road = _Table(shared.jobs), _Client(), DaskRoad()
    hub = EventHub(table, road, lambda: None)  # type: ignore[arg-type]
    road.join(client)  # type: ignore[arg-type]
    seen: list[int] = []
    all_seen = threading.Event()

    def watcher(event: Event) -> None:
        seen.append(event.seq)
        if event.job.done:
            all_seen.set()

    def reads(count: int) -> None:
        target = table.reads + count
        until(lambda: table.reads >= target)

    watch = hub.watch(("local", "t"), watcher)
    created, _ = shared.jobs.submit("local", "analysis", "t", {}, settings={})
    client.bring(created)
    claim = shared.jobs.claim(created.id, "somebody")
    assert claim is not None
    half = shared.jobs.progress(claim.job, 50, "half")
    reads(1)  # the table has told of seq 3, and 2 and 3 are still on their way
    client.bring(claim.job, half)
    most = shared.jobs.progress(claim.job, 90, "most")
    reads(1)
    client.bring(most)
    until(lambda: len(seen) == 4)
    assert seen == [1, 2, 3, 4]
    shared.jobs.fail(claim.job, "Lost on the road.", "lost")
    assert all_seen.wait(5), "what the road lost was never told"
    client.bring(half, most)
    reads(2)
    assert seen == [1, 2, 3, 4, 5]
    assert watch.known
    monkeypatch.setattr("sfwidgets.library.jobs.RECENT_SECONDS", 0.0)
    reads(1)
    until(lambda: not watch.known)  # what ended long ago takes no room
    hub.close()
    shared.close()


def test_what_nobody_watches_piles_up_nowhere(tmp_path: Path) -> None:
    shared = Shared(Settings(library=tmp_path / "library"))
    client, road = _Client(), DaskRoad()
    hub = EventHub(shared.jobs, road, lambda: None)
    road.join(client)  # type: ignore[arg-type]
    created, _ = shared.jobs.submit("local", "analysis", "t", {}, settings={})
    client.bring(created)
    hub.tell(created)
    assert hub._inbox.empty()
    shared.close()
