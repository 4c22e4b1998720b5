"""What is in the table is not refused because the cluster is lost: a job that was asked for, and one that is cancelled."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from services.cluster import until

from sfwidgets import Workbench


def test_a_client_that_is_closed_while_it_is_asked_for_a_job_costs_no_answer(
    shared_wb: Workbench, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    track = shared_wb.add(song(1, seed=71))
    real = shared_wb._jobs.table.submit

    def submit(*given: Any, **named: Any) -> Any:
        taken = real(*given, **named)
        assert shared_wb._jobs._client is not None
        shared_wb._jobs._client.close(timeout=1)  # as `client()` does in another thread that finds the cluster lost
        return taken

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(shared_wb._jobs.table, "submit", submit)
        job = shared_wb.analyze(track)
    assert shared_wb.job(job.id).last.track_id == track.id
    job.cancel()


def test_a_job_is_cancelled_though_there_is_no_scheduler(wb: Workbench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    settings = wb.settings.model_copy(update={"dask_scheduler": nowhere})
    told = []
    with Workbench(settings=settings) as other:
        waiting, _ = wb._jobs.table.submit(wb.owner, "analysis", "song", {}, settings={})
        other.watch_track("song", lambda event: told.append(event.job.status))
        job = other.job(waiting.id)
        job.cancel()
        assert job.last.status == "cancelled"
        until(lambda: told == ["cancelled"])
