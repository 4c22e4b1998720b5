"""Nothing that dies takes finished work, or a job, with it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

from sfwidgets import Workbench
from sfwidgets.errors import JobFailedError
from sfwidgets.jobs.cluster import HEAVY, address_file
from sfwidgets.library import Shared

Song = Callable[..., Path]

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import the tests


def heavy_worker(wb: Workbench) -> int:
    """Return the process of the worker that separates, as soon as there is one."""
    client, found = wb._jobs.client(), []
    until(lambda: found.extend(_heavy(client)) or found)
    return int(client.run(os.getpid, workers=found)[found[0]])


def _heavy(client: Any) -> list[str]:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return [address for address, worker in workers.items() if HEAVY in worker["resources"]]


def daemon(wb: Workbench) -> int:
    import json

    return int(json.loads(address_file(wb.settings).read_text())["pid"])


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def check_whole(wb: Workbench, track: str) -> None:
    """Assert that a track has exactly one set of stems, that it is whole, and that nothing else lies about."""
    (stem_set,) = wb.stem_sets(track)
    assert len(stem_set.stems) == 4
    assert all(wb.path(s).stat().st_size == s.size for s in stem_set.stems)
    Shared(wb.settings).sweep()
    assert list((wb.settings.library / "tmp").iterdir()) == []
    folders = list((wb.settings.library / "stems").glob("*/*/*/*"))
    assert [f.name for f in folders] == [stem_set.id]


@pytest.fixture
def warm(wb: Workbench, song: Song) -> Iterator[Workbench]:
    wb.separate(wb.add(song(1, seed=99, name="warm.wav")), "embedded").wait(60)
    wb.delete(wb.tracks()[0])
    yield wb


def test_a_killed_worker_is_replaced_and_the_job_completes(warm: Workbench, song: Song) -> None:
    track = warm.add(song(60))
    job = warm.separate(track, "embedded")
    until(lambda: job.progress >= 10)
    os.kill(heavy_worker(warm), signal.SIGKILL)
    job.wait(120)
    assert job.value.attempt == 2
    check_whole(warm, track.id)


def test_a_worker_that_is_killed_every_time_ends_the_job_in_error(warm: Workbench, song: Song) -> None:
    track = warm.add(song(120))
    job = warm.separate(track, "embedded")
    for attempt in (1, 2, 3):
        until(lambda attempt=attempt: job.value.attempt == attempt and job.progress >= 1)
        os.kill(heavy_worker(warm), signal.SIGKILL)
    with pytest.raises(JobFailedError, match="3 attempts") as caught:
        job.wait(60)
    assert caught.value.code == "worker_died"
    Shared(warm.settings).sweep()
    assert list((warm.settings.library / "tmp").iterdir()) == []
    assert warm.stem_sets(track) == []


def test_the_job_goes_on_when_the_process_that_asked_is_killed(wb: Workbench, song: Song) -> None:
    program = (
        "import os, signal, sys; from sfwidgets import Workbench; wb = Workbench(sys.argv[1]);"
        "print(wb.separate(wb.add(sys.argv[2]), 'embedded').id, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    asked = subprocess.run(
        [sys.executable, "-c", program, str(wb.settings.library), str(song(30))],
        stdout=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    assert asked.returncode == -signal.SIGKILL
    job = wb.job(asked.stdout.strip()).wait(120)
    check_whole(wb, str(job.value.track_id))


def test_the_next_process_that_opens_the_library_finishes_what_a_killed_cluster_left(
    warm: Workbench, song: Song
) -> None:
    track = warm.add(song(60))
    job = warm.separate(track, "embedded")
    until(lambda: job.progress >= 10)
    family = psutil.Process(daemon(warm)).children(recursive=True)
    os.kill(daemon(warm), signal.SIGKILL)
    until(lambda: all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in family), 5)
    warm.close()
    with Workbench(warm.settings.library) as again:
        again.job(job.id).wait(120)
        check_whole(again, track.id)


def test_two_processes_that_open_a_library_at_once_share_one_cluster(tmp_path: Path, wb: Workbench, song: Song) -> None:
    program = (
        "import sys; from sfwidgets import Workbench; wb = Workbench(sys.argv[1]);"
        "print(wb.separate(wb.add(sys.argv[2]), 'embedded').wait(100).status)"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(wb.settings.library), str(song(5, seed=n, name=f"{n}.wav"))],
            stdout=subprocess.PIPE, text=True,
        )
        for n in range(2)
    ]  # fmt: skip
    assert [p.communicate(timeout=120)[0].strip() for p in both] == ["completed", "completed"]
    assert (wb.settings.library / "run" / "cluster.log").read_text().count("The cluster is up") == 1


def kill_at(point: str) -> None:
    """Run on a worker: make its process die at a point of the next job's end, the first time it gets there."""
    import os
    import signal

    from sfwidgets.jobs import worker
    from sfwidgets.library.jobs import JobTable
    from sfwidgets.library.store import ArtifactStore

    def die_around(owner: Any, name: str, *, after: bool, when: Callable[..., bool] = lambda *_a: True) -> None:
        real = getattr(owner, name)

        def dying(*args: Any, **kwargs: Any) -> Any:
            if not when(*args):
                return real(*args, **kwargs)
            if after:
                real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, dying)

    stems = lambda _self, _temporary, name: "stems" in name.parts
    {
        "before the rename": lambda: die_around(ArtifactStore, "publish", after=False, when=stems),
        "after the rename": lambda: die_around(ArtifactStore, "publish", after=True, when=stems),
        "during the commit": lambda: die_around(JobTable, "complete", after=True),
        "before the event": lambda: die_around(worker, "_tell", after=False, when=lambda job: job.done),
    }[point]()


@pytest.mark.parametrize("point", ["before the rename", "after the rename", "during the commit", "before the event"])
def test_a_kill_at_a_chosen_point_loses_and_doubles_nothing(warm: Workbench, song: Song, point: str) -> None:
    track = warm.add(song(5))
    client = warm._jobs.client()
    client.run(kill_at, point, workers=_heavy(client))
    job = warm.separate(track, "embedded").wait(120)
    assert job.value.attempt == (1 if point == "before the event" else 2)
    check_whole(warm, track.id)


def kill_at_random(warm: Workbench, song: Song, rounds: int, seed: int) -> None:
    dice, attempts = random.Random(seed), []
    for number in range(rounds):
        track = warm.add(song(60, seed=1000 * seed + number, name=f"{number}.wav"))
        job = warm.separate(track, "embedded")
        time.sleep(dice.uniform(0.0, 3.5))
        victim = dice.choice(["worker", "worker", "cluster"])
        os.kill(heavy_worker(warm) if victim == "worker" else daemon(warm), signal.SIGKILL)
        job.wait(120)
        attempts.append(job.value.attempt)
        check_whole(warm, track.id)
        warm.delete(track)
    assert max(attempts) > 1, "no kill ever hit a job"


def test_kills_at_random_moments(warm: Workbench, song: Song) -> None:
    kill_at_random(warm, song, 5, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_thirty_kills_at_random_moments(warm: Workbench, song: Song) -> None:
    kill_at_random(warm, song, 30, seed=2)
