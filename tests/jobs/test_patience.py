"""A database that is away for a while costs no job: what was asked of it is asked again, and no result is doubled."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sfwidgets.errors import UnavailableError
from sfwidgets.jobs import patience, worker
from sfwidgets.jobs.worker import Attempt, run_job
from sfwidgets.library import Claim, Shared
from sfwidgets.models import Job
from sfwidgets.settings import Settings

MADE = {"models_dir": None, "offline": True}


def away(*_args: object) -> Any:
    raise UnavailableError("The database can't be reached just now.", code="database_unavailable")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    monkeypatch.setattr(patience, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(worker, "holder_name", lambda task: f"here 1 0 {task}")
    opened = Shared(Settings(library=tmp_path / "library"))
    monkeypatch.setattr(worker, "_shared", lambda: opened)
    yield opened
    opened.close()


@pytest.fixture
def job(shared: Shared) -> Job:
    job, _created = shared.jobs.submit("local", "model", None, {"model": "x"}, settings=MADE, then=())
    return job


def claimed(shared: Shared, job: Job) -> Claim:
    claim = shared.jobs.claim(job.id, "here 1 0 task")
    assert claim is not None
    return claim


@pytest.mark.parametrize("committed", [False, True])
def test_a_commit_whose_answer_is_lost_counts_once(
    shared: Shared, job: Job, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    attempt, real, lost, recorded = Attempt(shared, claimed(shared, job)), shared.database.write, [True], []

    @contextmanager
    def losing() -> Iterator[Connection]:
        if not lost:
            with real() as connection:
                yield connection
            return
        lost.clear()
        if committed:
            with real() as connection:
                yield connection
            away()
        else:
            with real() as connection:
                yield connection
                away()

    monkeypatch.setattr(shared.database, "write", losing)
    attempt.complete(lambda _connection: recorded.append(1), result={"made": 1})
    ended = shared.jobs.get("local", job.id)
    assert (ended.status, ended.attempt, ended.result) == ("completed", 1, {"made": 1})
    assert len(recorded) == (1 if committed else 2)  # the first of the two was rolled back


def lose_the_first_answer(monkeypatch: pytest.MonkeyPatch, shared: Shared, then: Callable[[], Any]) -> list[Claim]:
    real, made = shared.jobs.claim, []

    def claim(job_id: str, holder: str) -> Claim | None:
        found = real(job_id, holder)
        if not made:
            assert found is not None
            made.append(found)
            then()
            away()
        return found

    monkeypatch.setattr(shared.jobs, "claim", claim)
    return made


def test_a_claim_whose_answer_is_lost_is_made_again_at_once_and_counts_once(
    shared: Shared, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lose_the_first_answer(monkeypatch, shared, lambda: None)
    attempts: list[int] = []

    def work(attempt: Attempt) -> None:
        attempts.append(attempt.job.attempt)
        attempt.complete(lambda _connection: None)

    monkeypatch.setattr(worker, "_work", work)
    run_job(job.id, "task")
    assert attempts == [1]
    ended = shared.jobs.get("local", job.id)
    assert (ended.status, ended.attempt) == ("completed", 1)
    assert ended.seq > made[0].job.seq


def test_a_job_that_is_cancelled_before_its_claim_is_made_again_ends_so(
    shared: Shared, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_the_first_answer(monkeypatch, shared, lambda: shared.jobs.cancel("local", job.id))
    monkeypatch.setattr(worker, "_work", lambda _attempt: pytest.fail("it was cancelled"))
    run_job(job.id, "task")
    assert shared.jobs.get("local", job.id).status == "cancelled"


def test_a_claim_of_another_task_of_this_process_is_left_alone(shared: Shared, job: Job) -> None:
    held = shared.jobs.claim(job.id, worker.holder_name("another"))
    assert held is not None
    assert worker._claim(shared, job.id, worker.holder_name("task")) is None
    (left,) = shared.jobs.unfinished(job_id=job.id)
    assert left.job.attempt == 1
    assert left.lease_until > time.time()


def test_work_goes_on_while_nobody_can_be_told_how_far_it_is(
    shared: Shared, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt(shared, claimed(shared, job))
    with monkeypatch.context() as gone:
        gone.setattr(shared.database, "read", contextmanager(away))
        gone.setattr(shared.database, "write", contextmanager(away))
        attempt.progress(0.5)
    attempt.complete(lambda _connection: None)
    assert shared.jobs.get("local", job.id).status == "completed"


def test_an_attempt_that_can_not_read_is_given_back_and_does_not_count(
    shared: Shared, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_work", away)
    run_job(job.id, "task")
    waiting = shared.jobs.get("local", job.id)
    assert (waiting.status, waiting.attempt, waiting.error) == ("queued", 0, None)


@pytest.mark.embedded
def test_a_sqlite_file_that_another_process_holds_is_only_busy(shared: Shared, job: Job) -> None:
    def impatient(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0")

    event.listen(shared.database.engine, "connect", impatient)
    shared.database.close()
    with closing(sqlite3.connect(str(shared.database.engine.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError) as caught:
            shared.jobs.claim(job.id, "here 1 0 task")
    assert patience.is_away(caught.value)
    claimed(shared, job)


def test_another_refusal_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse() -> None:
        asked.append(1)
        raise UnavailableError("No workers.", code="no_cluster")

    with pytest.raises(UnavailableError, match="No workers"):
        patience.patiently(refuse)
    assert asked == [1]


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(patience, "AGAIN_SECONDS", 0.01)
    refuse: Callable[[], Any] = away
    with pytest.raises(UnavailableError, match="can't be reached"):
        patience.patiently(refuse)
