"""What the service does when there is much of it: many queued jobs, many requests, a large library.

    python bench/scale.py [drain] [requests] [library] [--database sqlite|postgresql]

`drain`: 20 people ask for 500 jobs each whose work is nothing, from the first to the last, every commit on the disk.
`requests`: 50 jobs a second over HTTP, from the POST to the last event at a WebSocket that follows all of them; the
contract holds that event back for half a second after the answer, which is left out. `library`: 100,000 tracks, their
first page and a search, over HTTP, and the memory of the server before and after a thousand of these.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import soundfile
from sqlalchemy import insert, text

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT), str(ROOT / "tests")]
from services.postgres import Postgres  # noqa: E402

from sfwidgets import Workbench  # noqa: E402
from sfwidgets.jobs import stop_cluster  # noqa: E402
from sfwidgets.library.names import track_keys  # noqa: E402
from sfwidgets.library.schema import audio, tracks  # noqa: E402
from sfwidgets.settings import Settings  # noqa: E402
from tests.browser.servers import Server, start_serve  # noqa: E402

JOBS, LIST = 10_000, 500
RATE, SECONDS = 50, 10
TRACKS = 100_000
CONTRACT_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(MEASURES))
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT / "bench/trivial"), os.environ.get("PYTHONPATH")])
    )
    for database in given.database or ["sqlite", "postgresql"]:
        print(f"{database}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}", flush=True)
        for part in given.parts:
            with library(database) as wb:
                MEASURES[part](wb)


@contextmanager
def library(database: str) -> Iterator[Workbench]:
    """Open a library of its own, on a database of that kind."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soundforge-bench-")))
        os.environ.pop("DATABASE_URL", None)
        if database == "postgresql":
            server = Postgres(folder / "postgres")
            stack.callback(server.stop)
            os.environ["DATABASE_URL"] = server.create()
        wb = stack.enter_context(Workbench(settings=Settings(library=folder / "library")))
        stack.callback(stop_cluster, wb.settings)
        yield wb


def drain(wb: Workbench) -> None:
    wb._jobs.submit_batch("local", "analysis", {"warm": {}}, {})
    began = time.perf_counter()
    lists = [
        wb._jobs.submit_batch(f"user-{first}", "analysis", {f"t{first + n}": {} for n in range(LIST)}, {"first": first})
        for first in range(0, JOBS, LIST)
    ]
    asked = time.perf_counter() - began
    while not all(job.done for job in wb._jobs.table.many([job.id for job in lists])):
        time.sleep(0.1)
    took = time.perf_counter() - began
    ended = wb._jobs.table.many([job.id for job in lists])
    assert all(job.result is not None and job.result["completed"] == LIST for job in ended), ended
    print(f"  {JOBS} jobs asked for in {asked:.1f} s, done after {took:.1f} s: {JOBS / took:.0f} a second", flush=True)


def requests(wb: Workbench) -> None:
    folder = wb.settings.library.parent
    ids = [f"song-{number}" for number in range(RATE * 4)]
    for number, name in enumerate(ids):
        soundfile.write(folder / "song.wav", np.random.default_rng(number).normal(0, 0.1, 4410), 44100)
        wb.add(folder / "song.wav", id=name)
    with start_serve(wb.settings.library) as server:
        late = np.array(asyncio.run(_requests(server, ids))) * 1000
    median, most = np.median(late), np.quantile(late, 0.99)
    print(
        f"  {len(late)} jobs, {RATE} a second, from POST to the watcher's last event beyond the contract's half second: "
        f"median {median:.0f} ms, 99th percentile {most:.0f} ms",
        flush=True,
    )


