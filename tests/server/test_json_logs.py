"""Logs as JSON: one object a line, from the server and from its workers, with the request and the job, and no secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import ask, until

from sfwidgets import logs
from sfwidgets.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import start_serve

SECRETS = [
    "GET /api/tracks?access_token=hemlichhemlich&x=1",
    "Authorization: Bearer hemlichhemlichhemlich",
    "postgresql+psycopg://soundforge:hemlichhemlich@db/soundforge is gone",
    "redis://:hemlichhemlich@cache:6379/0",
    "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoZW1saWNoaGVtbGljaCJ9.hemlichhemlich",
]


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert "hemlich" not in logs.masked(text)
    assert "[secret]" in logs.masked(text)


@pytest.mark.parametrize("text", ["GET /api/tracks?search=a&page=2", "The token has expired.", "http://host:8888/lab"])
def test_what_is_none_is_left_as_it_is(text: str) -> None:
    assert logs.masked(text) == text


def test_the_text_format_stays_what_it_is() -> None:
    before = list(logging.getLogger().handlers)
    logs.use_configured_format(Settings())
    assert logging.getLogger().handlers == before


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_is_an_object_that_names_its_request_and_its_job(tmp_path: Path, song: Callable[..., Path]) -> None:
    library = tmp_path / "library"
    with start_serve(library, environment={"SOUNDFORGE_LOG_FORMAT": "json"}) as server:
        signed = {"Authorization": f"token {server.token}"}
        answer = ask(f"{server.url}api/tracks?token={server.token}", X_Request_Id="from-the-proxy", **signed)
        assert (answer.status, answer.headers["X-Request-Id"]) == (200, "from-the-proxy")
        other = ask(f"{server.url}api/tracks", X_Request_Id='"} {"', **signed).headers["X-Request-Id"]
        assert len(other) == 32
        assert ask(f"{server.url}api/tracks").status == 401
        asked = ask(f"{server.url}api/process/models/download", "POST", {"modelName": "embedded"}, **signed)
        job = asked.body["jobId"]
        until(lambda: ask(f"{server.url}api/process/job/{job}", **signed).body["status"] == "completed", 90)
        until(lambda: job in (library / "run" / "cluster.log").read_text())
        said = server.said()
        worked = (library / "run" / "cluster.log").read_text()
    assert server.token not in said
    found = lines(said)
    told = [line for line in found if line.get("request") == "from-the-proxy"]
    assert [(line["method"], line["path"], line["status"]) for line in told] == [("GET", "/api/tracks", 200)]
    assert [line["status"] for line in found if line.get("path") == "/api/tracks"] == [200, 200, 401]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in [*found, *lines(worked)])
    ended = [line for line in lines(worked) if f"{job} completed" in line["message"]]
    assert [line["job"] for line in ended] == [job]
