"""Users of a Supabase project, who speak to a server of ours over HTTP and at each door of the sockets."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import requests
import socketio
from services.auth_server import AuthServer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "server"), str(TESTS / "browser")]
from callers import SOCKETS  # noqa: E402
from servers import Server  # noqa: E402
from serving import Answer, ask, until  # noqa: E402

TUS = {"Tus_Resumable": "1.0.0"}
DOORS = ("plain", "websocket", "polling", "polling query", "websocket header")
"""The last two say at once who they are, the two before in Socket.IO's `auth` field."""


class Person:
    """A user, and what they have."""

    def __init__(self, project: AuthServer, server: Server, name: str) -> None:
        self.id = str(uuid.uuid4())
        self.name = name
        self.project = project
        self.server = server
        self.token = project.token(self.id)
        self.ids: dict[str, str] = {}
        """An id of each kind."""

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, path: str, method: str = "GET", document: Any = None, **headers: str) -> Answer:
        return ask(self.server.url.rstrip("/") + path, method, document, **{**self.bearer, **headers})

    def upload(self, song: Path, track: str) -> dict[str, Any]:
        with song.open("rb") as file:
            answer = requests.post(
                f"{self.server.url}api/tracks", headers=self.bearer, files={"file": file}, timeout=30,
                data={"trackId": track, "title": f"{track} of {self.name}"},
            )  # fmt: skip
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def begin(self, service: str, path: str, document: Any) -> str:
        accepted = self.ask(path, "POST", document)
        assert accepted.status == 202, accepted.body
        return f"/api/{service}/job/{accepted.body['jobId']}"

    def wait(self, *jobs: str) -> None:
        for job in jobs:
            until(lambda job=job: self.ask(job).body["status"] == "completed", seconds=120)

    def separate(self, track: str) -> str:
        return self.begin("process", "/api/process/separate", {"trackId": track, "options": {"model": "embedded"}})

    def analyze(self, track: str) -> str:
        return self.begin("analyze", "/api/analyze/analyze", {"trackId": track})

    def all(self) -> list[Any]:
        """Return all that this user sees."""
        tracks, jobs = self.ask("/api/tracks").body, self.ask("/api/jobs").body
        each = [
            self.ask(f"/api/{service}/track/{track['id']}").body
            for track in tracks["tracks"] for service in ("process", "analyze")
        ]  # fmt: skip
        upload = self.ids.get("uploadId")
        offset = upload and self.ask(f"/api/uploads/{upload}", "HEAD", **TUS).headers["Upload-Offset"]
        return [tracks, jobs, self.ask("/api/stats").body["tracks"], each, offset]


class Follower:
    """A client at one of the doors, with what it was told."""

    def __init__(self, door: str, person: Person, token: str) -> None:
        self.door, self.person, self.token = door, person, token
        self.got: list[tuple[str, Any]] = []
        self.refusal: Any = None
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Follower:
        url = self.person.server.url
        if self.door == "plain":
            self.socket = await connect(f"ws{url[4:]}ws?access_token={self.token}")
            self.reading = asyncio.create_task(self._read())
            return self
        transport, _, how = self.door.partition(" ")
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", lambda name, data: self.got.append((name, data)))
        self.client.on("connect_error", lambda data: setattr(self, "refusal", data))
        self.client.on("disconnect", lambda: self.ended.done() or self.ended.set_result(None))
        await self.client.connect(
            url + (f"?access_token={self.token}" if how == "query" else ""), transports=[transport],
            auth=None if how else {"token": self.token}, wait_timeout=30,
            headers={"Authorization": f"Bearer {self.token}"} if how == "header" else {},
        )  # fmt: skip
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self.door == "plain":
            await self.socket.close()
            await self.reading
        else:
            await self.client.disconnect()

    async def emit(self, event: str, data: str) -> None:
        if self.door == "plain":
            await self.socket.send(json.dumps({"event": event, "data": data}))
        else:
            await self.client.emit(event, data)

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                found = json.loads(frame)
                self.got.append((found["event"], found["data"]))
        except ConnectionClosed:
            pass
        self.ended.set_result(self.socket.close_code)


def said_by_polling(server: Server, auth: str) -> str:
    """Return what a client is told that polls, and signs in by the `auth` field."""
    url = server.url + SOCKETS["polling"]
    session = json.loads(requests.get(url, timeout=30).text[1:])["sid"]
    requests.post(f"{url}&sid={session}", data=f"40{auth}", timeout=30)
    return requests.get(f"{url}&sid={session}", timeout=30).text
