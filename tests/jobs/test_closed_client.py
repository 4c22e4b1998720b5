"""A job that was asked for while another thread gave the lost cluster up is in the table: whoever asked is not refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
