"""What the tests of `soundforge serve` share: asking a server, and waiting for processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: Any


def ask(url: str, method: str = "GET", document: Any = None, **headers: str) -> Answer:
    """Return the answer to a request; its body is read where it is JSON. `X_Name` is the header X-Name."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(connection):
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=None if document is None else json.dumps(document), headers=given)
        answer = connection.getresponse()
        body = answer.read()
        is_json = body and answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(answer.status, answer.headers, json.loads(body) if is_json else body)


def answers(url: str) -> bool:
    try:
        return ask(url).status == 200
    except OSError:
        return False


def until(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def gone(family: list[psutil.Process]) -> bool:
    return not any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in family)
