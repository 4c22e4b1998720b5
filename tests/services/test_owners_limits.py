"""Several owners on one library: whose turn it is, how much each may have, and what goes after some days."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sfwidgets.errors import QuotaError, SlowDownError
from sfwidgets.library import Claim, Shared
from sfwidgets.library.retention import forget_jobs, forget_old
from sfwidgets.library.schema import jobs
from sfwidgets.library.uploads import TooLargeError
from sfwidgets.models import Job, JobKind
from sfwidgets.settings import Settings

SETTINGS = {"models_dir": None, "offline": False}
Open = Callable[..., Shared]


on_both = pytest.mark.parametrize("open_library", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def open_library(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens the test's library, on SQLite if nothing else is asked for: open_library(owner_jobs=3)."""
    opened = []

    def open_it(**settings: Any) -> Shared:
        if getattr(request, "param", "sqlite") == "postgresql":
            settings["database_url"] = request.getfixturevalue("database_url")
        opened.append(Shared(Settings(library=tmp_path / "library", **settings)))
        return opened[-1]

    yield open_it
    for shared in opened:
        shared.close()


def ask(shared: Shared, owner: str, track: str, kind: JobKind = "analysis") -> Job:
    job, created = shared.jobs.submit(owner, kind, track, {}, settings=SETTINGS)
    assert created
    return job


def ask_for_batch(shared: Shared, owner: str, count: int, kind: JobKind = "analysis") -> Job:
    parts: dict[str, dict[str, Any]] = {f"{owner}-{number}": {} for number in range(count)}
    batch, made = shared.jobs.submit_batch(owner, kind, parts, options={"name": owner}, settings=SETTINGS)
    assert len(made) == count
    return batch


def queue(shared: Shared) -> list[str]:
    """Return the ids of what waits, in the order in which a worker takes it."""
    order = (jobs.c.turn, jobs.c.parent.is_not(None), jobs.c.created_at)
    with shared.database.read() as connection:
        waiting = select(jobs.c.id).where(jobs.c.status == "queued", jobs.c.kind != "batch").order_by(*order)
        return list(connection.scalars(waiting))


def begin(shared: Shared) -> Job:
    claim = shared.jobs.claim(queue(shared)[0], "holder")
    assert isinstance(claim, Claim)
    return claim.job


def end(shared: Shared, job: Job) -> None:
    with shared.database.write() as connection:
        shared.jobs.complete(connection, job, output_path=None, result={})


def serve(shared: Shared, count: int) -> list[str]:
    """Do so many jobs, one after another; returns their tracks."""
    done = []
    for _ in range(count):
        job = begin(shared)
        end(shared, job)
        done.append(str(job.track_id))
    return done


@on_both
def test_who_asks_for_one_waits_for_nobodys_batch_and_who_asks_for_ten_takes_turns(open_library: Open) -> None:
    shared = open_library()
    ask_for_batch(shared, "ann", 500)
    assert serve(shared, 20) == [f"ann-{number}" for number in range(20)]
    at_work = begin(shared)
    ask_for_batch(shared, "cem", 10)
    ask(shared, "bob", "song")
    end(shared, at_work)
    served = serve(shared, 22)
    assert "song" in served[:3], "at most one job of each other owner is begun before it"
    assert [track for track in served if track.startswith("cem")] == [f"cem-{number}" for number in range(10)]
    assert [track for track in served if track.startswith("ann")] == [f"ann-{number}" for number in range(21, 32)]
    assert all(0 <= served[: end + 1].count("song") <= 1 for end in range(len(served)))
    for number in range(10):
        assert served.index(f"cem-{number}") <= 2 * number + 2


@pytest.mark.parametrize(("every", "least"), [(1, 5), (2, 8)])
def test_newcomers_do_not_starve_who_came_first(open_library: Open, every: int, least: int) -> None:
    shared = open_library()
    ask_for_batch(shared, "ann", 20)
    served: list[str] = []
    for number in range(20):
        at_work = begin(shared)
        if number % every == 0:
            ask(shared, f"new{number}", f"song{number}")
        end(shared, at_work)
        served.append(str(at_work.track_id))
    assert sum(track.startswith("ann") for track in served) >= least


