"""What the server answers, and how fast, while it works: status reads, the notebook server beside them, its event loop.

    python bench/server.py [start] [reads] [live] [--seconds 30]

One real Jupyter Server on one library, asked over HTTP from processes of their own. `start`: the first use of a fresh
server, until its workers are up and a first separation has ended. `reads`: `GET /api/process/job/:id` on 1 and on 16
connections kept alive, against Jupyter's own `/api/status` and `/api/contents` on the same server, first while it rests
and then while it separates; what the notebook server does beside it (a folder listed, a cell run, ten times a second)
is measured all the while. `live`: what `tests/server/live_load.py` says of the sockets. How long the event loop was
blocked is the server's own figure of the last minute: with the load, the server and the separation on the same few cores,
the loop also waits for a core, which is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import numpy as np
import soundfile
from prometheus_client.parser import text_string_to_metric_families

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))
from tests.browser.servers import Server, start_lab  # noqa: E402
from tests.server import live_load  # noqa: E402

RATE = 44100
LIMIT_MS = 50.0
"""The event loop may be blocked for as long."""
BESIDE_SECONDS = 0.1
"""The notebook server is asked this often beside the load."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["start", "reads", "live"])
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each load")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundforge-bench-") as name, Workbench(Path(name) / "library") as wb:
        folder = Path(name)
        (folder / "root").mkdir()
        wb.add(song(folder, 10.0), id="short")
        for number in range(20):
            wb.add(song(folder, 240.0, number), id=f"song-{number}")
        print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the beginning", flush=True)
        try:
            with start_lab(folder / "root", wb.settings.library) as server, fresh_processes() as processes:
                asyncio.run(measure(given.parts, server, wb, processes, given.seconds))
        finally:
            stop_cluster(wb.settings)


async def measure(
    parts: list[str], server: Server, wb: Workbench, processes: ProcessPoolExecutor, seconds: float
) -> None:
    async with aiohttp.ClientSession(server.url, headers={"Authorization": f"token {server.token}"}) as session:
        bench = Bench(server, session, wb, processes, seconds)
        for part in parts:
            await getattr(bench, part)()


@dataclass
class Times:
    """How long answers took, in seconds."""

    taken: list[float] = field(default_factory=list)
    over: float = 0.0
    """For how long they were asked for."""

    def row(self, what: str) -> None:
        found = np.array(self.taken) * 1000
        rate = f"{len(found) / self.over:8.0f}" if self.over else " " * 8
        median, late, longest = np.median(found), np.quantile(found, 0.99), found.max()
        print(f"  {what:58}{rate}{median:10.1f}{late:10.1f}{longest:10.1f}", flush=True)


