"""Clients of the live events, one for each door, that keep whatever they are sent and when."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import socket as sockets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import socketio
import websockets

from tests.browser.servers import Server


@dataclass
class Listener:
    """A client; `got` is what it was sent, as (name, data), and `at` the moments at which that arrived."""

    door: str
    got: list[tuple[str, Any]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    emit: Callable[[str, Any], Any] = print
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, name: str, data: Any) -> None:
        self.at.append(time.time())
        self.got.append((name, data))
        self._arrived.set()

    async def until(self, condition: Callable[[], Any], seconds: float = 30.0) -> None:
        """Wait until something is true of what has arrived."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def ended(self, *job_ids: str) -> None:
        """Wait for the last event of jobs, and a moment longer for what should not come."""
        await self.until(
            lambda: set(job_ids) <= {data["id"] for name, data in self.long() if data["status"] in TERMINAL}
        )
        await asyncio.sleep(0.2)

    async def settled(self) -> None:
        """Wait until what was subscribed to is followed: a client is answered in turn. What came until then is forgotten."""
        await self.emit("unsubscribe:track", "!")
        await self.until(lambda: any(name == "error" for name, _ in self.got))
        self.got.clear()
        self.at.clear()

    def long(self, job_id: str | None = None) -> list[tuple[str, Any]]:
        return [(n, d) for n, d in self.got if ":job:" in n and job_id in (None, d["id"])]

    def short(self, job_id: str | None = None) -> list[tuple[str, Any]]:
        return [(n, d) for n, d in self.got if ":job:" not in n and n != "error" and job_id in (None, d["jobId"])]


TERMINAL = {"completed", "error", "cancelled"}
DOORS = ("plain", "websocket", "polling", "upgrade")
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}


@asynccontextmanager
async def listening(server: Server, door: str, *tracks: str) -> AsyncIterator[Listener]:
    """Connect to a server by one of `DOORS`, and subscribe to tracks."""
    async with (_plain if door == "plain" else _socketio)(server, door) as listener:
        for track in tracks:
            await listener.emit("subscribe:track", track)
        yield listener


@asynccontextmanager
async def _plain(server: Server, door: str) -> AsyncIterator[Listener]:
    url = f"{server.url.replace('http', 'ws', 1)}ws?token={server.token}"
    async with websockets.connect(url, max_size=None) as socket:
        listener = Listener(door, emit=lambda name, data: socket.send(json.dumps({"event": name, "data": data})))

        async def read() -> None:
            with suppress(websockets.ConnectionClosed):
                async for message in socket:
                    frame = json.loads(message)
                    listener.take(frame["event"], frame["data"])

        reading = asyncio.create_task(read())
        yield listener
        await socket.close()
        await reading


@asynccontextmanager
async def _socketio(server: Server, door: str) -> AsyncIterator[Listener]:
    client = socketio.AsyncClient(reconnection=False)
    listener = Listener(door, emit=client.emit)
    client.on("*", listener.take)
    address = f"{server.url}?token={server.token}"
    await client.connect(address, transports=TRANSPORTS[door], wait_timeout=10)
    try:
        yield listener
    finally:
        await client.disconnect()


def raw_websocket(server: Server, path: str) -> sockets.socket:
    """Return a TCP connection that has become a WebSocket and of which nobody reads anything more."""
    parts = urlsplit(server.url)
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect((parts.hostname, parts.port))
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    raw.sendall(
        f"GET {path}token={server.token} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert b" 101 " in raw.recv(64)
    return raw


def masked(text: str) -> bytes:
    """Return a short text frame as clients send them; a mask of zeros leaves it as it is."""
    payload = text.encode()
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload
