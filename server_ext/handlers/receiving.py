"""Bodies of any size, taken piece by piece as they come, from clients that keep sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server_ext.handlers.base import Handler
from server_ext.refusal import RequestError, announced, lift_limit, refuse

PACE = "soundforge_upload_pace"
"""The server's setting that may hold another pace, as (seconds, bytes)."""


@dataclass(frozen=True)
class Pace:
    """How fast a body has to come: so many bytes in so many seconds of waiting for it."""

    seconds: float = 30.0
    least: int = 30_000


class Watch:
    """Calls `give_up` when a body comes too slowly; time in which the server itself is at work does not count."""

    def __init__(self, pace: Pace, give_up: Callable[[], None]) -> None:
        self._pace = pace
        self._give_up = give_up
        self._came = 0
        self._left = pace.seconds
        self._loop = asyncio.get_running_loop()
        self._wait()

    @contextmanager
    def at_work(self, came: int) -> Iterator[None]:
        """Stop the clock while a piece of so many bytes is taken."""
        self.stop()
        self._came += came
        self._left -= self._loop.time() - self._since
        try:
            yield
        finally:
            self._wait()

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _wait(self) -> None:
        self._since = self._loop.time()
        self._timer = self._loop.call_later(max(0.0, self._left), self._look)

    def _look(self) -> None:
        if self._came < self._pace.least:
            self._give_up()
        else:
            self._came, self._left = 0, self._pace.seconds
            self._wait()


class Receiving(Handler):
    """Takes the body of some methods in pieces: `begin` before it comes, `take` each piece, `leave` where it breaks off."""

    received_by: tuple[str, ...] = ()
    """The methods whose bodies come in pieces."""
    _watch: Watch | None = None
    _leaving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Get ready for the body, or raise what the client shall be told."""

    async def take(self, piece: bytes) -> None:
        """Take a piece of the body, or raise what the client shall be told."""

    async def leave(self) -> None:
        """Clean up: the body has broken off, or was refused, or its method has ended. May be called more than once."""

    @property
    def announced(self) -> int | None:
        """How many bytes the body has; None where the client does not say."""
        return announced(self.request)

    async def expect_body(self) -> None:
        """Get ready for a body in pieces; any other is the base's."""
        if self.request.method not in self.received_by:
            await super().expect_body()
            return
        if self.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RequestError(415, "Send the file as it is, without a Content-Encoding.", code="wrong_encoding")
        await self.begin()
        lift_limit(self)
        self._watch = Watch(Pace(*self.settings.get(PACE, ())), self._too_slow)

    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]
        """Take a piece, while tornado reads no further: what comes too fast waits in the client."""
        if self._watch is None:
            super().data_received(chunk)
            return
        try:
            with self._watch.at_work(len(chunk)):
                await self.take(chunk)
        except Exception as error:
            await self.leave()
            refuse(self, error)

    def on_body(self) -> None:
        """Stop the watch: the body is whole."""
        if self._watch is None:
            super().on_body()
        else:
            self._watch.stop()

    def on_connection_close(self) -> None:
        """Clean up after a client that has gone."""
        super().on_connection_close()
        if self._watch is not None:
            self._watch.stop()
            self._leaving = asyncio.get_running_loop().create_task(self.leave())

    def on_finish(self) -> None:
        """Stop the watch: the answer is on its way."""
        super().on_finish()
        if self._watch is not None:
            self._watch.stop()

    def _too_slow(self) -> None:
        refuse(self, RequestError(408, "The upload came too slowly, or not at all. Send it again.", code="too_slow"))
