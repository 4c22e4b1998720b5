"""A server that dies, or is told to stop, takes no job with it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from serving import answers, ask, gone, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sfwidgets import Workbench
from sfwidgets.jobs.cluster import address_file

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_serve

Song = Callable[..., Path]


def separate(server: Server) -> str:
    """Ask for a separation of the track "song" that is long enough to be met in its middle; returns the job's id."""
    asked = ask(
        f"{server.url}api/process/separate", "POST", {"trackId": "song", "options": {"model": "embedded"}},
        Authorization=f"token {server.token}",
    )  # fmt: skip
    assert (asked.status, asked.body["status"]) == (202, "queued")
    job = str(asked.body["jobId"])
    until(lambda: state(server, job)["status"] == "processing")  # by the first progress, a fast machine may be done
    return job


def state(server: Server, job: str) -> dict[str, object]:
    answer = ask(f"{server.url}api/process/job/{job}", Authorization=f"token {server.token}")
    assert answer.status == 200
    return dict(answer.body)


def events_of_a_late_subscriber(server: Server) -> list[str]:
    """Return the names of what a client is told that subscribes now."""
    address = f"{server.url.replace('http', 'ws')}ws?token={server.token}"
    with connect(address, open_timeout=10) as socket:
        socket.send(json.dumps({"event": "subscribe:track", "data": "song"}))
        return [json.loads(socket.recv(10))["event"] for _ in range(2)]


def test_a_job_survives_kill_9_of_the_server_in_its_middle(wb: Workbench, song: Song) -> None:
    wb.add(song(14), id="song")
    library = wb.settings.library
    with start_serve(library, "--dashboard") as server:
        until(lambda: len(server.kernels()) == 1)  # the dashboard's, preheated
        job = separate(server)
        assert state(server, job)["status"] == "processing"
        family = psutil.Process(server.process.pid).children(recursive=True)
        cluster = psutil.Process(json.loads(address_file(wb.settings).read_text())["pid"])
        family = [p for p in family if p not in (cluster, *cluster.children(recursive=True))]
        server.process.kill()
        server.process.wait()
        with start_serve(library) as again:
            until(lambda: gone(family), 10)
            assert cluster.is_running()
            until(lambda: state(again, job)["status"] == "completed", 120)
            assert events_of_a_late_subscriber(again) == ["processing:job:completed", "processing:completed"]
            (stem_set,) = wb.stem_sets("song")
            assert [p.name for p in (library / "stems").glob("*/*/*/*")] == [stem_set.id]
            assert sorted(s.type for s in stem_set.stems) == ["bass", "drums", "other", "vocals"]


@pytest.mark.soak
def test_a_server_that_starts_takes_up_what_a_machine_left_that_lost_its_power(wb: Workbench, song: Song) -> None:
    job = wb.separate(wb.add(song(14), id="song"), "embedded")
    until(lambda: job.progress >= 5)
    cluster = psutil.Process(json.loads(address_file(wb.settings).read_text())["pid"])
    family = [cluster, *cluster.children(recursive=True)]
    cluster.kill()
    wb.close()
    until(lambda: gone(family), 30)
    with start_serve(wb.settings.library) as server:
        running = address_file(wb.settings)
        until(lambda: json.loads(running.read_text())["pid"] != cluster.pid)  # nobody has asked for anything yet
        until(lambda: state(server, job.id)["status"] == "completed", 120)
        shown = ask(f"{server.url}api/process/track/song", Authorization=f"token {server.token}").body
        assert sorted(stem["type"] for stem in shown["stems"]) == ["bass", "drums", "other", "vocals"]


def test_ctrl_c_in_a_terminal_ends_the_server_and_the_dashboard_and_no_job(wb: Workbench, song: Song) -> None:
    wb.add(song(14), id="song")
    controller, terminal = os.openpty()
    with start_serve(wb.settings.library, "--dashboard", stdin=terminal) as server:
        until(lambda: answers(f"http://127.0.0.1:{int(urlsplit(server.url).port or 0) + 1}/"))
        made = ask(f"{server.url}api/kernels", "POST", Authorization=f"token {server.token}")
        assert made.status == 201
        job = separate(server)
        family = psutil.Process(server.process.pid).children(recursive=True)
        cluster = psutil.Process(json.loads(address_file(wb.settings).read_text())["pid"])
        family = [p for p in family if p not in (cluster, *cluster.children(recursive=True))]
        assert len(family) >= 3
        with connect(f"{server.url.replace('http', 'ws')}ws?token={server.token}", open_timeout=10) as socket:
            server.process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed) as ended:
                socket.recv(10)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001
        assert server.process.wait(10) == 0
        until(lambda: gone(family), 2)
        assert "Shut down this" not in server.said()
        handle = wb.job(job).wait(120)
        assert handle.value.attempt == 1
        assert len(wb.stems("song").stems) == 4
    os.close(controller)
    os.close(terminal)
