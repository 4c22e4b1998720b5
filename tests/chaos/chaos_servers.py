"""Two servers before a library, and clients of theirs that follow the events: one goes to the other when its own dies."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import socketio
import websockets
from services.cluster import SOUNDFORGE, Member
from services.postgres import free_port

from sfwidgets.errors import UnavailableError
from sfwidgets.library.jobs import RECENT_SECONDS
from sfwidgets.models import TERMINAL
from tests.server.serving import Answer, ask, until

START_SECONDS = 90.0
TOLD_SECONDS = 30.0
AGAIN_SECONDS = 0.2
SERVICES = {"download": "download", "batch": "download", "processing": "process", "analysis": "analyze"}
"""Where jobs of each kind are, under `/api`."""
HOMES = ("jupyter_config_dir", "jupyter_data_dir", "jupyter_runtime_dir", "jupyterlab_settings_dir", "ipythondir")


class Server(Member):
    """One `soundforge serve`, which is at the same address when it is started again."""

    def __init__(self, folder: Path, name: str, token: str, environment: dict[str, str]) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.token = token
        home = folder / name
        home.mkdir(parents=True)
        own = {variable.upper(): str(home / variable) for variable in HOMES}
        command = [*SOUNDFORGE, "serve", "--port", str(port), "--folder", str(home / "notebooks"), "--no-browser"]
        given = {**os.environ, **own, **environment, "JUPYTER_TOKEN": token}
        super().__init__(name, command, given, folder / f"{name}.log")

    def ask(self, path: str, method: str = "GET", document: Any = None) -> Answer:
        """Return the server's answer; raises `OSError` or `HTTPException` where there is none."""
        return ask(f"http://{self.address}{path}", method, document, Authorization=f"token {self.token}")

    def ready(self) -> bool:
        """Return whether it answers that all is well."""
        with suppress(OSError, http.client.HTTPException):
            answer = self.ask("/health")
            return answer.status == 200 and answer.body["status"] == "ok"
        return False

    def stand_still(self, seconds: float) -> None:
        """Let the process stand still."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            process.suspend()
            time.sleep(seconds)
            process.resume()


class Servers:
    """The two servers, as the clients of a service know them."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        token = secrets.token_hex(16)
        self.folder = folder
        self.all = [Server(folder, name, token, environment) for name in ("server-a", "server-b")]

    def ready(self) -> None:
        """Wait until both are there, as they are without us."""
        until(lambda: all(server.ready() for server in self.all), START_SECONDS)

    def post(self, path: str, document: dict[str, Any], first: int) -> None:
        """Ask a server for a job, and the other where that one is dead or says 503, as a proxy does.

        Raises `UnavailableError` where neither takes it.
        """
        said: Any = None
        for number in (first, 1 - first):
            try:
                answer = self.all[number].ask(path, "POST", document)
            except (OSError, http.client.HTTPException) as error:
                said = error
                continue
            if answer.status == 202:
                return
            said = answer.body
            assert answer.status == 503, said
        raise UnavailableError(f"Neither server takes the job: {said}")

    def check(self, jobs: list[Any]) -> None:
        """Both servers say of each job what the table says, once they are there again."""
        self.ready()
        for server in self.all:
            for row in jobs:
                answer = server.ask(f"/api/{SERVICES[row.kind]}/job/{row.id}")
                assert answer.status == 200, answer.body
                assert (answer.body["status"], answer.body["error"]) == (row.status, row.error)

    def stop(self) -> None:
        """Kill both."""
        for server in self.all:
            server.kill()

    def said(self) -> str:
        """Return the end of what each wrote."""
        return "\n".join(f"== {s.name}\n{s.log.read_text(errors='replace')[-3000:]}" for s in self.all)


@dataclass
class Session:
    """One connection of a client to a server, and what it was told through it."""

    server: str
    began: float = field(default_factory=time.time)
    told: list[tuple[str, Any]] = field(default_factory=list)

    def long(self, job_id: str) -> list[dict[str, Any]]:
        """Return the states of a job, in the order in which they came."""
        return [data for name, data in list(self.told) if ":job:" in name and data["id"] == job_id]

    def short_ends(self, job_id: str) -> list[str]:
        """Return how the shorter events said that a job ended."""
        short = [data for name, data in list(self.told) if ":job:" not in name and name != "error"]
        return [data["status"] for data in short if data["jobId"] == job_id and data["status"] in TERMINAL]

    def knows(self, job_id: str) -> bool:
        """Return whether the client was told of the job's end."""
        return any(data["status"] in TERMINAL for data in self.long(job_id))


