"""The worlds of the chaos rounds: a library with its workers, the servers that it stands on, and what befalls them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from chaos_points import DATABASE_POINTS, POINTS, arm, disarm
from chaos_servers import Follower, Servers, following
from chaos_stranger import overtake
from services.cluster import Cluster, Member
from services.cut import Cutter
from services.postgres import Postgres
from services.redis_server import RedisServer
from simple_song import write_song

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from sfwidgets.jobs.cluster import address_file
from sfwidgets.library import Shared
from sfwidgets.settings import Settings

SONGS = (2, 3, 8)
"""Seconds of the songs that each round works on."""

HERE = 0.4
"""How much of the work of a service is asked for by this process, and not of a server."""

ASKING = """
import time
from sfwidgets import Workbench
from sfwidgets.errors import SoundForgeError
with Workbench() as wb:
    tracks = list(wb.tracks())
    while tracks:
        for track in tracks:
            try:
                wb.separate(track, "embedded")
            except SoundForgeError:
                pass
            time.sleep(0.1)
"""
"""Another process that asks for the same."""

Fault = Callable[[], None]
Ask = Callable[[], object]


class World:
    """A library on SQLite, with its own cluster. `wb` is a process that asks and watches, and stays for many rounds."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.songs = [write_song(folder / f"{n}.wav", seconds, seed=n) for n, seconds in enumerate(SONGS)]
        self.library = folder / "library"
        self.environment = {"AUDIO_DATA_PATH": str(self.library), **self.begin()}
        """What another process has to be told of this world."""
        self.settings = self.see(self.environment)
        self.wb = Workbench(settings=self.settings)
        self.direct = Shared(self.see({**self.environment, **self.unharmed()}))
        """The same library, seen by roads that are never cut."""

    def begin(self) -> dict[str, str]:
        """Start the servers that this world stands on; returns what tells where they are."""
        return {}

    def unharmed(self) -> dict[str, str]:
        """Return what tells where the servers themselves are, not the roads to them."""
        return {}

    def see(self, environment: dict[str, str]) -> Settings:
        """Return the settings of a process with that environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return Settings()

    def faults(self, dice: random.Random) -> list[tuple[str, Fault]]:
        """Return what may befall this world, by name."""
        return [
            ("a worker is killed", partial(self.kill_worker, dice)),
            ("the cluster is killed", self.kill_cluster),
            ("a worker stands still", partial(self.stop_worker, dice, dice.uniform(0.5, 3.0))),
            ("a worker stands still for longer than its lease", partial(self.overtake, dice.random())),
            ("another process asks and dies", partial(self.ask_and_die, dice.uniform(0.5, 2.5))),
            *((f"a kill {point}", partial(self.arm, dice, point)) for point in POINTS),
        ]

    def separation(self, dice: random.Random, track: str, analyze: bool) -> Ask:
        """Return what asks for a track's stems, and for its analysis after them."""
        del dice
        return partial(self.wb.separate, track, "embedded", analyze=analyze)

    def analysis(self, dice: random.Random, track: str) -> Ask:
        """Return what asks for a track's analysis."""
        del dice
        return partial(self.wb.analyze, track)

    def watched(self, dice: random.Random, tracks: list[str]) -> AbstractContextManager[None]:
        """Let clients from elsewhere watch these tracks within a block."""
        del dice, tracks
        return nullcontext()

    def check(self, rows: list[Any]) -> None:
        """Check what clients from elsewhere are told of the jobs of a round."""

    def owners(self) -> list[psutil.Process]:
        """Return the processes whose children are the workers."""
        with suppress(FileNotFoundError, json.JSONDecodeError, psutil.NoSuchProcess):
            return [psutil.Process(json.loads(address_file(self.settings).read_text())["pid"])]
        return []

    def workers(self) -> list[psutil.Process]:
        """Return the processes that do the work."""
        found = []
        for child in (child for owner in self.owners() for child in owner.children()):
            with suppress(psutil.Error):
                if any("spawn_main" in part for part in child.cmdline()):
                    found.append(child)
        return sorted(found, key=lambda worker: worker.pid)

    def kill_worker(self, dice: random.Random) -> None:
        """Kill a worker, its nanny stays."""
        for worker in self.workers()[dice.randint(0, 1) :][:1]:
            worker.kill()

    def kill_cluster(self) -> None:
        """Kill the scheduler, and with it the nannies."""
        for owner in self.owners():
            owner.kill()

    def stop_worker(self, dice: random.Random, seconds: float) -> None:
        """Let a worker stand still, as a laptop that sleeps does."""
        for worker in self.workers()[dice.randint(0, 1) :][:1]:
            with suppress(psutil.NoSuchProcess):
                worker.suspend()
                time.sleep(seconds)
                worker.resume()

    def overtake(self, seed: float) -> None:
        """Let a worker stand still until another has taken its job over."""
        overtake(self.wb._jobs.client, self.workers(), self.direct, random.Random(seed))

    def ask_and_die(self, seconds: float) -> None:
        """Let another process ask for the same work again and again, and kill it."""
        environment = {**os.environ, **self.environment}
        asking = subprocess.Popen([sys.executable, "-c", ASKING], env=environment, cwd=self.folder)
        try:
            asking.wait(seconds)
        except subprocess.TimeoutExpired:
            asking.kill()
        finally:
            asking.wait()

    def arm(self, dice: random.Random, point: str) -> None:
        """Have one of the workers die at a point of its work, the next time or the one after that."""
        client = self.wb._jobs.client()
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        client.run(arm, point, dice.randint(1, 2), workers=[dice.choice(workers)])

    def ready(self) -> None:
        """Wait until all workers are there, as they are without us."""
        deadline = time.monotonic() + 60
        while True:
            client = self.wb._jobs.client()
            workers = client.scheduler_info(n_workers=-1)["workers"]
            if len(workers) == len(self.workers()) == 2 and len(client.run(disarm)) == 2:
                return
            assert time.monotonic() < deadline, "the workers do not come back"
            time.sleep(0.05)

    def said(self) -> str:
        """Return the end of what the workers wrote."""
        log = self.library / "run" / "cluster.log"
        return log.read_text(errors="replace")[-6000:] if log.exists() else ""

    def close(self) -> None:
        """Stop all that was started."""
        self.wb.close()
        self.direct.close()
        stop_cluster(self.settings)


