"""The operator's figures: each job counted once, a blocked event loop seen and said, and nothing private on `/metrics`."""

from __future__ import annotations

import asyncio
import http.client
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from services.everywhere import lose
from sqlalchemy import update

from server_ext import loop_watch, metrics
from server_ext.metrics import Figures
from sfwidgets import Workbench
from sfwidgets.errors import UnavailableError
from sfwidgets.jobs import stop_cluster
from sfwidgets.library import workspace_name
from sfwidgets.library.schema import jobs

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab


@dataclass
class Opened:
    current: Workbench | None


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"soundforge_{name}", labels) or 0.0


def end(wb: Workbench, job_id: str, *, done: float, status: str = "completed") -> None:
    """End a job at that moment, ten seconds after it began, which was three after it was asked for."""
    with wb._shared.database.write() as connection:
        values = {"created_at": done - 13, "started_at": done - 10, "completed_at": done, "attempt": 1}
        made = {"stemSet": workspace_name(job_id, 1)}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(status=status, result=made, **values))


@pytest.fixture
def ask(wb: Workbench, song: Callable[..., Path]) -> Callable[[], str]:
    """Return what inserts a job on a track of 2 seconds and returns its id; no worker knows of it."""
    track = wb.add(song(2.0))
    table = wb._jobs.table
    return lambda: table.submit(wb.owner, "processing", track.id, {"n": time.monotonic()}, settings={})[0].id


def test_every_job_that_ends_is_counted_once_also_when_several_end_at_the_same_moment(
    wb: Workbench, ask: Callable[[], str]
) -> None:
    first, second, third = ask(), ask(), ask()
    end(wb, ask(), done=time.time() - 5)  # before anybody counted
    names = {"kind": "processing", "state": "completed"}
    before = sample("jobs_ended_total", **names)
    worked, heard = sample("work_seconds_total", kind="processing"), sample("audio_seconds_total", kind="processing")
    queued, waits = sample("queue_seconds_sum", kind="processing"), sample("queue_seconds_count", kind="processing")
    errors = sample("jobs_ended_total", kind="processing", state="error")

    figures = Figures(Opened(wb))
    before_the_first_look = time.time()
    figures.look(wb)
    moment = time.time()
    assert sample("jobs", kind="processing", state="queued") == 3
    assert sample("jobs_ended_total", **names) == before
    end(wb, first, done=moment)
    figures.look(wb)
    end(wb, second, done=moment)  # the same moment, seen later
    figures.look(wb)
    end(wb, third, done=before_the_first_look, status="error")  # its transaction took long
    figures.look(wb)
    figures.look(wb)

    assert sample("jobs", kind="processing", state="queued") == 0
    assert sample("jobs_ended_total", **names) == before + 2
    assert sample("jobs_ended_total", kind="processing", state="error") == errors + 1
    assert sample("queue_seconds_count", kind="processing") == waits + 3
    assert sample("queue_seconds_sum", kind="processing") == pytest.approx(queued + 9)
    assert sample("work_seconds_total", kind="processing") == pytest.approx(worked + 20)
    assert sample("audio_seconds_total", kind="processing") == pytest.approx(heard + 4, abs=0.01)


def test_what_was_counted_long_ago_is_neither_kept_nor_counted_again(
    wb: Workbench, ask: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"kind": "processing", "state": "completed"}
    figures = Figures(Opened(wb))
    end(wb, ask(), done=time.time() + 0.01)
    figures.look(wb)
    counted = sample("jobs_ended_total", **names)
    monkeypatch.setattr(metrics, "OVERLAP_SECONDS", -1.0)
    figures.look(wb)
    assert not figures._counted
    figures.look(wb)
    assert sample("jobs_ended_total", **names) == counted


def test_the_figures_follow_the_library_once_it_is_open(
    wb: Workbench, ask: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "REFRESH_SECONDS", 0.01)

    async def follow() -> None:
        opened = Opened(None)
        figures = Figures(opened)
        figures.start()
        ask()
        await asyncio.sleep(0.05)
        assert sample("jobs", kind="processing", state="queued") == 0
        opened.current = wb
        async with asyncio.timeout(10):
            while sample("jobs", kind="processing", state="queued") != 1:
                await asyncio.sleep(0.01)
        await figures.close()

    metrics.JOBS.clear()
    asyncio.run(follow())


