"""Follows tracks by `frontend/client.mjs`, a program under Node, and looks at what it was told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from old_front_end import node

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server

EARLY_MS = 25.0
"""How much sooner than its 202 an event may seem to come: the client reads them from two connections."""
TERMINAL_MS = 500.0


def separation(track: str) -> tuple[str, dict[str, Any]]:
    return "/api/process/separate", {"trackId": track, "options": {"model": "embedded", "twoStems": False}}


def follow(server: Server, track: str, *, token: str | None, **asked: Any) -> dict[str, Any]:
    """Follow a track, ask for its separation twice, and return what happened."""
    shown = {} if token is None else {token: server.token}
    requests = asked.pop("requests", [separation(track), separation(track)])
    said = json.loads(
        node("client.mjs", json.dumps({"url": server.url, "track": track, "requests": requests, **shown, **asked}))
    )
    assert isinstance(said, dict)
    return said


def events_of(said: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Return the events of a job, their times in ms since its 202."""
    job = said["jobs"][number]
    return [
        {**event, "at": event["at"] - job["accepted"]}
        for event in said["events"]
        if event["data"].get("jobId", event["data"].get("id")) == job["id"]
    ]


def check_order(got: list[dict[str, Any]]) -> None:
    """Check the events of one separation: after the 202, in order, each once, the end half a second later at the soonest."""
    names = [event["name"] for event in got]
    assert names[0] == "processing:job:created"
    assert names[-2:] == ["processing:job:completed", "processing:completed"]
    assert names.count("processing:started") <= 1
    assert [name for name in names if "completed" in name] == names[-2:]
    assert got[0]["at"] > -EARLY_MS
    assert got[-2]["at"] > TERMINAL_MS - EARLY_MS
    numbers = [event["data"]["seq"] for event in got if ":job:" in event["name"]]
    assert numbers == sorted(set(numbers))
    for family in (":job:", ""):
        progress = [event["data"]["progress"] for event in got if (":job:" in event["name"]) == bool(family)]
        assert progress == sorted(progress)
        assert progress[-1] == 100
    short = got[-1]["data"]
    assert sorted(short["stems"]) == ["bass.flac", "drums.flac", "other.flac", "vocals.flac"]
    assert set(short) == {"trackId", "jobId", "status", "progress", "stems"}
