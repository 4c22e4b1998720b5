"""What a job shows of itself: from a real kernel, and as the page asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from sfwidgets import Workbench
from sfwidgets.errors import NotFoundError
from sfwidgets.jobs import stop_cluster
from sfwidgets.models import Job, Track, utc_now
from sfwidgets.settings import Settings
from sfwidgets.widgets.jobs import JobProgress, JobQueue, row

CELL = """
import time
from sfwidgets import Workbench
from sfwidgets.widgets.jobs import JobProgress
wb = Workbench()
widget = JobProgress(wb.separate(wb.add({song!r}), "embedded", analyze=True))
print("busy")
while not (len(widget.jobs) == 2 and widget.jobs[1]["status"] == "completed"):
    time.sleep(0.05)
print("free")
"""


def _until(said: Callable[[], bool]) -> None:
    for _ in range(2400):
        if said():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true")


@pytest.mark.soak
def test_a_job_and_its_follower_are_told_while_a_cell_keeps_the_kernel_busy(
    song: Callable[..., Path], tmp_path: Path
) -> None:
    library = tmp_path / "library"
    manager, client = start_new_kernel(env={**os.environ, "AUDIO_DATA_PATH": str(library)})
    told: list[Any] = []
    try:
        asked = client.execute(CELL.format(song=str(song(40))))
        while True:
            message = client.get_iopub_msg(timeout=120)
            content, parent = message["content"], message["parent_header"].get("msg_id")
            assert message["msg_type"] != "error", content["traceback"]
            if message["msg_type"] == "stream":
                told += content["text"].split() if content["name"] == "stdout" else []
            elif message["msg_type"] == "comm_msg" and "jobs" in content["data"].get("state", {}):
                told.append([(job["kind"], job["status"], job["progress"]) for job in content["data"]["state"]["jobs"]])
            elif content.get("execution_state") == "idle" and parent == asked:
                break
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        stop_cluster(Settings(library=library))
    meanwhile = told[told.index("busy") : told.index("free")]
    separation = [jobs[0] for jobs in meanwhile if jobs != "busy"]
    assert len({progress for _, status, progress in separation if status == "processing"}) > 1
    assert any(jobs[1][:2] == ("analysis", "processing") for jobs in meanwhile if len(jobs) == 2 and jobs != "busy")


def test_retry_shows_the_new_job_in_place_of_the_one_that_failed(wb: Workbench, song: Callable[..., Path]) -> None:
    track = wb.add(song(2))
    path = wb.path(track)
    path.rename(path.with_suffix(".away"))
    path.write_text("no audio any more")
    widget = JobProgress(wb.separate(track, "embedded"))
    _until(lambda: widget.jobs[0]["status"] == "error")
    first = widget.jobs[0]
    assert track.title in first["error"]
    path.with_suffix(".away").rename(path)
    widget.answer_retry(first["id"])
    _until(lambda: widget.jobs[0]["status"] == "completed")
    assert widget.jobs[0]["id"] != first["id"]
    assert widget.jobs[0]["error"] is None
    with pytest.raises(NotFoundError):
        widget.answer_cancel(first["id"])


def test_cancel_ends_the_job_and_watching_it(wb: Workbench, song: Callable[..., Path]) -> None:
    widget = JobProgress(wb.separate(wb.add(song(120)), "embedded", analyze=True))
    widget.answer_cancel(widget.jobs[0]["id"])
    _until(lambda: widget.jobs[0]["status"] == "cancelled")
    assert len(widget.jobs) == 1, "nothing follows from a job that was cancelled"
    assert "cancelled" in widget.still()
    _until(lambda: not wb._jobs._hub._watches)


def test_the_queue_shows_what_was_asked_for_elsewhere_and_clearing_only_hides(
    shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    queue = JobQueue(shared_wb)
    track = shared_wb.add(song(1, seed=71), title="<b>Bold</b>")
    shared_wb.analyze(track).wait()
    shown = queue.answer_jobs()[0]
    assert (shown["what"], shown["track"], shown["status"]) == ("Analysis", "<b>Bold</b>", "completed")
    assert "<b>" not in queue.still()
    assert queue.answer_clear() == []
    assert shared_wb.job(shown["id"]).status == "completed"
    again = queue.answer_retry(shown["id"])
    assert [job["track"] for job in again] == ["<b>Bold</b>"]
    shared_wb.job(again[0]["id"]).wait()
    with pytest.raises(NotFoundError):
        queue.answer_cancel("nonsense")


def test_speed_is_seconds_of_audio_a_second_and_time_left_follows_from_it() -> None:
    now = utc_now()
    job = Job(
        id="j", owner="local", kind="processing", track_id="t", status="processing", progress=25, attempt=1,
        created_at=now - timedelta(seconds=30), started_at=now - timedelta(seconds=20),
    )  # fmt: skip
    track = Track(id="t", owner="local", title="Song", duration=240.0, created_at=now, updated_at=now)
    shown = row(job, track, now=now)
    assert shown["speed"] == 3.0  # 60 of 240 seconds in 20
    assert shown["left"] == 60.0
    done = job.model_copy(update={"status": "completed", "progress": 100, "completed_at": now})
    assert row(done, track)["speed"] == 12.0
    assert row(done, track)["took"] == 20.0
    assert row(done, track)["left"] is None
    early = job.model_copy(update={"started_at": now - timedelta(seconds=1)})
    assert row(early, track, now=now)["speed"] is None, "too early to tell"
    assert row(job, None, now=now)["speed"] is None
