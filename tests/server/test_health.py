"""What `/health` says: each part as it is, soon, and without starting anything."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from services.everywhere import lose

from sfwidgets import Workbench
from sfwidgets.settings import Settings
from sfwidgets.workbench.health import unopened


def services(wb: Workbench) -> dict[str, str]:
    found: dict[str, str] = wb.health().to_json()["services"]
    return found


def with_scheduler(wb: Workbench, address: str) -> Workbench:
    wb.settings = wb.settings.model_copy(update={"dask_scheduler": address})
    return wb


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of somebody who answers no connection any more: its queue of them is full."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            caller = sockets.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def test_a_new_library_is_well_and_nothing_is_started_by_asking(wb: Workbench) -> None:
    redis = "off" if wb.settings.redis_url is None else "up"
    assert wb.health().to_json() == {
        "status": "ok",
        "services": {"apiGateway": "up", "redis": redis, "supabase": "off", "database": "up", "workers": "off"},
    }
    assert not (wb.settings.library / "run" / "cluster.json").exists()


def test_workers_that_run_are_up_and_such_that_died_are_off(shared_wb: Workbench, wb: Workbench) -> None:
    shared_wb._jobs.client()
    assert services(shared_wb)["workers"] == "up"
    run = wb.settings.library / "run"
    run.mkdir()
    (run / "cluster.json").write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    assert services(wb)["workers"] == "off"
    (run / "cluster.json").write_text("{")
    assert services(wb)["workers"] == "off"


def test_a_scheduler_that_is_configured_is_up_or_down(wb: Workbench) -> None:
    with socket.socket() as scheduler:
        scheduler.bind(("127.0.0.1", 0))
        port = scheduler.getsockname()[1]
        assert services(with_scheduler(wb, f"tcp://127.0.0.1:{port}"))["workers"] == "down"
        assert wb.health().status == "degraded"
        scheduler.listen()
        assert services(with_scheduler(wb, f"127.0.0.1:{port}"))["workers"] == "up"
        assert wb.health().status == "ok"


@pytest.mark.parametrize("address", ["tcp://", "tcp://host:port", "nobody.invalid:8786"])
def test_an_address_that_is_none_is_down(wb: Workbench, address: str) -> None:
    assert services(with_scheduler(wb, address))["workers"] == "down"


def test_a_database_that_hangs_is_down_within_a_second_and_asked_once(
    wb: Workbench, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, asked = threading.Event(), []
    real = wb._shared.database.revision

    def hangs() -> str | None:
        asked.append(threading.current_thread())
        released.wait(60)
        return real()

    monkeypatch.setattr(wb._shared.database, "revision", hangs)
    with_scheduler(wb, deaf)
    for _ in range(2):
        began = time.monotonic()
        health = wb.health()
        assert time.monotonic() - began < 1.2
        assert health.status == "degraded"
        assert (health.services.database, health.services.workers) == ("down", "down")
    assert len(asked) == 1
    released.set()
    asked[0].join()
    assert services(wb)["database"] == "up"


def test_a_database_that_has_gone_is_down(wb: Workbench) -> None:
    lose(wb.settings)
    assert services(wb)["database"] == "down"


def test_a_project_that_does_not_answer_is_down_within_the_second(wb: Workbench, deaf: str) -> None:
    began = time.monotonic()
    for address in (f"http{deaf[3:]}", "http://127.0.0.1:9", "https://nobody.invalid"):
        wb.settings = wb.settings.model_copy(update={"supabase_url": address})
        assert services(wb)["supabase"] == "down"
    assert time.monotonic() - began < 3 * 1.2


def test_a_server_without_a_library_says_so(tmp_path: Path, deaf: str) -> None:
    (tmp_path / "file").write_text("")
    lost = Settings(library=tmp_path / "file" / "library")
    redis = "off" if lost.redis_url is None else "up"
    assert unopened(lost).to_json()["services"] == {
        "apiGateway": "up", "redis": redis, "supabase": "off", "database": "down", "workers": "off",
    }  # fmt: skip
    began = time.monotonic()
    assert unopened(Settings(library=lost.library, dask_scheduler=deaf)).services.workers == "down"
    assert time.monotonic() - began < 1.2
    assert unopened(lost).status == "degraded"
