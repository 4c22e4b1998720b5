"""Programs under Node: axios and socket.io-client 4, and the plain WebSocket, with a token and without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_client import check_order, events_of, follow, separation
from old_front_end import install
from simple_song import write_song

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab

DOORS: dict[str, dict[str, Any]] = {
    "polling, then websocket": {"door": "socket.io", "token": "header"},
    "websocket only": {"door": "socket.io", "transports": ["websocket"], "token": "query"},
    "polling only": {"door": "socket.io", "transports": ["polling"], "token": "header"},
    "ws": {"door": "ws", "token": "header"},
    "node's WebSocket": {"door": "built-in", "token": "query"},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tracks that nothing was done with yet, one a test."""
    install()
    folder = tmp_path_factory.mktemp("node")
    with Workbench(folder / "library") as wb:
        for number in range(len(DOORS) + 1):
            wb.add(write_song(folder / "song.wav", 1.0, seed=number), id=f"song-{number}")
        yield wb.settings.library
    stop_cluster(wb.settings)


@pytest.fixture(scope="module")
def guarded(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_lab(tmp_path_factory.mktemp("root"), library) as server:
        yield server


@pytest.mark.parametrize("name", DOORS)
def test_a_separation_is_followed_from_its_202_to_its_end(guarded: Server, name: str) -> None:
    said = follow(guarded, f"song-{list(DOORS).index(name)}", **DOORS[name])
    assert said["refused"] is None
    assert [job["status"] for job in said["jobs"]] == [202, 202]
    assert said["transport"] == ("polling" if "polling only" in name else "websocket")
    assert len(said["connections"]) == 1
    for number in range(2):  # the second has nothing left to do
        check_order(events_of(said, number))
    assert len({job["id"] for job in said["jobs"]}) == 2
    assert len(said["events"]) == sum(len(events_of(said, number)) for number in range(2))


@pytest.mark.parametrize(
    "asked",
    [
        {"door": "socket.io"}, {"door": "socket.io", "transports": ["websocket"]}, {"door": "ws"}, {"door": "built-in"},
        {"door": "socket.io", "header": "wrong"}, {"door": "socket.io", "transports": ["websocket"], "query": "wrong"},
        {"door": "ws", "header": "wrong"},
    ],
    ids=lambda asked: "-".join(str(value) for value in asked.values()),
)  # fmt: skip
def test_without_the_right_token_a_program_is_refused_at_every_door(guarded: Server, asked: dict[str, Any]) -> None:
    said = follow(guarded, "song-0", token=None, **asked)
    assert said["refused"]
    assert said["connections"] == []
    assert said["events"] == []
    assert [(job["status"], job["body"]["code"]) for job in said["jobs"]] == [(401, "not_signed_in")] * 2


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"]], ids="+".join)
def test_a_client_that_lost_its_connection_gets_the_end_when_it_is_back(guarded: Server, transports: list[str]) -> None:
    track = f"song-{len(DOORS)}"
    said = follow(
        guarded,
        track,
        door="socket.io",
        transports=transports,
        token="header",
        drops=True,
        requests=[separation(track)],
    )
    assert len(said["connections"]) == 2
    got = events_of(said, 0)
    names = [event["name"] for event in got]
    assert names.count("processing:job:completed") == names.count("processing:completed") == 1
    assert names[-2:] == ["processing:job:completed", "processing:completed"]
    numbers = [event["data"]["seq"] for event in got if ":job:" in event["name"]]
    assert numbers == sorted(numbers)  # the newest state is told again
