"""Callers of the API that say who they are, or do not: over HTTP, and at the doors of the sockets."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from serving import Answer, ask

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server

SOCKETS = {
    "polling": "socket.io/?EIO=4&transport=polling",
    "websocket": "socket.io/?EIO=4&transport=websocket",
    "plain": "ws",
}


def shake(server: Server, door: str, **headers: str) -> Answer:
    """Return the answer of a socket's door: 200 (polling) or 101 (the others) where it opens."""
    if door != "polling":
        headers |= {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
    return ask(server.url + SOCKETS[door], **headers)


def opened(answer: Answer) -> bool:
    return answer.status in (101, 200)


def signed(server: Server) -> dict[str, str]:
    return {"Authorization": f"token {server.token}"}


def refused(answer: Answer, status: int) -> None:
    """Check that an answer is an error of ours, which no page of another origin may read."""
    assert answer.status == status
    assert set(answer.body) == {"error", "code"}
    assert answer.body["code"] == {401: "not_signed_in", 403: "refused"}[status]
    assert "access-control-allow-origin" not in answer.headers


def filled(template: str, **values: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "none"), template)


def jar(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
