"""Owners share workers: real tasks of a real scheduler and real workers, with work that takes next to no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from sfwidgets.jobs import work, worker
from sfwidgets.jobs.cluster import HEAVY
from sfwidgets.jobs.service import send
from sfwidgets.library import Shared
from sfwidgets.models import Job
from sfwidgets.settings import Settings

SETTINGS = {"models_dir": None, "offline": True}
WORK_SECONDS = 0.02


class Begun:
    """The jobs that were begun, as they were."""

    def __init__(self) -> None:
        self.tracks: list[str] = []
        self._lock = threading.Lock()

    def work(self, attempt: Any) -> None:
        with self._lock:
            self.tracks.append(str(attempt.job.track_id))
        time.sleep(WORK_SECONDS)
        attempt.complete(lambda _connection: None)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    found = Begun()
    monkeypatch.setitem(work.KINDS, "processing", found.work)
    return found


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    opened = Shared(Settings(library=tmp_path / "library"))
    monkeypatch.setattr(worker, "_shared", lambda: opened)
    yield opened
    opened.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def ask_for_batch(client: Client, shared: Shared, owner: str, count: int) -> Job:
    given: dict[str, dict[str, Any]] = {f"{owner}-{number}": {} for number in range(count)}
    batch, parts = shared.jobs.submit_batch(owner, "processing", given, options={}, settings=SETTINGS)
    send(client, shared.jobs, parts)
    return batch


@pytest.mark.parametrize("workers", [1, 3])
def test_a_batch_starves_nobody(workers: int, shared: Shared, begun: Begun) -> None:
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, resources={HEAVY: 1}, dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        anns = ask_for_batch(client, shared, "ann", 150)
        until(lambda: len(begun.tracks) >= 10)
        cems = ask_for_batch(client, shared, "cem", 10)
        before = len(begun.tracks)
        bobs, _created = shared.jobs.submit("bob", "processing", "song", {}, settings=SETTINGS)
        send(client, shared.jobs, [bobs])
        until(lambda: all(job.done for job in shared.jobs.many([bobs.id, cems.id])))
        shared.jobs.cancel("ann", anns.id)
        until(lambda: shared.jobs.get("ann", anns.id).done)
    since = begun.tracks[before:]
    # What is sent while workers are busy starts with the second job of each of them, at most one of each other owner before.
    assert since.index("song") <= 4 * workers
    last = max(since.index(f"cem-{number}") for number in range(10))
    assert last <= 2 * 10 + 6 * workers, "they take turns"
    ann_meanwhile = sum(track.startswith("ann") for track in since[: last + 1])
    assert ann_meanwhile >= 5, "who came first goes on"
    if workers == 1:
        for owner in ("ann", "cem"):
            mine = [track for track in begun.tracks if track.startswith(owner)]
            assert mine == sorted(mine, key=lambda track: int(track.split("-")[1]))


def test_what_is_sent_again_keeps_its_turn(shared: Shared, begun: Begun) -> None:
    table = shared.jobs
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, resources={HEAVY: 1}, dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        first, _ = table.submit("ann", "processing", "lost", {}, settings=SETTINGS)
        batch = ask_for_batch(client, shared, "ann", 30)
        ask_for_batch(client, shared, "bob", 30)
        until(lambda: len(begun.tracks) >= 3)
        found = next(one for one in table.unfinished() if one.job.id == first.id)
        before = len(begun.tracks)
        send(client, table, [found.job])
        until(lambda: table.get("ann", first.id).done)
        assert begun.tracks.index("lost") <= before + 2
        for owner in ("ann", "bob"):
            for job in table.newest(owner, parts=False):
                table.cancel(owner, job.id)
        until(lambda: table.get("ann", batch.id).done)
