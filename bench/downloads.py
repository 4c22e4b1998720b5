"""How fast a playlist of 500 tracks goes through when a track takes 50 ms, and whether memory stays flat.

The ideal is 500 × 50 ms over 4 downloads at once: 6.25 s. The stand-in for spotDL is a process of its own, as spotDL is,
which sleeps for what is left of its 50 ms; everything else is the real path: the table, Dask, the check of the file, the
library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).parents[1] / "tests" / "jobs"))
from stand_in_spotdl import StandInSpotdl, songs

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from sfwidgets.jobs.cluster import DOWNLOAD, connect
from sfwidgets.models import SourceList, SourceTrack

SECONDS, AT_ONCE = 0.05, 4
LENGTH = 1.2
"""Of each recording, in seconds: as short as may be, since all of it is decoded to look at it."""
TRIES = 20
ROUNDS = 3


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "spotdl").mkdir()
        program = StandInSpotdl(root / "spotdl", duration=LENGTH, seconds=SECONDS - _alone(root), light=True)
        os.environ |= {
            "SOUNDFORGE_SPOTDL": str(program.path), "SOUNDFORGE_DOWNLOADS": str(AT_ONCE), "SOUNDFORGE_OFFLINE": "false",
        }  # fmt: skip
        with Workbench(root / "library") as wb:
            wb.download(_list("warm", 8)).wait(60)
            worker = _worker(wb)
            for number in range(ROUNDS):
                _round(wb, worker, f"round{number}song", count)
        stop_cluster(wb.settings)


def _round(wb: Workbench, worker: psutil.Process, prefix: str, count: int) -> None:
    before = worker.memory_info().rss
    began = time.perf_counter()
    batch = wb.download(_list(prefix, count))
    half = 0
    while not batch.value.done:
        time.sleep(0.05)
        if not half and batch.value.progress >= 50:
            half = worker.memory_info().rss
    took = time.perf_counter() - began
    after = worker.memory_info().rss
    assert batch.result == {"total": count, "completed": count, "failed": 0, "cancelled": 0}, batch.result
    ideal = count * SECONDS / AT_ONCE
    memory = " → ".join(f"{size / 2**20:.0f}" for size in (before, half, after))
    print(
        f"{count} tracks of {SECONDS * 1000:.0f} ms, {AT_ONCE} at once: {took:.2f} s, {ideal / took:.0%} of the ideal; "
        f"memory of the worker: {memory} MB",
        flush=True,
    )


def _alone(root: Path) -> float:
    """Return how long the stand-in takes by itself, seconds, when it does not sleep."""
    (root / "alone").mkdir()
    program = StandInSpotdl(root / "alone", duration=LENGTH, light=True)
    (root / "alone" / "song.spotdl").write_text(json.dumps(songs("alone")))
    argv = [program.path, "download", "song.spotdl", "--format", "opus", "--output", "audio.{output-ext}"]
    began = time.perf_counter()
    for _ in range(TRIES):
        subprocess.run(argv, cwd=root / "alone", check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) / TRIES


def _list(prefix: str, count: int) -> SourceList:
    names = [f"{prefix}{number}" for number in range(count)]
    tracks = tuple(SourceTrack.model_validate(song) for song in songs(*names, duration=LENGTH))
    return SourceList(type="playlist", id=prefix, name=prefix, tracks=tracks)


def _worker(wb: Workbench) -> psutil.Process:
    client = connect(wb.settings)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    address, *_ = [address for address, worker in workers.items() if DOWNLOAD in worker["resources"]]
    (pid,) = client.run(os.getpid, workers=[address]).values()
    client.close()
    return psutil.Process(pid)


if __name__ == "__main__":
    main()
