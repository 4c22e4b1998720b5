"""The live events under load: many sockets on both doors, and events made by real jobs on the library's real worker.

`python -m tests.server.live_load` runs it by itself and prints what it measured; `bench/server.py` calls `load`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfwidgets import Workbench
from tests.browser.servers import Server, start_lab
from tests.server import live_jobs
from tests.server.live_clients import Listener, listening, masked, raw_websocket

ROOT = Path(__file__).parents[2]
DOORS = ("plain", "websocket")
JOB_SECONDS = 12.0
"""From one job of a track to the next; each has six events."""
AT_ONCE = 25
"""How many clients connect at the same time."""


@dataclass(frozen=True)
class Outcome:
    """What a run measured; latencies in milliseconds, from the worker to the client, over all events and clients."""

    sockets: int
    tracks: int
    events: int
    a_second: float
    deliveries: int
    wrong: int
    """Clients that got anything but their track's events, each once and in order."""
    p50: float
    p99: float
    slowest: float
    p50_with_transaction: float
    p99_with_transaction: float
    """The same from before the transaction that the event tells of."""
    silent: int
    silent_dropped: int
    """Of the clients that never read, how many the server had dropped at the end."""


def load(
    server: Server, wb: Workbench, *, sockets: int = 500, tracks: int = 50, seconds: float = 60.0, silent: int = 50
) -> Outcome:
    """Run; `wb` is on the server's library. Half of the sockets are on each door, in a process of its own."""
    names = [f"load-{number}" for number in range(tracks)]
    wb._jobs.client()
    clients = [_start_clients(server, door, sockets // 2, names) for door in DOORS]
    try:
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == b"ready\n"
        quiet = [_silent(server, number, names[number % tracks]) for number in range(silent)]
        told = live_jobs.start(wb, _plan(names, seconds)).result()
        time.sleep(3.0)
        dropped = sum(_is_closed(raw) for raw in quiet)
        got = [stream for client in clients for stream in json.loads(client.communicate(b"\n", timeout=60)[0])]
    finally:
        for client in clients:
            client.kill()
            client.wait()
    return _outcome(got, told, seconds, silent, dropped)


def _plan(names: list[str], seconds: float) -> list[Any]:
    """Return the steps of every job: the tracks take turns, and a track's jobs follow one another."""
    every = min(JOB_SECONDS, seconds / 2)
    plan = []
    for number, name in enumerate(names):
        for round in range(int(seconds / every)):
            begin = (round + number / len(names)) * every
            steps = [
                (begin + every * share, what, None)
                for share, what in ((0, "create"), (0.02, "claim"), (0.2, "stage"), (0.4, "stage"), (0.6, "stage"),
                                    (0.8, "complete"))
            ]  # fmt: skip
            plan.append((name, "local", "processing" if number % 2 else "analysis", steps))
    return plan


def _outcome(
    got: list[dict[str, Any]], told: dict[str, list[Any]], seconds: float, silent: int, dropped: int
) -> Outcome:
    when = {(id, seq): (before, after) for events in told.values() for id, seq, before, after in events}
    expected = {track: list(dict.fromkeys((id, seq) for id, seq, *_ in events)) for track, events in told.items()}
    shorts: dict[str, list[Any]] = defaultdict(list)
    late, later, wrong = [], [], 0
    for stream in got:
        track = stream["track"]
        long = [(id, seq) for name, id, seq, _ in stream["got"] if ":job:" in name]
        short = [(name, id) for name, id, *_ in stream["got"] if ":job:" not in name]
        shorts[track] = shorts[track] or short
        wrong += long != expected[track] or short != shorts[track]
        for name, id, seq, at in stream["got"]:
            if ":job:" in name and (id, seq) in when:
                later.append(1000 * (at - when[id, seq][0]))
                late.append(1000 * (at - when[id, seq][1]))
    count = sum(len(events) for events in expected.values())
    moments = [after for _, after in when.values()]
    p50, p99, slowest = np.percentile(late, [50, 99, 100]).round(2).tolist()
    slow50, slow99 = np.percentile(later, [50, 99]).round(2).tolist()
    return Outcome(
        sockets=len(got), tracks=len(told), events=count, a_second=round(count / (max(moments) - min(moments)), 1),
        deliveries=len(late), wrong=wrong, p50=p50, p99=p99, slowest=slowest, p50_with_transaction=slow50,
        p99_with_transaction=slow99, silent=silent, silent_dropped=dropped,
    )  # fmt: skip


def _silent(server: Server, number: int, track: str) -> Any:
    """Return a socket that follows a track and never reads."""
    command = json.dumps({"event": "subscribe:track", "data": track})
    if number % 2:
        raw = raw_websocket(server, "/ws?")
        raw.sendall(masked(command))
    else:
        raw = raw_websocket(server, "/socket.io/?EIO=4&transport=websocket&")
        raw.sendall(masked("40") + masked(f'42["subscribe:track","{track}"]'))
    return raw


def _is_closed(raw: Any) -> bool:
    raw.settimeout(0.05)
    with suppress(ConnectionError):
        try:
            while raw.recv(65536):
                pass
        except TimeoutError:
            return False
    return True


def _start_clients(server: Server, door: str, count: int, names: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.server.live_load", "--clients", door, str(count), json.dumps(names)]
    environment = {**os.environ, "LOAD_URL": server.url, "LOAD_TOKEN": server.token}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def _clients(door: str, count: int, names: list[str]) -> None:
    """Be many clients until a line comes on standard input; then print what each of them was sent."""
    server = Server(os.environ["LOAD_URL"], os.environ["LOAD_TOKEN"], None, Path())  # type: ignore[arg-type]
    gate = asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:

        async def connect(number: int) -> Listener:
            async with gate:
                listener = await stack.enter_async_context(listening(server, door, names[number % len(names)]))
                await listener.settled()
                return listener

        listeners = await asyncio.gather(*(connect(number) for number in range(count)))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        streams = [
            {"track": names[number % len(names)], "got": [
                (name, data.get("id", data.get("jobId")), data.get("seq"), at)
                for (name, data), at in zip(listener.got, listener.at, strict=True)
            ]}
            for number, listener in enumerate(listeners)
        ]  # fmt: skip
        print(json.dumps(streams), flush=True)
        os._exit(0)  # hundreds of polite goodbyes are not what is measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", nargs=3, metavar=("DOOR", "COUNT", "TRACKS"), help="be the clients of a run")
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--tracks", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--silent", type=int, default=50)
    given = parser.parse_args()
    if given.clients:
        door, count, names = given.clients
        asyncio.run(_clients(door, int(count), json.loads(names)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Workbench(root / "library") as wb, start_lab(root, root / "library") as server:
            outcome = load(
                server, wb, sockets=given.sockets, tracks=given.tracks, seconds=given.seconds, silent=given.silent
            )
    print(json.dumps(asdict(outcome), indent=2))


if __name__ == "__main__":
    main()