class PostgresWorld(World):
    """The same on a PostgreSQL server, which is reached by a road that can be cut."""

    name = "postgres"

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.postgres = postgres
        self.url = postgres.create()
        self.road = Cutter(postgres.port)
        super().__init__(folder)

    def begin(self) -> dict[str, str]:
        """Start the servers that this world stands on; returns what tells where they are."""
        return {"DATABASE_URL": self.url.replace(str(self.postgres.port), str(self.road.port))}

    def unharmed(self) -> dict[str, str]:
        """Return what tells where the servers themselves are, not the roads to them."""
        return {"DATABASE_URL": self.url}

    def faults(self, dice: random.Random) -> list[tuple[str, Fault]]:
        """Return what may befall this world, by name."""
        return [
            *super().faults(dice),
            ("PostgreSQL is killed", partial(self.restart_postgres, dice.uniform(0.0, 3.0))),
            ("connections to PostgreSQL are cut", self.road.drop),
            ("PostgreSQL can't be reached", partial(self.away, self.road, dice.uniform(0.5, 3.0))),
            ("PostgreSQL is silent", partial(self.silent, self.road, dice.uniform(0.5, 3.0))),
            *((f"the connection breaks {point}", partial(self.arm, dice, point)) for point in DATABASE_POINTS),
        ]

    def restart_postgres(self, seconds: float) -> None:
        """Kill the server, and start it again after so many seconds."""
        self.postgres.kill()
        time.sleep(seconds)
        self.postgres.start()

    def away(self, road: Cutter, seconds: float) -> None:
        """Let a server be out of reach."""
        road.refuse()
        time.sleep(seconds)
        road.restore()

    def silent(self, road: Cutter, seconds: float) -> None:
        """Let a server say nothing."""
        road.silence()
        time.sleep(seconds)
        road.restore()

    def close(self) -> None:
        """Stop all that was started."""
        super().close()
        self.road.close()
        self.postgres.drop(self.url)