def test_an_owners_song_goes_before_the_rest_of_their_own_batch(open_library: Open) -> None:
    shared = open_library()
    ask_for_batch(shared, "ann", 50)
    serve(shared, 5)
    first, second = ask(shared, "ann", "first"), ask(shared, "ann", "second")
    assert first.turn < second.turn
    assert [track for track in serve(shared, 4) if "-" not in track] == ["first", "second"]


def test_a_cancelled_batch_leaves_no_trace_in_the_order(open_library: Open) -> None:
    shared = open_library()
    batch = ask_for_batch(shared, "ann", 300)
    serve(shared, 3)
    shared.jobs.cancel("ann", batch.id)
    ask_for_batch(shared, "bob", 5)
    ask_for_batch(shared, "ann", 5)
    served = serve(shared, 10)
    assert [track[:3] for track in served[:5]].count("ann") == 2
    assert ask(shared, "cem", "song").turn == 1, "where nothing waits, numbers begin anew"


def test_a_pause_of_downloads_leaves_the_order_as_it_was(open_library: Open) -> None:
    shared = open_library()
    ask_for_batch(shared, "ann", 30, "download")
    serve(shared, 10)
    paused = shared.jobs.pause_downloads(begin(shared), 60.0, why="Too fast.")
    assert paused is not None
    ask_for_batch(shared, "bob", 30, "download")
    with shared.database.write() as connection:
        connection.execute(update(jobs).values(not_before=None, paused=False))
    assert [track[:3] for track in serve(shared, 9)].count("ann") == 5


def test_separations_wait_in_a_queue_of_their_own(open_library: Open) -> None:
    shared = open_library()
    ask_for_batch(shared, "ann", 20)
    serve(shared, 10)
    assert ask(shared, "ann", "song", "processing").turn == 1


@on_both
def test_only_so_many_jobs_of_an_owner_are_unfinished(open_library: Open) -> None:
    shared = open_library(owner_jobs=3)
    first = ask(shared, "ann", "a")
    ask_for_batch(shared, "ann", 2)
    with pytest.raises(SlowDownError, match=r"3 of your jobs are unfinished, and at most 3 may be.*cancel") as refused:
        ask(shared, "ann", "b")
    assert (refused.value.status, refused.value.code) == (429, "too_many_jobs")
    assert refused.value.retry_after
    again, created = shared.jobs.submit("ann", "analysis", "a", {}, settings=SETTINGS)
    assert (again.id, created) == (first.id, False), "what runs already is no more"
    ask(shared, "bob", "b")
    with pytest.raises(QuotaError, match=r"At most 3 .* this asks for 4"):
        ask_for_batch(shared, "cem", 4)
    assert shared.jobs.newest("cem") == [], "nothing of it was kept"
    shared.jobs.cancel("ann", first.id)
    ask(shared, "ann", "b")


@on_both
def test_who_asks_for_many_at_the_same_moment_gets_no_more(open_library: Open) -> None:
    shared = open_library(owner_jobs=3)

    def try_it(number: int) -> bool:
        try:
            ask(shared, "ann", f"track{number}")
        except SlowDownError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(try_it, range(16))) == 3


@on_both
def test_an_owner_keeps_only_so_much(open_library: Open, song: Callable[..., Path]) -> None:
    one, other = song(2, name="one.wav"), song(2, seed=1, name="other.wav")
    size = one.stat().st_size
    shared = open_library(owner_gb=1.5 * size / 1e9)
    ann, bob = shared.of("ann"), shared.of("bob")
    kept = ann.add(one, track_id="one", fields={})
    with pytest.raises(QuotaError, match=r"take 0\.\d+ MB of the 0\.\d+ MB that you may keep\. Delete") as refused:
        ann.add(other, track_id="other", fields={})
    assert (refused.value.status, refused.value.code) == (413, "quota_exceeded")
    assert refused.value.details == {"used": size, "limit": int(1.5 * size)}
    assert len(list((shared.store.root / "audio" / "ann").glob("*/*"))) == 1, "what was refused is gone"
    assert not list(shared.store.temporary.iterdir())
    ann.add(one, track_id="twin", fields={})
    bob.add(other, track_id="other", fields={})
    assert ask(shared, "ann", "one", "processing").status == "queued"
    for track in ("one", "twin"):
        shared.jobs.cancel("ann", shared.jobs.newest("ann")[0].id)
        ann.delete(track)
    assert ann.add(other, track_id="other", fields={}).content_hash != kept.content_hash


