"""Live events: what happens to jobs, sent to the clients that follow them, through two doors."""

from __future__ import annotations

from typing import Any

from server_ext.gate import Gate
from server_ext.live.live import Live
from server_ext.live.plain import PlainDoor
from server_ext.live.socketio_door import SocketIODoor, socketio_handler
from server_ext.live.timing import Hold

__all__ = ["Hold", "Live", "routes"]


def routes(live: Live) -> list[tuple[str, type[Gate], dict[str, Any]]]:
    """Return the routes of both doors."""
    return [
        (r"/socket\.io/?", socketio_handler(SocketIODoor(live)), {}),
        ("/ws", PlainDoor, {"live": live}),
    ]