class ServiceWorld(PostgresWorld):
    """A service: PostgreSQL, Redis, a scheduler, a machine of workers that has joined it, and two servers before it."""

    name = "service"

    def begin(self) -> dict[str, str]:
        """Start the servers that this world stands on; returns what tells where they are."""
        self.redis = RedisServer(self.folder / "redis")
        self.redis_road = Cutter(self.redis.port)
        redis_url = self.redis.url.replace(str(self.redis.port), str(self.redis_road.port))
        environment = {**super().begin(), "REDIS_URL": redis_url}
        offline = os.environ["SOUNDFORGE_OFFLINE"]
        known = {**environment, "AUDIO_DATA_PATH": str(self.library), "SOUNDFORGE_OFFLINE": offline}
        self.machines = Cluster(self.folder / "machines", known, wait=False)
        scheduler = {"DASK_SCHEDULER": self.machines.address}
        self.servers = Servers(self.folder / "servers", {**known, **scheduler})
        self.machines.wait(2)
        return {**environment, **scheduler}

    def ready(self) -> None:
        """Wait until all workers and servers are there, as they are without us."""
        super().ready()
        self.servers.ready()

    def separation(self, dice: random.Random, track: str, analyze: bool) -> Ask:
        """Return what asks for a track's stems, and for its analysis after them: here, or one of the servers."""
        if dice.random() < HERE:
            return super().separation(dice, track, analyze)
        options = {"model": "embedded", "autoAnalyze": analyze}
        wanted = {"trackId": track, "options": options}
        return partial(self.servers.post, "/api/process/separate", wanted, dice.randint(0, 1))

    def analysis(self, dice: random.Random, track: str) -> Ask:
        """Return what asks for a track's analysis: here, or one of the servers."""
        if dice.random() < HERE:
            return super().analysis(dice, track)
        return partial(self.servers.post, "/api/analyze/analyze", {"trackId": track}, dice.randint(0, 1))

    def watched(self, dice: random.Random, tracks: list[str]) -> AbstractContextManager[None]:
        """Let a client of each server watch these tracks within a block, each through another door."""
        doors = dice.sample(["plain", "socketio"], 2)
        self.followers = [Follower(self.servers.all, door, home, tracks) for home, door in enumerate(doors)]
        return following(self.followers)

    def check(self, rows: list[Any]) -> None:
        """Check what the servers say of the jobs of a round, and what their clients were told of them."""
        self.servers.check(rows)
        for follower in self.followers:
            follower.check(rows)

    def faults(self, dice: random.Random) -> list[tuple[str, Fault]]:
        """Return what may befall this world, by name."""
        common = [(name, fault) for name, fault in super().faults(dice) if name != "the cluster is killed"]
        return [
            *common,
            ("the scheduler is killed", partial(self.restart, self.machines.scheduler, dice.uniform(0.0, 2.0))),
            ("a machine of workers is killed", partial(self.restart, self.machines.workers[0], dice.uniform(0.0, 2.0))),
            *(
                (f"{server.name} is killed", partial(self.restart, server, dice.uniform(0.0, 2.0)))
                for server in self.servers.all
            ),
            *(
                (f"{server.name} stands still", partial(server.stand_still, dice.uniform(0.5, 3.0)))
                for server in self.servers.all
            ),
            ("Redis is killed", partial(self.restart, self.redis, dice.uniform(0.0, 3.0))),
            ("connections to Redis are cut", self.redis_road.drop),
            ("Redis can't be reached", partial(self.away, self.redis_road, dice.uniform(0.5, 3.0))),
            ("Redis is silent", partial(self.silent, self.redis_road, dice.uniform(0.5, 3.0))),
        ]

    def owners(self) -> list[psutil.Process]:
        """Return the processes whose children are the workers."""
        with suppress(psutil.NoSuchProcess):
            return [psutil.Process(self.machines.workers[0].pid)]
        return []

    def restart(self, what: Member | RedisServer, seconds: float) -> None:
        """Kill a server, and start it again after so many seconds."""
        what.kill()
        time.sleep(seconds)
        what.start()

    def said(self) -> str:
        """Return the end of what the workers wrote."""
        return f"{self.machines.log()[-6000:]}\n{self.servers.said()}"

    def close(self) -> None:
        """Stop all that was started."""
        self.servers.stop()
        self.machines.stop()
        super().close()
        self.redis_road.close()
        self.redis.kill()


def clusters(library: Path) -> Iterator[int]:
    """Yield the processes that are a library's own cluster."""
    for process in psutil.process_iter(["cmdline"]):
        if "sfwidgets.jobs.daemon" in (process.info["cmdline"] or ()):
            with suppress(psutil.Error):
                if process.environ().get("AUDIO_DATA_PATH") == str(library):
                    yield process.pid