class Follower:
    """A client that follows tracks through one of the doors: at its own server, or at the other when that one dies."""

    def __init__(self, servers: list[Server], door: str, home: int, tracks: list[str]) -> None:
        self.name = f"the client of {servers[home].name} ({door})"
        self.sessions: list[Session] = []
        self._servers = servers
        self._turn = home
        self._tracks = tracks
        self._connect = self._plain if door == "plain" else self._socketio

    async def follow(self) -> None:
        """Follow until this is cancelled."""
        while True:
            server = self._servers[self._turn % 2]
            with suppress(OSError, TimeoutError, websockets.WebSocketException, socketio.exceptions.ConnectionError):
                await self._connect(server)
            self._turn += 1
            await asyncio.sleep(AGAIN_SECONDS)

    def check(self, rows: list[Any]) -> None:
        """Assert that it was told of the end of each job, once a connection, and of nothing twice or out of order.

        Whoever connects again is told of what ended a moment ago, too.
        """
        for row in (row for row in rows if row.track_id is not None):
            deadline = time.monotonic() + TOLD_SECONDS
            while not self._knows(row):
                assert time.monotonic() < deadline, f"{self.name} was not told how {row.kind} {row.id} ended: {self}"
                time.sleep(0.02)
            for session in self.sessions:
                faults = [data for name, data in session.told if name == "error" and data["code"] == "internal"]
                assert not faults, f"{self.name} was told {faults}"
                told = session.long(row.id)
                seqs = [data["seq"] for data in told]
                assert seqs == sorted(set(seqs)), f"{self.name} was told out of order: {told}"
                ends = [(data["status"], data["seq"]) for data in told if data["status"] in TERMINAL]
                assert ends in ([], [(row.status, row.seq)]), f"{self.name} was told {told}"
                assert not ends or told[-1]["seq"] == row.seq
                if row.kind in ("processing", "analysis"):
                    cut = ends and session is not self.sessions[-1] and session.told[-1][1] is told[-1]
                    short = [] if cut else [row.status for _ in ends]  # its server died between the two
                    assert session.short_ends(row.id) == short, f"{self.name}: {session.told}"

    def __repr__(self) -> str:
        return f"{self.name}: {self.sessions}"

    def _knows(self, row: Any) -> bool:
        if not self.sessions:
            return False
        last = self.sessions[-1]
        long_ago = row.completed_at < last.began - RECENT_SECONDS + START_SECONDS / 3
        return last.knows(row.id) or (long_ago and any(session.knows(row.id) for session in self.sessions))

    def _begin(self, server: Server) -> Session:
        self.sessions.append(Session(server.name))
        return self.sessions[-1]

    async def _plain(self, server: Server) -> None:
        address = f"ws://{server.address}/ws?token={server.token}"
        async with websockets.connect(address, max_size=None, proxy=None) as socket:
            session = self._begin(server)

            async def send(name: str, data: str) -> None:
                await socket.send(json.dumps({"event": name, "data": data}))

            await self._subscribe(send)
            async for message in socket:
                frame = json.loads(message)
                await self._take(session, frame["event"], frame["data"], send)

    async def _socketio(self, server: Server) -> None:
        client = socketio.AsyncClient(reconnection=False)
        session = self._begin(server)

        async def take(name: str, data: Any) -> None:
            await self._take(session, name, data, client.emit)

        client.on("*", take)
        try:
            await client.connect(f"http://{server.address}?token={server.token}", transports=["websocket"])
            await self._subscribe(client.emit)
            await client.wait()
        finally:
            await client.disconnect()

    async def _take(
        self, session: Session, name: str, data: Any, send: Callable[[str, str], Coroutine[Any, Any, None]]
    ) -> None:
        session.told.append((name, data))
        if name == "error":  # the database may be away just now
            await asyncio.sleep(AGAIN_SECONDS)
            await self._subscribe(send)

    async def _subscribe(self, send: Callable[[str, str], Coroutine[Any, Any, None]]) -> None:
        for track in self._tracks:
            await send("subscribe:track", track)


@contextmanager
def following(followers: list[Follower]) -> Iterator[None]:
    """Let clients follow within the block; raises what went wrong with one of them."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="followers", daemon=True)
    thread.start()
    running: list[Future[None]] = [asyncio.run_coroutine_threadsafe(each.follow(), loop) for each in followers]
    try:
        yield
        for each in running:
            if each.done():
                each.result()
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
