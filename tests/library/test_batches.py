"""Batches, pauses, wishes and the cache of metadata, as the tables have them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfwidgets.errors import DiskFullError
from sfwidgets.library import JobTable, Shared, Wish
from sfwidgets.library.batches import LONGEST_WAIT, MOST_WAITS
from sfwidgets.library.metadata import CACHE_SECONDS, PREFIX
from sfwidgets.models import Job
from sfwidgets.settings import Settings

OWNER = "local"
SETTINGS = {"models_dir": None, "offline": False}
PARTS: dict[str, dict[str, Any]] = {name: {"track": {"isrc": None}} for name in ("c", "a", "b")}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    opened = Shared(Settings(library=tmp_path / "library"))
    yield opened
    opened.close()


@pytest.fixture
def table(shared: Shared) -> JobTable:
    return shared.jobs


def batch(table: JobTable, parts: dict[str, dict[str, Any]] = PARTS, name: str = "Mix") -> tuple[Job, list[Job]]:
    return table.submit_batch(OWNER, "download", parts, options={"name": name}, settings=SETTINGS)


def claim(table: JobTable, job: Job) -> Job:
    """Do as a worker does that begins a job."""
    taken = table.claim(job.id, "holder")
    assert taken is not None
    if taken.job.parent is not None and taken.batch_waits:
        assert table.begin_batch(taken.job.parent)
    return taken.job


def end(shared: Shared, job: Job) -> None:
    held = claim(shared.jobs, job)
    with shared.database.write() as connection:
        shared.jobs.complete(connection, held, output_path=None, result={})


def counted(table: JobTable, batch: Job) -> Job:
    """Do as a worker does in a moment, after parts of a batch have ended."""
    told = table.settle(batch.id)
    assert told is not None
    assert told == table.get(OWNER, batch.id)
    return told


def test_a_batch_moves_with_its_parts_and_ends_with_the_last(shared: Shared, table: JobTable) -> None:
    parent, parts = batch(table)
    assert [part.track_id for part in parts] == ["c", "a", "b"]
    assert (parent.status, parent.result) == ("queued", {"total": 3, "completed": 0, "failed": 0, "cancelled": 0})
    end(shared, parts[0])
    told = counted(table, parent)
    assert (told.status, told.progress, told.stage) == ("processing", 33, "1 of 3 done")
    table.fail(claim(table, parts[1]), "No match.", "no_match")
    assert counted(table, parent).stage == "2 of 3 done, 1 failed"
    end(shared, parts[2])
    told = counted(table, parent)
    assert (told.status, told.progress) == ("completed", 100)
    assert told.result == {"total": 3, "completed": 2, "failed": 1, "cancelled": 0}
    assert [part.status for part in table.parts(OWNER, parent.id)] == ["completed", "error", "completed"]


def test_a_batch_of_which_nothing_came_is_an_error_that_says_why(table: JobTable) -> None:
    parent, parts = batch(table)
    for part in parts:
        table.fail(claim(table, part), f"No match for {part.track_id}.", "no_match")
    told = counted(table, parent)
    assert (told.status, told.code) == ("error", "no_match")
    assert told.error == "None of the 3 could be had. The first: No match for c."


def test_the_same_batch_twice_is_one_while_it_runs(shared: Shared, table: JobTable) -> None:
    parent, parts = batch(table)
    again, none = batch(table)
    assert (again.id, none) == (parent.id, [])
    other, _ = batch(table, name="Another")
    assert other.id != parent.id
    for part in parts:
        end(shared, part)
    assert counted(table, parent).status == "completed"
    assert batch(table)[0].id != parent.id


def test_no_worker_can_claim_a_batch_and_recovery_does_not_see_it(table: JobTable) -> None:
    parent, parts = batch(table)
    assert {lost.job.id for lost in table.unfinished()} == {part.id for part in parts}
    assert parent.id not in {lost.job.id for lost in table.unfinished()}


def test_a_cancelled_batch_ends_with_its_last_running_part(table: JobTable) -> None:
    parent, parts = batch(table)
    running = claim(table, parts[0])
    assert table.cancel(OWNER, parent.id).status == "processing"
    assert [part.status for part in table.parts(OWNER, parent.id)] == ["processing", "cancelled", "cancelled"]
    assert table.cancel_requested(running)
    table.cancelled(running)
    told = counted(table, parent)
    assert (told.status, told.code) == ("cancelled", "cancelled")


@pytest.mark.parametrize("how", ["paused", "postponed"])
def test_what_is_cancelled_while_it_is_given_back_ends_there(table: JobTable, how: str) -> None:
    parent, parts = batch(table)
    running = claim(table, parts[0])
    table.cancel(OWNER, parent.id)
    if how == "paused":
        ended = table.pause_downloads(running, 60, why="Slow down.")
    else:
        ended = table.postpone(running, 60, stage="Waiting")
    assert ended is not None
    assert ended.status == "cancelled"
    assert counted(table, parent).status == "cancelled"


def test_recovery_sees_what_can_be_done_now_the_unsent_first(table: JobTable) -> None:
    _, parts = batch(table)
    table.sent({part.id: "key" for part in parts})
    lost, _ = table.submit(OWNER, "analysis", "late", {}, settings=SETTINGS)
    running = claim(table, parts[1])
    assert [found.job.id for found in table.unfinished()] == [running.id, lost.id, parts[0].id, parts[2].id]
    assert not table.waiting()
    table.pause_downloads(running, 60, why="Slow down.")
    assert [found.job.id for found in table.unfinished()] == [lost.id]
    assert table.waiting()


def test_a_batch_that_nobody_counted_is_settled(shared: Shared, table: JobTable) -> None:
    parent, parts = batch(table)
    assert table.settle_batches() == []
    for part in parts:
        end(shared, part)
    assert table.get(OWNER, parent.id).status == "processing"
    (settled,) = table.settle_batches()
    assert (settled.id, settled.status, settled.progress) == (parent.id, "completed", 100)
    assert table.settle_batches() == []
    assert counted(table, parent).seq == settled.seq
    assert table.settle("a batch that is gone") is None


def test_a_full_disk_is_told_as_such_by_the_database(shared: Shared) -> None:
    with pytest.raises(DiskFullError, match="Make room"), shared.database.write() as connection:
        if connection.dialect.name == "postgresql":  # whose server can't be told to be full
            connection.exec_driver_sql("DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$")
        connection.exec_driver_sql(
            f"PRAGMA max_page_count = {connection.exec_driver_sql('PRAGMA page_count').scalar()}"
        )
        shared.of(OWNER).wishes.take(connection, "t")
        connection.exec_driver_sql("CREATE TABLE large AS SELECT randomblob(1000000) AS it")


def test_a_batch_that_has_not_begun_is_cancelled_at_once(table: JobTable) -> None:
    parent, _ = batch(table)
    assert table.cancel(OWNER, parent.id).status == "cancelled"


def test_one_part_can_be_cancelled_by_itself(shared: Shared, table: JobTable) -> None:
    parent, parts = batch(table)
    table.cancel(OWNER, parts[1].id)
    end(shared, parts[0])
    end(shared, parts[2])
    told = counted(table, parent)
    assert (told.status, told.result) == ("completed", {"total": 3, "completed": 2, "failed": 0, "cancelled": 1})


def test_nobody_cancels_or_sees_the_parts_of_somebody_else(table: JobTable) -> None:
    parent, parts = batch(table)
    mine, _ = table.submit_batch("eve", "download", {"c": {}}, options={"name": "Mix"}, settings=SETTINGS)
    assert table.parts("eve", parent.id) == []
    with pytest.raises(Exception, match="no job"):
        table.cancel("eve", parts[0].id)
    assert [part.status for part in table.parts(OWNER, parent.id)] == ["queued"] * 3
    assert mine.id != parent.id


def test_a_service_that_turns_one_away_is_left_alone_by_all_for_as_long_as_it_asks(table: JobTable) -> None:
    parent, parts = batch(table)
    alone, _ = table.submit(OWNER, "download", "z", {"track": None}, settings=SETTINGS)
    other, _ = table.submit(OWNER, "analysis", "z", {}, settings=SETTINGS)
    before = time.time()
    paused = table.pause_downloads(claim(table, parts[0]), 50, why="YouTube wants fewer requests.")
    assert paused is not None
    assert paused.not_before is not None
    assert 49 < paused.not_before.timestamp() - before < 60
    assert (paused.status, paused.attempt, paused.started_at) == ("queued", 0, None)
    assert paused.stage.startswith("Paused until ")
    assert paused.stage.endswith(": YouTube wants fewer requests.")
    waiting = [table.get(OWNER, job.id) for job in (parent, *parts, alone)]
    assert {job.not_before for job in waiting} == {paused.not_before}
    assert {job.stage for job in waiting} == {paused.stage}
    assert all(table.claim(job.id, "holder") is None for job in (*parts, alone))
    claim(table, other)
    late, _ = table.submit(OWNER, "download", "y", {"track": None}, settings=SETTINGS)
    assert late.not_before == paused.not_before
    assert batch(table, {"x": {}}, "Late")[0].not_before == paused.not_before


def test_after_a_pause_the_batch_goes_on(table: JobTable) -> None:
    parent, parts = batch(table)
    table.pause_downloads(claim(table, parts[0]), 0.05, why="Slow down.")
    time.sleep(0.1)
    assert claim(table, parts[0]).attempt == 1
    told = table.get(OWNER, parent.id)
    assert (told.status, told.not_before, told.stage) == ("processing", None, "")


def test_whoever_is_turned_away_again_waits_longer_and_at_last_gives_up(table: JobTable) -> None:
    job, _ = table.submit(OWNER, "download", "z", {"track": None}, settings=SETTINGS)
    waits = []
    for _ in range(MOST_WAITS):
        now = time.time()
        paused = table.pause_downloads(claim(table, job), 100, why="Slow down.")
        assert paused is not None
        assert paused.not_before is not None
        waits.append(round(paused.not_before.timestamp() - now))
        _hurry(table, job)
    assert waits[:4] == [100, 200, 400, 800]
    assert waits[-1] == LONGEST_WAIT
    assert table.pause_downloads(claim(table, job), 100, why="Slow down.") is None


def _hurry(table: JobTable, job: Job) -> None:
    from sqlalchemy import update

    from sfwidgets.library.schema import jobs

    with table._database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(not_before=None))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("t1", None), ("t2", None), False),
        (("t1", "DEA1"), ("t2", "DEA1"), True),
        (("t1", "DEA1"), ("t2", "DEA2"), False),
        (("t1", None), ("t1", None), True),
        (("t1", "https://x/1"), ("t2", "https://x/1"), True),
    ],
)
def test_the_younger_of_two_downloads_of_a_recording_is_the_twin(
    table: JobTable, first: tuple[str, str | None], second: tuple[str, str | None], same: bool
) -> None:
    def options(code: str | None) -> dict[str, Any]:
        return {"url": code} if code is not None and ":" in code else {"track": {"isrc": code}}

    parents = [batch(table, {track: options(code)}, name) for name, (track, code) in (("One", first), ("Two", second))]
    older, younger = (claim(table, parts[0]) for _, parts in parents)
    assert (table.twin(older), table.twin(younger)) == (False, same)


def test_what_a_service_said_is_known_for_an_hour(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.metadata.put("spotify:track:1", {"name": "One"})
    shared.metadata.put("spotify:track:1", {"name": "Two"})
    assert shared.metadata.get("spotify:track:1") == {"name": "Two"}
    assert shared.metadata.get("spotify:track:2") is None
    if shared.redis is not None:
        assert CACHE_SECONDS - 60 < int(str(shared.redis.client.ttl(f"{PREFIX}spotify:track:1"))) <= CACHE_SECONDS
        return
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + CACHE_SECONDS + 1)
    assert shared.metadata.get("spotify:track:1") is None


def test_of_too_many_wishes_the_oldest_go(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfwidgets.library.metadata.MOST_WISHES", 2)
    mine = shared.of(OWNER).wishes
    shared.of("eve").wishes.put("1", Wish(("analysis",)))
    for name in "123":
        mine.put(name, Wish(("analysis",)))
    with shared.database.write() as connection:
        assert [mine.take(connection, name).then for name in "123"] == [(), ("analysis",), ("analysis",)]
        assert shared.of("eve").wishes.take(connection, "1").then == ("analysis",)


def test_a_wish_is_the_owners_and_is_taken_once(shared: Shared) -> None:
    mine, eves = shared.of(OWNER).wishes, shared.of("eve").wishes
    mine.put("t", Wish(("analysis",)))
    mine.put("t", Wish(("processing", "analysis"), {"model": "embedded"}))
    with shared.database.write() as connection:
        assert eves.take(connection, "t") == Wish()
        assert mine.take(connection, "t") == Wish(("processing", "analysis"), {"model": "embedded"})
        assert mine.take(connection, "t") == Wish()
