"""A road to a server of this machine that can be cut: clients are given its port instead of the server's own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from services.postgres import free_port


class Cutter:
    """Passes bytes on between `port` and the server at `target`, for as long as it is let."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"cutter-{target}", daemon=True)
        self._thread.start()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._flow = asyncio.Event()
        self.restore()

    def drop(self) -> None:
        """End every connection; new ones are taken."""
        self._do(self._drop)

    def refuse(self) -> None:
        """End every connection, and take no other until `restore`."""
        self._do(self._refuse)

    def silence(self) -> None:
        """Let nothing through and tell nobody, until `restore`."""
        self._do(self._silence)

    def restore(self) -> None:
        """Pass everything on again, also what was said in silence."""
        self._do(self._restore)

    def close(self) -> None:
        """End every connection, and be gone."""
        self._do(self._refuse)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, change: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(change(), self._loop).result(10)

    async def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._flow.set()  # whoever is silent just now is to see its end
        await self._drop()

    async def _silence(self) -> None:
        self._flow.clear()

    async def _restore(self) -> None:
        self._flow.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._flow.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._writers.discard(back)
                back.transport.abort()
        except OSError:
            pass  # the server is gone: so is the road to it
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self._flow.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
