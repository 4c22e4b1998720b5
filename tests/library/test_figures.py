"""Figures against rows whose sums are known: each owner's own, and every job once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update

from sfwidgets.library import Shared, figures, workspace_name
from sfwidgets.library.schema import analyses, audio, jobs, stem_sets, track_stems, tracks
from sfwidgets.models import Pace
from sfwidgets.settings import Settings

NOW = time.time()


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(Settings(library=tmp_path / "library"))


def add_track(connection: Connection, owner: str, name: str, *, file: str, trashed: bool = False) -> None:
    connection.execute(
        insert(tracks).values(
            owner=owner, id=name, title=name, artist="", album="", source="file", hash=file, created_at=NOW,
            updated_at=NOW, trashed_at=NOW if trashed else None,
        )
    )  # fmt: skip


def add_audio(connection: Connection, owner: str, name: str, *, seconds: float, size: int) -> None:
    connection.execute(
        insert(audio).values(
            owner=owner, hash=name, path=name, size=size, duration=seconds, sample_rate=44100, channels=2, codec="flac",
            container="flac", created_at=NOW,
        )
    )  # fmt: skip


def add_stems(connection: Connection, owner: str, track: str, file: str, key: str, *, size: int) -> None:
    held = {"owner": owner, "created_at": NOW}
    connection.execute(
        insert(stem_sets).values(
            id=f"{owner}-{key}", hash=file, key=key, folder="f", model="embedded", precision="float32", preview=True,
            options={}, stems=[], size=size, notices=[], seconds=1.0, **held,
        )
    )  # fmt: skip
    connection.execute(insert(track_stems).values(track_id=track, set_id=f"{owner}-{key}", **held))


def add_analysis(connection: Connection, owner: str, track: str) -> None:
    connection.execute(
        insert(analyses).values(owner=owner, track_id=track, hash="h", version=1, document={}, created_at=NOW)
    )


def job(shared: Shared, kind: Any = "processing", track: str = "one", owner: str = "local") -> str:
    return shared.jobs.submit(owner, kind, track, {"n": time.monotonic()}, settings={})[0].id


def ended(
    shared: Shared, kind: Any = "processing", *, asked: float, began: float | None, done: float, status: str = "completed",
    made: dict[str, Any] | None = None, track: str = "one", owner: str = "local",
) -> str:  # fmt: skip
    """Insert a job with these times, in seconds before now."""
    job_id = job(shared, kind, track, owner)
    if made is None and kind == "processing":
        made = {"stemSet": workspace_name(job_id, 1)}
    times = {
        "created_at": NOW - asked,
        "started_at": None if began is None else NOW - began,
        "completed_at": NOW - done,
    }
    with shared.database.write() as connection:
        changed = update(jobs).where(jobs.c.id == job_id).values(status=status, attempt=1, result=made, **times)
        connection.execute(changed)
    return job_id


def test_an_empty_library_has_figures_too(shared: Shared) -> None:
    found = figures.stats(shared.database, "local", shared.limits)
    assert (found.tracks, found.audio_seconds, found.stem_bytes, found.jobs_waiting) == (0, 0.0, 0, 0)
    assert found.jobs["analysis"] == {"queued": 0, "processing": 0, "completed": 0, "error": 0, "cancelled": 0}
    assert set(found.last_day.values()) == {Pace()}
    assert found.to_json()["lastDay"]["processing"] == {"queueSeconds": None, "audioSecondsPerSecond": None}


def test_an_owner_sees_their_own_figures_alone(shared: Shared) -> None:
    with shared.database.write() as connection:
        for owner, seconds in (("local", 100.0), ("other", 7.0)):
            add_audio(connection, owner, "a", seconds=seconds, size=int(seconds) * 10)
            add_audio(connection, owner, "b", seconds=1.0, size=5)
        add_track(connection, "local", "one", file="a")
        add_track(connection, "local", "same audio", file="a")
        add_track(connection, "local", "two", file="b")
        add_track(connection, "other", "one", file="a")
        add_stems(connection, "local", "one", "a", "k1", size=300)
        add_stems(connection, "local", "one", "a", "k2", size=40)
        add_stems(connection, "other", "one", "a", "k1", size=9000)
        for track in ("one", "two"):
            add_analysis(connection, "local", track)
    job(shared)
    job(shared, owner="other")
    claimed = shared.jobs.claim(job(shared, "analysis"), "w")
    assert claimed is not None

    found = figures.stats(shared.database, "local", shared.limits)
    assert (found.tracks, found.tracks_with_stems, found.tracks_with_analysis) == (3, 1, 2)
    assert (found.audio_seconds, found.audio_bytes, found.stem_bytes) == (101.0, 1005, 340)
    assert (found.jobs_waiting, found.jobs_running) == (1, 1)
    assert found.jobs["processing"]["queued"] == 1
    assert found.jobs["analysis"]["processing"] == 1
    theirs = figures.stats(shared.database, "other", shared.limits)
    assert (theirs.tracks, theirs.audio_seconds, theirs.stem_bytes, theirs.jobs_waiting) == (1, 8.0, 9000, 1)


def test_what_lies_in_the_trash_is_no_track_but_still_takes_room(shared: Shared) -> None:
    with shared.database.write() as connection:
        add_audio(connection, "local", "a", seconds=10.0, size=100)
        add_track(connection, "local", "kept", file="a")
        add_track(connection, "local", "thrown", file="a", trashed=True)
        add_track(connection, "local", "bare", file="a", trashed=True)
        add_stems(connection, "local", "thrown", "a", "k", size=30)
        add_analysis(connection, "local", "thrown")
        add_analysis(connection, "local", "kept")
    found = figures.stats(shared.database, "local", shared.limits)
    assert (found.tracks, found.tracks_with_stems, found.tracks_with_analysis) == (1, 0, 1)
    assert (found.audio_bytes, found.stem_bytes) == (100, 30)


def test_pace_is_that_of_the_last_day_by_kind(shared: Shared) -> None:
    with shared.database.write() as connection:
        add_audio(connection, "local", "a", seconds=120.0, size=1)
        add_audio(connection, "local", "b", seconds=60.0, size=1)
        add_track(connection, "local", "one", file="a")
        add_track(connection, "local", "two", file="b")
    ended(shared, asked=100, began=99, done=89)  # 120 s in 10 s
    ended(shared, asked=50, began=47, done=27, track="two")  # 60 s in 20 s
    ended(shared, asked=90_000, began=89_000, done=88_000)  # yesterday
    ended(shared, asked=30, began=26, done=6, status="error")  # waited, but nothing came of it
    ended(shared, asked=20, began=None, done=10, status="cancelled")  # never began
    ended(shared, "model", asked=9, began=7, done=1, track="")
    ended(shared, "analysis", asked=900, began=700, done=1, owner="other")

    pace = figures.stats(shared.database, "local", shared.limits).last_day
    assert pace["processing"].queue_seconds == pytest.approx((1 + 3 + 4) / 3)
    assert pace["processing"].audio_seconds_per_second == pytest.approx((120 + 60) / (10 + 20))
    assert pace["model"].queue_seconds == pytest.approx(2)
    assert pace["model"].audio_seconds_per_second is None
    assert pace["analysis"] == Pace()


def test_what_was_known_already_is_no_work(shared: Shared) -> None:
    with shared.database.write() as connection:
        add_audio(connection, "local", "a", seconds=100.0, size=1)
        add_track(connection, "local", "one", file="a")
    ended(shared, asked=100, began=100, done=90)
    ended(shared, asked=80, began=80, done=79.9, made={"stemSet": "that of the first"})
    fresh, old = (time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW - back)) for back in (40, 4000))
    ended(shared, "analysis", asked=60, began=60, done=35, made={"analyzedAt": fresh})
    ended(shared, "analysis", asked=30, began=30, done=29.9, made={"analyzedAt": old})

    pace = figures.stats(shared.database, "local", shared.limits).last_day
    assert pace["processing"].audio_seconds_per_second == pytest.approx(10.0)
    assert pace["analysis"].audio_seconds_per_second == pytest.approx(4.0)


def test_jobs_of_all_owners_are_counted_for_the_operator(shared: Shared) -> None:
    job(shared)
    job(shared, owner="other")
    last = ended(shared, asked=9, began=8, done=5, owner="other")
    ended(shared, asked=9, began=8, done=7)
    unfinished = figures.unfinished_jobs(shared.database)
    assert unfinished["processing", "queued"] == 2
    assert unfinished["analysis", "processing"] == 0
    assert [found.id for found in figures.ended_jobs(shared.database, NOW - 5)] == [last]


@pytest.mark.parametrize(
    ("table", "index"),
    [
        ("jobs", "ix_jobs_owner_status_kind"), ("jobs", "ix_jobs_owner_completed_at"),
        ("audio", "ix_audio_owner_duration_size"), ("stem_sets", "ix_stem_sets_owner_size"),
        ("tracks", "ix_tracks_trashed"),
    ],
)  # fmt: skip
def test_what_grows_is_counted_in_an_index(shared: Shared, table: str, index: str) -> None:
    from sqlalchemy import event

    asked: list[tuple[str, Any]] = []
    listener = lambda _connection, _cursor, sql, given, _context, _many: asked.append((sql, given))
    event.listen(shared.database.engine, "before_cursor_execute", listener)
    figures.stats(shared.database, "local", shared.limits)
    event.remove(shared.database.engine, "before_cursor_execute", listener)
    with shared.database.read() as connection:
        explain, scan = "EXPLAIN QUERY PLAN", f"SCAN {table}"
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # so few rows are soonest read as they lie
            explain, scan = "EXPLAIN", f"Seq Scan on {table} "
        plan = [
            str(row[-1])
            for sql, given in asked
            if sql.startswith("SELECT")
            for row in connection.exec_driver_sql(f"{explain} {sql}", given)
        ]
    assert any(index in step for step in plan), plan
    assert not [step for step in plan if step == scan or step.strip(" ->").startswith(scan)], plan
