"""What an owner may have and how often they may ask, as clients meet it: 413 and 429, with sentences and Retry-After."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import socketio
from callers import signed
from servers import Server, start_serve
from serving import Answer, ask
from uploading import Client, heard

from server_ext import limits
from server_ext.limits import Pace
from sfwidgets.errors import SlowDownError

PER_MINUTE = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "SOUNDFORGE_OWNER_GB": "0.0005", "SOUNDFORGE_UPLOAD_MB": "0.4", "SOUNDFORGE_OWNER_JOBS": "7",
        "SOUNDFORGE_OWNER_SOCKETS": "2", "SOUNDFORGE_OWNER_UPLOADS": "1",
        "SOUNDFORGE_REQUESTS_PER_MINUTE": str(PER_MINUTE),
    }  # fmt: skip
    with start_serve(tmp_path_factory.mktemp("limited") / "library", environment=settings) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url, server.token)


def test_the_figures_say_what_one_may_have(server: Server) -> None:
    stats = ask(f"{server.url}api/stats", **signed(server)).body
    assert stats["limits"] == {
        "storageBytes": 500_000, "uploadBytes": 400_000, "unfinishedJobs": 7, "openUploads": 1, "openSockets": 2,
        "requestsPerMinute": PER_MINUTE,
    }  # fmt: skip


def test_a_file_that_is_too_large_is_refused_before_it_comes(client: Client) -> None:
    with contextlib.closing(client.form_by_hand(2_000_000)) as end:
        answer = heard(end)
    assert answer.code == (413, "upload_too_large")
    assert "0.4 MB" in answer.json["error"]
    assert client.tus("POST", Upload_Length="400001").code == (413, "upload_too_large")
    assert client.tus("OPTIONS").headers["Tus-Max-Size"] == "400000"


def test_there_is_room_for_so_much_and_no_more(client: Client, song: Callable[..., Path]) -> None:
    files = [song(1, seed=seed, name=f"{seed}.wav").read_bytes() for seed in range(3)]
    fitting = int(500_000 / len(files[0]))
    assert 1 <= fitting <= 2
    for file in files[:fitting]:
        assert client.send_file(file, "song.wav").status == 201
    refused = client.send_file(files[fitting], "song.wav")
    assert refused.code == (413, "quota_exceeded")
    assert "of the 0.50 MB that you may keep" in refused.json["error"]
    assert client.tus("POST", Upload_Length=str(len(files[0]))).code == (413, "quota_exceeded")
    assert client.send_file(files[0], "song.wav").status == 201, "what is there already takes no more room"


def test_one_upload_at_a_time(client: Client) -> None:
    path = client.begin(10)
    assert client.tus("POST", Upload_Length="10").code == (429, "too_many_uploads")
    assert client.tus("DELETE", path).status == 204


def socket(server: Server) -> http.client.HTTPResponse:
    """Open a plain WebSocket, or be refused; it stays open until the answer is closed."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    handshake = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    connection.request("GET", "/ws", headers={**signed(server), **handshake})
    return connection.getresponse()


def test_so_many_sockets_are_open_at_once(server: Server) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(2):
            assert open_ones.enter_context(contextlib.closing(socket(server))).status == 101
        refused = socket(server)
        assert (refused.status, b"too_many_sockets" in refused.read()) == (429, True)
        assert int(refused.headers["Retry-After"]) > 0
        told: list[Any] = []
        client = socketio.Client(reconnection=False)
        client.on("connect_error", told.append)
        with pytest.raises(socketio.exceptions.ConnectionError):
            client.connect(f"{server.url}?token={server.token}", transports=["websocket"], wait_timeout=10)
        client.disconnect()
        assert [said["data"]["code"] for said in told] == ["too_many_sockets"]


def too_often(server: Server) -> Answer:
    """Ask until that is too often; returns the refusal."""
    for _ in range(3 * PER_MINUTE):
        answer = ask(f"{server.url}api/jobs", **signed(server))
        if answer.status == 429:
            return answer
    raise AssertionError(f"{3 * PER_MINUTE} requests were answered")


def refused(server: Server, attempt: Callable[[], tuple[int, str] | int]) -> tuple[int, str] | int:
    """Return how an attempt fares when there were too many before it; two thirds of a second let one more through."""
    for _ in range(10):
        too_often(server)
        found = attempt()
        if found in (429, (429, "too_many_requests")):
            break
    return found


def test_whoever_asks_too_often_is_told_to_wait(server: Server, client: Client) -> None:
    answer = too_often(server)
    assert answer.body["code"] == "too_many_requests"
    assert f"more than {PER_MINUTE} requests a minute" in answer.body["error"]
    assert int(answer.headers["Retry-After"]) >= 1

    def form() -> tuple[int, str]:
        with contextlib.closing(client.form_by_hand(300_000)) as end:
            return heard(end).code

    polling = f"{server.url}socket.io/?EIO=4&transport=polling&sid=made-up"
    assert refused(server, form) == (429, "too_many_requests"), "before any of the body was read"
    assert refused(server, lambda: socket(server).status) == 429
    polled = refused(server, lambda: ask(polling, **signed(server)).status)
    assert polled == 429, "a session's name that is none makes no request free"
    too_often(server)
    assert ask(f"{server.url}health").status == 200, "whoever watches the server is always answered"
    assert ask(f"{server.url}api/stats").status == 401, "a stranger is no owner"


def test_a_bucket_holds_a_minutes_requests_and_is_refilled_evenly() -> None:
    now = [0.0]
    pace = Pace(60, clock=lambda: now[0])
    for _ in range(60):
        pace.check("ann")
    with pytest.raises(SlowDownError) as refused:
        pace.check("ann")
    assert refused.value.retry_after == pytest.approx(1.0)
    pace.check("bob")
    now[0] = 1.0
    pace.check("ann")
    with pytest.raises(SlowDownError):
        pace.check("ann")
    now[0] = 1000.0
    for _ in range(60):
        pace.check("ann")
    with pytest.raises(SlowDownError):
        pace.check("ann")


def test_callers_who_have_been_quiet_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(limits, "MOST_CALLERS", 10)
    pace = Pace(60, clock=lambda: now[0])
    for number in range(100):
        now[0] = float(number)
        pace.check(f"address-{number}")
    assert len(pace._buckets) <= 10
    quick = Pace(60, clock=lambda: 0.0)
    for number in range(100):
        quick.check(f"address-{number}")
    for _ in range(59):
        quick.check("address-7")
    with pytest.raises(SlowDownError):
        quick.check("address-7")


def test_nothing_is_counted_where_nothing_is_set() -> None:
    pace = Pace(None)
    for _ in range(10_000):
        pace.check("ann")
    assert not pace._buckets