def test_a_table_that_cannot_be_read_is_logged_and_read_again(
    wb: Workbench, ask: Callable[[], str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "REFRESH_SECONDS", 0.01)

    async def follow() -> None:
        with wb._shared.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE jobs RENAME TO gone")
        figures = Figures(Opened(wb))
        figures.start()
        async with asyncio.timeout(10):
            while "could not be counted" not in caplog.text:
                await asyncio.sleep(0.01)
            with wb._shared.database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE gone RENAME TO jobs")
            while sample("jobs", kind="processing", state="queued") != 1:
                await asyncio.sleep(0.01)
        await figures.close()

    ask()
    metrics.JOBS.clear()
    asyncio.run(follow())


def test_a_blocked_event_loop_is_measured_and_the_log_says_by_what(caplog: pytest.LogCaptureFixture) -> None:
    def hold_everything_up() -> None:
        time.sleep(0.6)

    def nobody_notices() -> None:
        time.sleep(0.3)

    async def watch() -> None:
        watch = loop_watch.LoopWatch()
        watch.start()
        await asyncio.sleep(0.1)
        for hold_up in (nobody_notices, hold_everything_up, hold_everything_up):
            hold_up()
            await asyncio.sleep(0.05)
        await watch.close()

    longer = sample("event_loop_lag_seconds_count") - sample("event_loop_lag_seconds_bucket", le="0.2")
    with caplog.at_level(logging.WARNING):
        asyncio.run(watch())
    found = sample("event_loop_lag_seconds_count") - sample("event_loop_lag_seconds_bucket", le="0.2")
    assert found == longer + 3
    assert 0.55 < sample("event_loop_longest_lag_seconds") < 3
    lines = [record.getMessage() for record in caplog.records if "event loop was" in record.getMessage()]
    assert len(lines) == 1  # the second one keeps quiet
    assert "hold_everything_up" in lines[0]


def test_the_server_shows_its_figures_to_those_who_signed_in_and_nothing_private(server: Server) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)

    def get(path: str, *, signed_in: bool = True) -> tuple[int, str]:
        connection.request("GET", path, headers={"Authorization": f"token {server.token}"} if signed_in else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    assert get("/metrics", signed_in=False)[0] != 200
    assert get("/api/stats")[0] == 200  # opens the library
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status, text = get("/metrics")
        assert status == 200
        found = {
            (one.name, *sorted(one.labels.values())): one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
        }
        if found.get(("soundforge_jobs", "processing", "queued")) is not None:
            break
        time.sleep(0.2)
    assert found["soundforge_jobs", "processing", "queued"] == 0
    assert found["soundforge_jobs_ended_total", "completed", "processing"] == 0  # it ended before the server began
    assert found["soundforge_event_loop_lag_seconds_count",] > 0
    mine = [line for line in text.splitlines() if "soundforge" in line]
    assert mine
    assert not [line for line in mine if "local" in line or "a-song-of-mine" in line or "Private title" in line]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, excerpt: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("metrics")
    with Workbench(folder / "library") as wb:
        wb.separate(wb.add(excerpt, id="a-song-of-mine", title="Private title"), "embedded").wait()
        with start_lab(folder, wb.settings.library) as running:
            yield running
    stop_cluster(wb.settings)


def test_what_waits_what_is_kept_and_which_parts_work_are_told(wb: Workbench, ask: Callable[[], str]) -> None:
    first, later, now = ask(), ask(), time.time()
    with wb._shared.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == first).values(created_at=now - 100))
        connection.execute(update(jobs).where(jobs.c.id == later).values(created_at=now - 900, not_before=now + 900))
    figures = Figures(Opened(wb))
    figures.look_around(wb)
    figures.look(wb)
    assert 100 <= sample("longest_wait_seconds", kind="processing") < 900
    assert sample("longest_wait_seconds", kind="analysis") == 0
    assert sample("kept_bytes", what="audio") == wb.path(wb.tracks().items[0]).stat().st_size
    assert sample("up", part="database") == 1
    redis = None if wb.settings.redis_url is None else 1
    assert REGISTRY.get_sample_value("soundforge_up", {"part": "redis"}) == redis
    assert sample("workers_offer", resource="separation") == 0
    assert sample("disk_free_bytes") > 0
    lose(wb.settings)
    figures.look_around(wb)
    assert sample("up", part="database") == 1  # it is asked every half minute
    with suppress(UnavailableError):  # SQLite goes on with a file that nobody can find again
        Figures(Opened(wb)).look_around(wb)
    assert sample("up", part="database") == 0