def test_whoever_has_no_room_left_asks_for_no_downloads_and_no_stems(
    open_library: Open, song: Callable[..., Path]
) -> None:
    file = song(1)
    shared = open_library(owner_gb=file.stat().st_size / 1e9)
    shared.of("ann").add(file, track_id="one", fields={})
    for kind in ("processing", "download"):
        with pytest.raises(QuotaError):
            shared.jobs.submit("ann", kind, "one", {}, settings=SETTINGS)
    ask(shared, "ann", "one")


def test_an_upload_has_only_so_many_bytes(tmp_path: Path) -> None:
    from sfwidgets.library import Upload

    shared = Shared(Settings(library=tmp_path, upload_mb=1.0, owner_gb=0.0005))
    with pytest.raises(TooLargeError, match="larger than the 1 MB"):
        Upload(shared.of("ann"), "song.wav", 1_000_001)
    with pytest.raises(QuotaError):
        Upload(shared.of("ann"), "song.wav", 600_000)
    open_ended = Upload(shared.of("ann"), "song.wav")
    open_ended.write(0, bytes(1_000_000))
    with pytest.raises(TooLargeError):
        open_ended.write(1_000_000, b"x")
    open_ended.abort()
    shared.close()


def old(shared: Shared, days: float, *ids: str) -> None:
    """Let jobs have been asked for, and have ended, so many days ago."""
    then = time.time() - days * 24 * 3600
    with shared.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(created_at=then, completed_at=then))


@on_both
def test_old_jobs_go_but_for_what_is_listed_and_what_runs(open_library: Open, song: Callable[..., Path]) -> None:
    shared = open_library()
    shared.of("ann").add(song(1), track_id="kept", fields={})
    first, gone = ask(shared, "ann", "kept"), ask(shared, "ann", "no-such-track")
    serve(shared, 2)
    newest, recent = ask(shared, "ann", "kept"), ask(shared, "ann", "recent")
    serve(shared, 2)
    running = ask_for_batch(shared, "ann", 2)
    part = begin(shared)
    end(shared, part)
    ended = ask_for_batch(shared, "bob", 2)
    ended_parts = [job.id for job in shared.jobs.parts("bob", ended.id)]
    shared.jobs.cancel("bob", ended.id)
    old(shared, 40, first.id, gone.id, part.id, ended.id, *ended_parts)
    old(shared, 35, newest.id)
    old(shared, 5, recent.id)
    forget_jobs(shared.database, time.time() - 30 * 24 * 3600)
    left = {job.id for owner in ("ann", "bob") for job in shared.jobs.newest(owner)}
    waiting = {job.id for job in shared.jobs.parts("ann", running.id)}
    assert left == {newest.id, recent.id, running.id, part.id, *waiting}


def test_files_that_can_be_made_again_go_when_nobody_reads_them(tmp_path: Path, song: Callable[..., Path]) -> None:
    shared = Shared(Settings(library=tmp_path / "library"))
    library = shared.of("ann")
    library.add(song(1), track_id="one", fields={})
    source = library.audio_path("one")
    flac, unread, stem = (source.with_name(f"{source.stem}.{what}") for what in ("in.mp3", "44100.flac", "peaks.dat"))
    month_ago = time.time() - 31 * 24 * 3600
    for file in (flac, unread, stem, source):
        file.touch()
        os.utime(file, (month_ago, month_ago))
    os.utime(flac, (time.time(), month_ago))
    assert forget_old(shared.database, shared.store, 30) == [str(unread.relative_to(shared.store.root))]
    assert source.exists()
    assert flac.exists()
    assert stem.exists()
    assert forget_old(shared.database, shared.store, 30) == []
    shared.close()
