"""The table of jobs: one holder at a time, one result, and nothing that a late worker says counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from sfwidgets.errors import NotFoundError
from sfwidgets.library import MAX_ATTEMPTS, JobTable, LeaseLostError, Shared
from sfwidgets.library.schema import jobs
from sfwidgets.settings import Settings


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(Settings(library=tmp_path / "library"))


@pytest.fixture
def table(shared: Shared) -> JobTable:
    return shared.jobs


def submit(table: JobTable, track: str = "t") -> str:
    return table.submit("local", "processing", track, {"model": "embedded"}, settings={})[0].id


def lapse(shared: Shared, job_id: str) -> None:
    with shared.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(lease_until=1.0))


def test_an_identical_request_while_one_runs_is_the_same_job(table: JobTable) -> None:
    first = submit(table)
    assert submit(table) == first
    table.claim(first, "w")
    assert submit(table) == first
    assert submit(table, "other") != first
    table.fail(table.many([first])[0], "broken", "broken")
    assert submit(table) != first


def test_of_many_who_claim_one_gets_the_job(table: JobTable) -> None:
    job_id = submit(table)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: table.claim(job_id, f"worker {n}"), range(32)))
    assert len([c for c in claims if c is not None]) == 1


def test_a_job_whose_lease_has_lapsed_may_be_claimed_again_and_the_old_holder_can_change_nothing(
    shared: Shared, table: JobTable
) -> None:
    job_id = submit(table)
    first = table.claim(job_id, "one")
    assert first is not None
    assert table.claim(job_id, "two") is None
    lapse(shared, job_id)
    second = table.claim(job_id, "two")
    assert second is not None
    assert second.job.attempt == 2
    for late in (
        lambda: table.renew(first.job),
        lambda: table.progress(first.job, 50, ""),
        lambda: table.fail(first.job, "late", "late"),
        lambda: table.cancelled(first.job),
        lambda: table.cancel_requested(first.job),
    ):
        with pytest.raises(LeaseLostError):
            late()
    with pytest.raises(LeaseLostError), shared.database.write() as connection:
        table.complete(connection, first.job, output_path=None, result={})
    with shared.database.write() as connection:
        assert table.complete(connection, second.job, output_path="x", result={}).status == "completed"


def test_after_three_attempts_a_job_ends_in_error_with_the_reason(shared: Shared, table: JobTable) -> None:
    job_id = submit(table)
    for _ in range(MAX_ATTEMPTS):
        assert table.claim(job_id, "w") is not None
        lapse(shared, job_id)
    assert table.claim(job_id, "w") is None
    (lost,) = table.unfinished()
    ended = table.give_up(lost)
    assert ended is not None
    assert (ended.status, ended.code) == ("error", "worker_died")
    assert "3 attempts" in str(ended.error)
    assert table.give_up(lost) is None


def test_every_change_raises_seq(table: JobTable) -> None:
    job_id = submit(table)
    seen = [table.many([job_id])[0].seq]
    claim = table.claim(job_id, "w")
    assert claim is not None
    seen.append(claim.job.seq)
    seen.append(table.progress(claim.job, 10, "a").seq)
    seen.append(table.fail(claim.job, "x", "y").seq)
    assert seen == sorted(set(seen))


def test_cancelling_a_queued_job_ends_it_and_a_running_one_is_flagged(table: JobTable) -> None:
    queued = submit(table, "a")
    assert table.cancel("local", queued).status == "cancelled"
    assert table.claim(queued, "w") is None
    running = submit(table, "b")
    claim = table.claim(running, "w")
    assert claim is not None
    assert table.cancel("local", running).status == "processing"
    assert table.cancel_requested(claim.job)
    assert table.cancelled(claim.job).status == "cancelled"


def test_a_job_of_somebody_else_is_not_there(table: JobTable) -> None:
    job_id = submit(table)
    with pytest.raises(NotFoundError):
        table.get("eve", job_id)
    with pytest.raises(NotFoundError):
        table.cancel("eve", job_id)
    assert table.many([job_id])[0].status == "queued"
    assert table.newest("eve") == []