class Bench:
    """A server, a session that is signed in, and processes that make load."""

    def __init__(
        self,
        server: Server,
        session: aiohttp.ClientSession,
        wb: Workbench,
        processes: ProcessPoolExecutor,
        seconds: float,
    ) -> None:
        self.server, self.session, self.wb, self.processes, self.seconds = server, session, wb, processes, seconds

    async def start(self) -> None:
        heading("start")
        await self.lag("the server's own start")
        opened = await self.timed(lambda: self.get("api/tracks"))
        print(f"  {'the first answer, which opens the library':58}{opened * 1000:18.1f}")
        await self.lag("up to the first answer")
        beside = Times()
        asked = asyncio.create_task(self.timed(lambda: self.separate("short")))
        while not asked.done():
            beside.taken.append(await self.timed(lambda: self.get("api/tracks")))
            await asyncio.sleep(BESIDE_SECONDS)
        print(f"  {'the first separation asked for, which starts the workers':58}{await asked * 1000:18.1f}")
        beside.row("tracks listed meanwhile")
        while (await self.get("api/process/track/short"))["status"] not in ("completed", "error"):
            await asyncio.sleep(0.2)
        await self.lag("up to the end of the first separation")

    async def reads(self) -> None:
        job = (await self.separate("short"))["jobId"]
        await asyncio.sleep(2)
        async with self.kernel() as cell:
            heading("the server rests")
            paths = {
                "job's status": f"api/process/job/{job}",
                "/api/status": "api/status",
                "/api/contents": "api/contents",
            }
            resting = {name: await self.load(path, 16) for name, path in paths.items()}
            for name, times in resting.items():
                times.row(f"{name}, 16 connections")
            await self.beside(self.seconds / 2, cell, "nothing else")
            await self.lag("at rest, under load")

            running = [(await self.separate(f"song-{number}"))["jobId"] for number in range(20)]
            await self.started(running[0])
            heading("the server separates")
            paths["job's status"] = f"api/process/job/{running[0]}"
            await self.beside(self.seconds / 2, cell, "nothing else")
            for connections in (1, 16):
                for name, path in paths.items():
                    loading = asyncio.create_task(self.load(path, connections))
                    listed, ran = await self.neighbours(self.seconds, cell)
                    (await loading).row(f"{name}, {connections} connection{'s' * (connections > 1)}")
                    listed.row("    beside it: a folder listed")
                    ran.row("    beside it: a cell run")
                    if name == "job's status":
                        await self.lag(f"reads of a job's status, {connections}")
            last = await self.get(f"api/process/job/{running[-1]}")
            if last["status"] != "queued":
                print("  (the separations had ended before the loads had: give it less time, or more songs)")
            for job in running:
                await self.post(f"api/process/job/{job}/cancel")

    async def live(self) -> None:
        print("\nlive events, latencies in ms")
        outcome = await asyncio.to_thread(live_load.load, self.server, self.wb)
        for name, value in asdict(outcome).items():
            print(f"  {name.replace('_', ' '):58}{value:18,.1f}")
        await self.lag("with the sockets")

    async def beside(self, seconds: float, cell: Callable[[], Awaitable[Any]], what: str) -> None:
        listed, ran = await self.neighbours(seconds, cell)
        listed.row(f"a folder listed, beside {what}")
        ran.row(f"a cell run, beside {what}")

    async def neighbours(self, seconds: float, cell: Callable[[], Awaitable[Any]]) -> tuple[Times, Times]:
        """Do what a person in a notebook does, for as long; returns the listings and the cells."""
        listed, ran = Times(), Times()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            listed.taken.append(await self.timed(lambda: self.get("api/contents")))
            ran.taken.append(await self.timed(cell))
            await asyncio.sleep(BESIDE_SECONDS)
        return listed, ran

    async def load(self, path: str, connections: int) -> Times:
        """Read a path as fast as it is answered, from another process."""
        asked = (self.server.url, self.server.token, path, connections, self.seconds)
        return await asyncio.get_running_loop().run_in_executor(self.processes, read, *asked)

    async def lag(self, when: str) -> None:
        """Say what the server's own watch saw in the last minute."""
        text = await (await self.session.get("metrics")).text()
        found = {
            family.name: family.samples[0].value for family in text_string_to_metric_families(text) if family.samples
        }
        blocked, late = (found[f"soundforge_event_loop_longest_{what}_seconds"] * 1000 for what in ("block", "lag"))
        verdict = "" if blocked <= LIMIT_MS else f", more than {LIMIT_MS:.0f}"
        print(
            f"  event loop, {when}: blocked for {blocked:.0f} ms at most{verdict} ({late:.0f} with the wait for a core)"
        )

    async def started(self, job: str) -> None:
        while (await self.get(f"api/process/job/{job}"))["status"] == "queued":
            await asyncio.sleep(0.1)

    async def separate(self, track: str) -> Any:
        return await self.post("api/process/separate", {"trackId": track, "options": {"model": "embedded"}})

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def post(self, path: str, document: Any = None) -> Any:
        async with self.session.post(path, json=document) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def timed(self, ask: Callable[[], Awaitable[Any]]) -> float:
        began = time.perf_counter()
        await ask()
        return time.perf_counter() - began

    @asynccontextmanager
    async def kernel(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Start a kernel; gives what runs a cell and waits for the reply."""
        kernel = (await self.post("api/kernels", {"name": "python3"}))["id"]
        async with self.session.ws_connect(f"api/kernels/{kernel}/channels", max_msg_size=0) as socket:

            async def cell() -> None:
                header = {"msg_id": uuid4().hex, "msg_type": "execute_request", "username": "", "session": "bench"}
                content = {"code": "1 + 1", "silent": False, "store_history": False, "user_expressions": {}}
                await socket.send_json(
                    {
                        "header": {**header, "version": "5.3", "date": ""}, "parent_header": {}, "metadata": {},
                        "content": content, "channel": "shell", "buffers": [],
                    }
                )  # fmt: skip
                while True:
                    told = await socket.receive_json()
                    if told["msg_type"] == "execute_reply" and told["parent_header"].get("msg_id") == header["msg_id"]:
                        return

            await cell()
            yield cell
        await self.session.delete(f"api/kernels/{kernel}")


def read(url: str, token: str, path: str, connections: int, seconds: float) -> Times:
    """Read a path on that many connections, each one after the other's answer, and return how long each took."""

    async def one(session: aiohttp.ClientSession, times: Times) -> None:
        while time.perf_counter() < end:
            began = time.perf_counter()
            async with session.get(path) as answer:
                await answer.read()
                answer.raise_for_status()
            times.taken.append(time.perf_counter() - began)

    async def all_of_them() -> Times:
        times = Times(over=seconds)
        headers = {"Authorization": f"token {token}"}
        connector = aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
            await asyncio.gather(*(one(session, times) for _ in range(connections)))
        return times

    end = time.perf_counter() + seconds
    return asyncio.run(all_of_them())


def fresh_processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def song(folder: Path, seconds: float, seed: int = 0) -> Path:
    """Write a song that no other is like."""
    frames = int(seconds * RATE)
    tone = np.sin(2 * np.pi * (110 + seed) * np.arange(frames) / RATE)
    noise = np.random.default_rng(seed).standard_normal(frames)
    path = folder / f"song-{seed}-{seconds:.0f}.flac"
    soundfile.write(path, np.stack([0.2 * tone + 0.05 * noise] * 2, axis=1).astype(np.float32), RATE)
    return path


def heading(what: str) -> None:
    print(f"\n{what:60}{'a second':>8}{'median ms':>12}{'99 %':>8}{'longest':>10}", flush=True)


if __name__ == "__main__":
    main()
