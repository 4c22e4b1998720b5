"""A claim that took place although its answer was lost is this attempt's own: it neither waits nor counts twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfwidgets.errors import UnavailableError
from sfwidgets.jobs import patience, worker
from sfwidgets.jobs.worker import Attempt, run_job
from sfwidgets.library import Claim, Shared
from sfwidgets.models import Job
from sfwidgets.settings import Settings


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    monkeypatch.setattr(patience, "AGAIN_SECONDS", 0.01)
    opened = Shared(Settings(library=tmp_path / "library"))
    monkeypatch.setattr(worker, "_shared", lambda: opened)
    yield opened
    opened.close()


@pytest.fixture
def job(shared: Shared) -> Job:
    settings = {"models_dir": None, "offline": True}
    return shared.jobs.submit("local", "model", None, {"model": "x"}, settings=settings)[0]


def lose_the_first_answer(monkeypatch: pytest.MonkeyPatch, shared: Shared, then: Callable[[], Any]) -> list[Claim]:
    real, made = shared.jobs.claim, []

    def claim(job_id: str, holder: str) -> Claim | None:
        found = real(job_id, holder)
        if not made:
            assert found is not None
            made.append(found)
            then()
            raise UnavailableError("The database can't be reached just now.", code="database_unavailable")
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