async def _requests(server: Server, ids: list[str]) -> list[float]:
    headers = {"Authorization": f"token {server.token}"}
    asked: dict[str, float] = {}
    answered: dict[str, float] = {}
    ended: dict[str, float] = {}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:

        async def post(name: str) -> None:
            at = time.perf_counter()
            async with session.post("api/analyze/analyze", json={"trackId": name}) as answer:
                job = (await answer.json())["jobId"]
            asked[job], answered[job] = at, time.perf_counter()

        async def watch(socket: aiohttp.ClientWebSocketResponse) -> None:
            async for message in socket:
                frame: dict[str, Any] = json.loads(message.data)
                if frame["event"] == "analysis:job:completed":
                    ended[frame["data"]["id"]] = time.perf_counter()

        async with session.ws_connect("ws") as socket:
            for name in ids:
                await socket.send_json({"event": "subscribe:track", "data": name})
            watching = asyncio.create_task(watch(socket))
            await post(ids[0])
            while len(ended) < 1:
                await asyncio.sleep(0.1)
            asked.clear()
            began = time.perf_counter()
            posts = []
            for number in range(RATE * SECONDS):
                await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
                posts.append(asyncio.create_task(post(ids[number % len(ids)])))
            await asyncio.gather(*posts)
            async with asyncio.timeout(60):
                while not asked.keys() <= ended.keys():
                    await asyncio.sleep(0.1)
            watching.cancel()
    # Half a second from the answer on is the contract's; what the answer itself took counts.
    return [max(0.0, ended[job] - answered[job] - CONTRACT_SECONDS) + answered[job] - asked[job] for job in asked]


def library_of_many(wb: Workbench) -> None:
    """Put the rows of many tracks into the database, as adding them one by one would."""
    random = np.random.default_rng(1)
    syllables = ["la", "mi", "ro", "ta", "ven", "sol", "ka", "dor", "ne", "lu", "shi", "bel"]

    def name(words: int) -> str:
        return " ".join("".join(random.choice(syllables, 3)) for _ in range(words)).title()

    artists = [name(2) for _ in range(TRACKS // 20)]
    now = time.time()
    with wb._shared.database.write() as connection:
        for first in range(0, TRACKS, 5000):
            sounds, rows = [], []
            for number in range(first, first + 5000):
                digest = f"{number:064x}"
                names = {"title": name(3), "artist": artists[number % len(artists)], "album": name(2)}
                sounds.append({
                    "owner": "local", "hash": digest, "path": f"audio/local/00/{digest}.mp3", "size": 4_000_000,
                    "duration": 180.0, "sample_rate": 44100, "channels": 2, "codec": "mp3", "container": "mp3",
                    "artwork": False, "created_at": now - number,
                })  # fmt: skip
                rows.append({
                    "owner": "local", "id": f"track-{number}", "source": "file", "hash": digest, "created_at": now - number,
                    "updated_at": now - number, **names, **track_keys(**names),
                })  # fmt: skip
            connection.execute(insert(audio), sounds)
            connection.execute(insert(tracks), rows)


def library_pages(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    paths = {
        "first page": "api/tracks?limit=50",
        "by title": "api/tracks?limit=50&sort=title",
        "search, many found": "api/tracks?limit=50&search=venta",
        "search, none found": "api/tracks?limit=50&search=nothing%20like%20it",
        "search by id": "api/tracks?limit=50&search=track-77777",
    }

    async def asked() -> None:
        async with aiohttp.ClientSession(server.url, headers={"Authorization": f"token {server.token}"}) as session:
            before = 0
            for what, path in paths.items():
                taken = []
                for _ in range(200):
                    began = time.perf_counter()
                    async with session.get(path) as answer:
                        assert answer.status == 200
                        await answer.read()
                    taken.append(time.perf_counter() - began)
                before = before or process.memory_info().rss
                found = np.array(taken[5:]) * 1000
                print(
                    f"  {what:20} median {np.median(found):6.1f} ms, 99th percentile {np.quantile(found, 0.99):6.1f} ms"
                )
            after = process.memory_info().rss
            print(f"  memory of the server {before / 2**20:.0f} → {after / 2**20:.0f} MB", flush=True)

    asyncio.run(asked())


def large_library(wb: Workbench) -> None:
    library_of_many(wb)
    with wb._shared.database.write() as connection:
        connection.execute(text("ANALYZE"))  # as PostgreSQL does by itself within a minute
    with start_serve(wb.settings.library) as server:
        library_pages(server)


MEASURES = {"drain": drain, "requests": requests, "library": large_library}

if __name__ == "__main__":
    main()
