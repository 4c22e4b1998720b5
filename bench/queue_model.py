"""A model of the queue: what jobs cost, which of them may run side by side, and how they share the cores.

    python bench/queue_model.py            what a service needs, by the costs that are written here: docs/scale.md
    python bench/queue_model.py check      measures the costs here, foretells a run of many songs, makes it, and compares

The model is a simulation of events. A job waits for a place of its kind (places are given in the order of asking, owners
taking turns), then waits for others' services for so long, then takes so many core-seconds. Jobs that run share the cores
evenly, but none uses more than it has threads for (processor sharing). One seed, one answer.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import soundfile

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from sfwidgets.jobs.cluster import HEAVY, LIGHT, connect

DAY = 86_400.0
PEAK = 3.0
"""How much busier the busiest hour of a day is than the mean of the day."""


@dataclass(frozen=True)
class Cost:
    """What one job takes: seconds of waiting for others, core-seconds, and how many cores it can use."""

    core_seconds: float
    threads: float = 1.0
    waiting: float = 0.0


@dataclass(frozen=True)
class Machine:
    """Cores, and how many jobs of each kind run on them at once."""

    cores: float
    places: dict[str, int]


@dataclass
class Asked:
    """A job: who asks for it when, and what shall follow it."""

    owner: str
    kind: str
    at: float
    then: list[str] = field(default_factory=list)
    first_at: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    left: float = 0.0
    """Core-seconds, once it runs."""


def simulate(machine: Machine, costs: dict[str, Cost], asked: list[Asked]) -> list[Asked]:
    """Return all jobs that are done, also those that followed, with the moments at which they began and ended."""
    for job in asked:
        job.first_at = job.at
    coming = [(job.at, number, job) for number, job in enumerate(asked)]
    heapq.heapify(coming)
    number, now = len(asked), 0.0
    queues: dict[str, dict[str, list[Asked]]] = defaultdict(dict)
    busy: dict[str, int] = defaultdict(int)
    waiting: list[tuple[float, int, Asked]] = []
    running: list[Asked] = []
    done: list[Asked] = []
    while coming or waiting or running:
        speeds = _shares(machine.cores, [costs[job.kind].threads for job in running])
        ends = [job.left / speed for job, speed in zip(running, speeds, strict=True)]
        step = min(
            [*ends, *(entry[0] - now for entry in coming[:1]), *(entry[0] - now for entry in waiting[:1])],
        )
        now += step
        for job, speed in zip(running, speeds, strict=True):
            job.left -= step * speed
        ended = [job for job, end in zip(running, ends, strict=True) if end <= step + 1e-12]
        running = [job for job, end in zip(running, ends, strict=True) if end > step + 1e-12]
        for job in ended:
            job.ended = now
            busy[job.kind] -= 1
            done.append(job)
            if job.then:
                number += 1
                follows = Asked(job.owner, job.then[0], now, job.then[1:], job.first_at)
                heapq.heappush(coming, (now, number, follows))
        while coming and coming[0][0] <= now:
            job = heapq.heappop(coming)[2]
            queues[job.kind].setdefault(job.owner, []).append(job)
        while waiting and waiting[0][0] <= now:
            running.append(heapq.heappop(waiting)[2])
        for kind, owners in queues.items():
            while owners and busy[kind] < machine.places.get(kind, 0):
                owner = next(iter(owners))
                jobs = owners.pop(owner)
                job = jobs.pop(0)
                if jobs:
                    owners[owner] = jobs  # to the end: owners take turns
                busy[kind] += 1
                job.began, job.left = now, costs[kind].core_seconds
                number += 1
                heapq.heappush(waiting, (now + costs[kind].waiting, number, job))
    return done


def _shares(cores: float, threads: list[float]) -> list[float]:
    """Return how many cores each job has: as many as it can use, or an even share."""
    shares = dict.fromkeys(range(len(threads)), 0.0)
    left = cores
    for place, number in enumerate(sorted(shares, key=lambda index: threads[index])):
        shares[number] = min(threads[number], left / (len(threads) - place))
        left -= shares[number]
    return [max(share, 1e-9) for share in shares.values()]


def many_users(songs_a_day: float, hours: float, seed: int) -> list[Asked]:
    """Return what users ask for in the busiest hours of a day: songs to download, separate and analyse."""
    draw = random.Random(seed)
    rate, now, asked = songs_a_day * PEAK / DAY, 0.0, []
    while (now := now + draw.expovariate(rate)) < hours * 3600:
        asked.append(Asked(f"user-{draw.randrange(10_000)}", "download", now, ["separate", "analyse"]))
    return asked


MEASURED = {
    "download": Cost(core_seconds=3.5, waiting=10.0),
    "separate": Cost(core_seconds=80.0, threads=2.0),
    "analyse": Cost(core_seconds=4.0),
}
"""A song of three minutes on the machine of docs/scale.md. What is waited for at a download is a guess: no network here."""
SONGS_A_DAY = 0.3
"""Songs that one user takes apart on a day, in the mean: most do none."""


def plan() -> None:
    """Print how long songs take in the busiest hours, by how many users and how many cores there are."""
    print("  users  songs a day   cores  separations at once   in use   median s   95th percentile s")
    for users, cores in ((10, 2), (100, 2), (1_000, 2), (1_000, 4), (10_000, 16), (10_000, 24), (100_000, 160)):
        songs = users * SONGS_A_DAY
        machine = Machine(cores, {"download": 2 * cores, "separate": cores // 2, "analyse": cores})
        done = simulate(machine, MEASURED, many_users(songs, 3.0, seed=1))
        waited = sorted(job.ended - job.first_at for job in done if job.kind == "analyse")
        used = sum(MEASURED[job.kind].core_seconds for job in done) / (cores * max(job.ended for job in done))
        print(
            f"{users:7,} {songs:12,.0f} {cores:7} {cores // 2:20} {used:8.0%} {statistics.median(waited):10.0f} "
            f"{waited[int(0.95 * len(waited))]:19.0f}"
        )


SEPARATES_ON = 1.6
"""Cores that the embedded model keeps busy where it may have two (measured)."""
PILOT = 4
"""Songs that the costs are measured on: what runs beside others costs more, so they run side by side, too."""


def check(songs: int = 24) -> None:
    """Measure the costs of a few songs, foretell how long many take, take them, and say how far off it was."""
    with tempfile.TemporaryDirectory(prefix="soundforge-bench-") as name, Workbench(Path(name) / "library") as wb:
        try:
            _add(wb, 1 + PILOT + songs)
            _take(wb, 0, 1)
            costs = _measured(wb)
            cores = float(os.cpu_count() or 1)
            machine = Machine(cores, {"separate": 1, "analyse": int(cores)})
            asked = [Asked("local", "separate", 0.0, ["analyse"]) for _ in range(songs)]
            foretold = max(job.ended for job in simulate(machine, costs, asked))
            took = _take(wb, 1 + PILOT, songs)
        finally:
            stop_cluster(wb.settings)
    for kind, cost in costs.items():
        print(f"  {kind}: {cost.core_seconds:.2f} core-seconds on {cost.threads:.2f} cores")
    print(f"  {songs} songs: foretold {foretold:.1f} s, taken {took:.1f} s, {foretold / took - 1:+.0%}")


def _take(wb: Workbench, first: int, songs: int) -> float:
    """Separate and analyse songs; returns the seconds that it took."""
    began = time.perf_counter()
    names = [f"song-{number}" for number in range(first, first + songs)]
    for job in [wb.separate(name, "embedded", analyze=True) for name in names]:
        job.wait()
    while not all(wb.track(name).has_analysis for name in names):
        time.sleep(0.2)
    return time.perf_counter() - began


def _add(wb: Workbench, songs: int) -> None:
    for number in range(songs):
        file = wb.settings.library.parent / f"song-{number}.wav"
        noise = np.random.default_rng(number).normal(0, 0.1, (44100 * 30, 2))
        soundfile.write(file, noise, 44100)
        wb.add(file, id=f"song-{number}")
        file.unlink()


def _measured(wb: Workbench) -> dict[str, Cost]:
    """Return what a separation and an analysis cost, by the processor time of the workers that make them."""
    client = connect(wb.settings)
    pids = client.run(os.getpid)
    names = {address: worker["name"] for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
    client.close()
    workers = {"separate": HEAVY, "analyse": LIGHT}
    processes = {
        kind: next(psutil.Process(pid) for address, pid in pids.items() if names[address] == name)
        for kind, name in workers.items()
    }
    before = {kind: _cpu(process) for kind, process in processes.items()}
    _take(wb, 1, PILOT)
    used = {kind: (_cpu(process) - before[kind]) / PILOT for kind, process in processes.items()}
    return {"separate": Cost(used["separate"], threads=SEPARATES_ON), "analyse": Cost(used["analyse"])}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["plan", "check"], default="plan")
    (check if parser.parse_args().what == "check" else plan)()


if __name__ == "__main__":
    main()
