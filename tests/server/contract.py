"""A client of a started server that holds it to the contract, and jobs for it to show."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser.servers import Server

from sfwidgets import Workbench
from sfwidgets.models import JobKind


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json"), self.body[:200]
        return json.loads(self.body, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


Ask = Callable[..., Answer]


def asking(server: Server) -> Ask:
    """Return what asks a server: ask("POST", path, document)."""

    def asked(method: str, path: str, body: Any = None, *, raw: bytes | None = None, token: bool = True) -> Answer:
        headers = {"Authorization": f"token {server.token}"} if token else {}
        if body is not None:
            raw, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request(method, path, body=raw, headers=headers)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read())
        connection.close()
        return found

    return asked


def poll(ask: Ask, path: str) -> Any:
    """Return a job as it is when it has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = ask("GET", path).json
        if job["status"] in ("completed", "error", "cancelled"):
            return job
        time.sleep(0.1)
    raise AssertionError("the job does not end")


def put_job(wb: Workbench, kind: JobKind, track: str, end: str, options: dict[str, Any] | None = None) -> str:
    """Write a job into the table as a worker would, which holds it or has ended it."""
    table = wb._shared.jobs
    job, _ = table.submit(wb.owner, kind, track, options or {}, settings={"models_dir": None, "offline": True})
    claim = table.claim(job.id, f"elsewhere 1 1.0 {job.id}")
    assert claim is not None
    if end == "completed":
        with wb._shared.database.write() as connection:
            table.complete(connection, claim.job, output_path="audio/local/ab/abc.mp3", result={})
    elif end == "error":
        table.fail(claim.job, "Nothing was found.", "no_match")
    elif end == "cancelled":
        table.cancelled(claim.job)
    return job.id
