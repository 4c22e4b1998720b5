"""One round: a seed says what is asked for, what goes wrong and when; afterwards everything must be as if nothing had."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import operator
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chaos_world import World, clusters
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from stand_in_spotdl import StandInSpotdl, songs

from sfwidgets.errors import SoundForgeError
from sfwidgets.library import workspace_name
from sfwidgets.library.schema import analyses, audio, jobs, stem_sets, track_stems
from sfwidgets.models import TERMINAL, Event, Job, SourceList, SourceTrack

sweeping = importlib.import_module("sfwidgets.library.sweep")

END_SECONDS = 120.0
TOLD_SECONDS = 20.0
LEAVE_SECONDS = 60.0
DOWNLOADS = 3
DEATHS = {"worker_died"}
"""How a job may end in error: its worker died that often."""
DEADLY = (
    "a worker is killed", "a kill", "the cluster is killed", "the scheduler is killed", "a machine of workers is killed",
    "a worker stands still for longer than its lease",
)  # fmt: skip
"""The faults that cost an attempt."""


@dataclass
class Round:
    """What happened in a round."""

    seed: str
    faults: list[str] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    settled: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """What the table said of jobs that had completed before a fault."""
    jobs: list[Any] = field(default_factory=list)

    def story(self) -> str:
        """Return the round as a person reads it."""
        ended = [f"  {j.kind} {j.id[:8]} {j.status} attempt {j.attempt} seq {j.seq} {j.error or ''}" for j in self.jobs]
        return "\n".join([f"round {self.seed}", *(f"  {fault}" for fault in self.faults), *ended])


def play(world: World, seed: int, spotdl: StandInSpotdl, truth: dict[str, str]) -> Round:
    """Play one round, and check all that must be true after it; raises `AssertionError` with its story."""
    dice = random.Random(f"{world.name} {seed}")
    told = Round(f"{world.name} {seed}")
    world.ready()
    began = time.time()
    tracks = [world.wb.add(song).id for song in world.songs]
    names = [f"s{seed}x{int(began)}x{number}" for number in range(DOWNLOADS)]
    unwatch = [world.wb.watch_track(track, _remember(told, track)) for track in (*tracks, *names)]
    try:
        with world.watched(dice, [*tracks, *names]):
            _run(world, dice, told, tracks, names)
            told.jobs = _wait(world, began)
            _check_ends(told)
            _check_told(told)
            world.check(told.jobs)
        _check_settled(told)
        _check_results(world, told, tracks, truth)
        _check_downloads(world, told, names, spotdl)
        _check_files(world, [*tracks, *names])
        _check_clusters(world)
    except BaseException as error:
        told.jobs = told.jobs or _rows(world, began)
        error.add_note(f"{told.story()}\n\n{world.said()}")
        raise
    finally:
        for end in unwatch:
            end()
    return told


def _remember(told: Round, track: str) -> Callable[[Event], None]:
    return told.events.setdefault(track, []).append


def _run(world: World, dice: random.Random, told: Round, tracks: list[str], names: list[str]) -> None:
    """Ask for the round's jobs, while its faults happen."""
    wanted = SourceList(
        type="playlist", id="Mix", name="Mix", tracks=tuple(SourceTrack.model_validate(song) for song in songs(*names))
    )
    asked: list[Callable[[], Any]] = [
        *(world.separation(dice, track, dice.random() < 0.4) for track in tracks),
        *(world.analysis(dice, track) for track in dice.sample(tracks, 2)),
        partial(world.wb.download, wanted, then=dice.choice([[], ["analyze"]])),
    ]
    dice.shuffle(asked)
    faults = dice.sample(world.faults(dice), dice.randint(1, 3))
    told.faults = [name for name, _fault in faults]
    threads = []
    for name, fault in faults:
        if name.startswith(("a kill", "the connection breaks")):
            fault()  # happens when a worker gets there
        else:
            moment = dice.uniform(0.0, 1.5)
            told.faults[told.faults.index(name)] = f"{name} after {moment:.2f} s"
            threads.append(_Mishap(world, told, moment, fault))
    for thread in threads:
        thread.start()
    for ask in asked:
        _insist(ask)
        time.sleep(dice.choice([0.0, 0.0, 0.2]))
    for thread in threads:
        thread.join()
        if thread.wrong is not None:
            raise thread.wrong


class _Mishap(threading.Thread):
    """A fault that comes after some seconds; what had completed by then is noted."""

    def __init__(self, world: World, told: Round, moment: float, fault: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.wrong: BaseException | None = None
        self._world, self._told, self._moment, self._fault = world, told, moment, fault

    def run(self) -> None:
        time.sleep(self._moment)
        try:
            with suppress(DBAPIError, SoundForgeError):  # another fault may have taken the database just now
                for row in _rows(self._world, 0.0):
                    if row.status == "completed" and row.kind != "batch":
                        self._told.settled.setdefault(row.id, _fact(row))
            self._fault()
        except BaseException as wrong:
            self.wrong = wrong


def _insist(ask: Callable[[], Any]) -> None:
    """Ask as a person does: again, where the answer is a sentence that says to try later."""
    deadline = time.monotonic() + 60
    while True:
        try:
            ask()
            return
        except SoundForgeError as error:
            assert error.status == 503, error
            assert time.monotonic() < deadline, error
            time.sleep(0.2)


def _rows(world: World, since: float) -> list[Any]:
    with world.direct.database.read() as connection:
        return list(connection.execute(select(jobs).where(jobs.c.created_at >= since).order_by(jobs.c.created_at)))


def _fact(row: Any) -> tuple[Any, ...]:
    return row.status, row.attempt, row.seq, row.started_at, row.completed_at, row.output_path


def _wait(world: World, since: float) -> list[Any]:
    """Wait until all jobs have ended; those that follow others are there as soon as these have ended."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        rows = _rows(world, since)
        running = [row for row in rows if row.status not in TERMINAL]
        if not running:
            return rows
        assert time.monotonic() < deadline, f"{len(running)} jobs have not ended: {running}"
        time.sleep(0.05)


def _check_clusters(world: World) -> None:
    """One cluster serves a library; another, whose starter died before the first was up, finds its lock and leaves."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while len(found := list(clusters(world.settings.library))) > 1:
        assert time.monotonic() < deadline, f"several clusters at one library: {found}"
        time.sleep(0.1)


def _check_ends(told: Round) -> None:
    deaths = sum(fault.startswith(DEADLY) for fault in told.faults)
    for row in told.jobs:
        died = row.code in DEATHS and deaths >= 3
        assert row.status == "completed" or died, f"{row.kind} {row.id} ended {row.status}: {row.code} {row.error}"
        assert row.attempt <= 1 + deaths, f"{row.kind} {row.id} took {row.attempt} attempts"


def _check_told(told: Round) -> None:
    """Every watcher is told of each job's end once, and of nothing twice."""
    deadline = time.monotonic() + TOLD_SECONDS
    for row in told.jobs:
        if row.track_id is None:
            continue
        events = told.events[row.track_id]

        def of_job(events: list[Event] = events, job_id: str = row.id) -> list[Job]:
            return [event.job for event in events if event.job.id == job_id]

        while not any(job.done for job in of_job()):
            assert time.monotonic() < deadline, f"nobody was told how {row.kind} {row.id} ended: {of_job()}"
            time.sleep(0.02)
        seen = of_job()
        assert [job.status for job in seen if job.done] == [row.status]
        assert seen[-1].done
        assert [job.seq for job in seen] == sorted({job.seq for job in seen}), "events out of order"
        assert seen[-1].seq == row.seq


def _check_settled(told: Round) -> None:
    """What had completed before a fault is as it was: nobody worked on it again."""
    now = {row.id: _fact(row) for row in told.jobs}
    for job_id, fact in told.settled.items():
        assert now.get(job_id, fact) == fact, f"job {job_id} was done again: {fact} became {now[job_id]}"


def _check_results(world: World, told: Round, tracks: list[str], truth: dict[str, str]) -> None:
    """Each track has one set of stems and one analysis, equal to those of a round in which nothing went wrong."""
    failed = {(row.kind, row.track_id) for row in told.jobs if row.status == "error"}
    for row in told.jobs:
        if row.kind == "processing" and row.status == "completed" and row.result["stemSet"].startswith(row.id):
            assert row.result["stemSet"] == workspace_name(row.id, row.attempt), (
                "an attempt that had lost the job ended it"
            )
    analysed = {row.track_id for row in told.jobs if row.kind == "analysis" and row.status == "completed"}
    with world.direct.database.read() as connection:
        measured = list(connection.execute(select(analyses)))
    assert Counter(row.track_id for row in measured if row.track_id in tracks) == Counter(analysed & set(tracks))
    for row in measured:
        if row.track_id in tracks:
            for name in row.document.keys() - {"analyzedAt"}:
                _same(truth, f"{name} of analysis {row.hash}", json.dumps(row.document[name]), _measured_alike)
    for track in tracks:
        found = world.direct.of("local").results.stem_sets(track)
        if not found and ("processing", track) in failed:
            continue
        assert len(found) == 1, f"{len(found)} sets of stems"
        assert len(found[0].stems) == 4
        for stem in found[0].stems:
            path = world.direct.store.path(stem.path)
            data = path.read_bytes()
            assert len(data) == stem.size
            assert world.direct.store.path(stem.peaks).stat().st_size > 0
            _same(truth, f"{stem.name} {track}", hashlib.sha256(data).hexdigest())


def _same(truth: dict[str, str], what: str, found: str, alike: Callable[[str, str], bool] = operator.eq) -> None:
    assert alike(truth.setdefault(what, found), found), f"{what} is not what it was: {truth[what]} became {found}"


def _measured_alike(before: str, after: str) -> bool:
    """Return whether two measurements agree: sums of the same numbers differ in the last digit by where they lie."""

    def alike(a: Any, b: Any) -> bool:
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
        if isinstance(a, list):
            return len(a) == len(b) and all(map(alike, a, b))
        return math.isclose(a, b, rel_tol=1e-3, abs_tol=0.011) if isinstance(a, float) else bool(a == b)

    return alike(json.loads(before), json.loads(after))


def _check_downloads(world: World, told: Round, names: list[str], spotdl: StandInSpotdl) -> None:
    # An attempt that lost the database, or whose worker left as the scheduler was lost, is given back and does not count.
    given_back = ("PostgreSQL", "connection breaks", "the scheduler is killed")
    lost = sum(any(what in fault for what in given_back) for fault in told.faults)
    attempts = {row.track_id: row.attempt for row in told.jobs if row.kind == "download" and row.status == "completed"}
    for name in names:
        if name in attempts:
            world.direct.of("local").audio_path(name)
            assert 1 <= spotdl.asked.count(name) <= attempts[name] + lost, f"{name} was got again"


def _check_files(world: World, tracks: list[str]) -> None:
    """After the clean-up there is a row for each file, and a file for each row; nothing is left of what is deleted."""
    store, database = world.direct.store, world.direct.database
    patient, sweeping.GRACE_SECONDS = sweeping.GRACE_SECONDS, -1.0
    try:
        world.direct.sweep()
        with database.read() as connection:
            kept = {str(store.path(name)) for name in connection.scalars(select(stem_sets.c.folder))}
            held = set(connection.scalars(select(track_stems.c.set_id)))
            sets = set(connection.scalars(select(stem_sets.c.id)))
            hashes = set(connection.scalars(select(audio.c.hash)))
            paths = [store.path(name) for name in connection.scalars(select(audio.c.path))]
        assert held == sets
        assert {str(folder) for folder in (store.root / "stems").glob("*/*/*/*")} == kept
        assert {file.name.split(".")[0] for file in (store.root / "audio").glob("*/*/*")} == hashes
        assert all(path.exists() for path in paths)
        assert list(store.temporary.iterdir()) == []
        for track in tracks:
            with suppress(SoundForgeError):  # it was never downloaded
                world.direct.of("local").delete(track)
        world.direct.sweep()
        left = [str(f) for area in ("stems", "audio", "tmp") for f in (store.root / area).rglob("*") if f.is_file()]
        assert left == [], "deleted tracks left files"
    finally:
        sweeping.GRACE_SECONDS = patient
