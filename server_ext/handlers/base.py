"""What every handler has in common: the gate before it, a bounded body, answers as JSON, and threads for the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web

from server_ext.gate import Gate
from server_ext.opened import LIVE, SETTING, Opened
from server_ext.operation import encode
from server_ext.refusal import RequestError, announced, linger, refuse
from sfwidgets.workbench import Workbench

if TYPE_CHECKING:
    from server_ext.live import Live

LARGEST_JSON = 1_000_000
"""Bytes of a JSON body."""
PATIENCE = 30.0
"""Seconds in which a JSON body has to arrive."""

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="soundforge")
"""What touches the disk runs here; Jupyter's own threads stay free."""

_ASKING = ThreadPoolExecutor(max_workers=4, thread_name_prefix="soundforge-asking")
"""What may have to start the workers first runs here."""
_SLOW = ThreadPoolExecutor(max_workers=4, thread_name_prefix="soundforge-slow")
"""What may take seconds runs here, as reading a whole file does: everything else is answered meanwhile."""


async def in_thread(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Call a function in a thread of ours, so that the server goes on answering meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(
        _THREADS, partial(copy_context().run, function, *given, **named)
    )


async def in_slow_thread(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Do as `in_thread` does for what may take seconds."""
    return await asyncio.get_running_loop().run_in_executor(
        _SLOW, partial(copy_context().run, function, *given, **named)
    )


@web.stream_request_body
class Handler(Gate):
    """A path of the API. Its methods are declared by `server_ext.operation.operation`."""

    template = ""
    """The route as the OpenAPI document has it."""
    body = b""
    """What the client sent."""

    def initialize(self, template: str) -> None:
        """Take what the route says."""
        self.template = template
        self._received: list[bytes] = []
        self._left = LARGEST_JSON
        self._impatience: asyncio.TimerHandle | None = None

    async def prepare(self, *, _redirect_to_login: Any = False) -> None:
        """Let the request in, and turn a large body away before it comes."""
        await super().prepare()
        await self.expect_body()

    async def expect_body(self) -> None:
        """Look at what is announced of the body: at most a megabyte of JSON, within half a minute."""
        if (announced(self.request) or 0) > LARGEST_JSON:
            raise _too_large()
        self._impatience = asyncio.get_running_loop().call_later(PATIENCE, self._give_up)

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body, as long as it is not too large."""
        self._left -= len(chunk)
        if self._left >= 0:
            self._received.append(chunk)
        else:
            self._received.clear()

    def on_body(self) -> None:
        """Put the body together; raises `RequestError` 413 for one that came in chunks and was too large."""
        if self._impatience is not None:
            self._impatience.cancel()
        if self._left < 0:
            raise _too_large()
        self.body = b"".join(self._received)

    def on_connection_close(self) -> None:
        """Forget the body of a client that has gone."""
        super().on_connection_close()
        if self._impatience is not None:
            self._impatience.cancel()

    def finish(self, *given: Any, **named: Any) -> asyncio.Future[Any]:
        """End the answer; a client who is still sending hears it."""
        linger(self)
        return super().finish(*given, **named)

    def on_finish(self) -> None:
        """Wait for the body no longer: the answer is on its way."""
        super().on_finish()
        if self._impatience is not None:
            self._impatience.cancel()

    def _give_up(self) -> None:
        refuse(self, RequestError(408, "This request took too long to arrive. Send it again.", code="too_slow"))

    @property
    def opened(self) -> Opened:
        """What opens the library."""
        found: Opened = self.settings[SETTING]
        return found

    async def workbench(self) -> Workbench:
        """Return the workbench of whoever calls."""
        return await self.opened.workbench(self.owner)

    async def call(self, function: Callable[[Workbench], T]) -> T:
        """Return what a function makes of the caller's workbench, in a thread."""
        return await in_thread(function, await self.workbench())

    async def call_workers(self, function: Callable[[Workbench], T]) -> T:
        """Do as `call` does for what may have to wait until the workers are started, and keeps nobody else waiting then."""
        workbench = await self.workbench()
        return await asyncio.get_running_loop().run_in_executor(
            _ASKING, partial(copy_context().run, function, workbench)
        )

    @property
    def live(self) -> Live:
        """The events of this server."""
        found: Live = self.settings[LIVE]
        return found

    async def answer(self, answer: Any, status: int = 200) -> None:
        """Send JSON, which a thread makes of the answer, and wait until it is written."""
        content = await in_thread(encode, answer)
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        await self.finish(content)

    @allow_unauthenticated
    def options(self, *_path: str) -> None:
        """Answer a preflight of the Fetch standard; the gate has looked at its origin."""
        asked = self.request.headers.get("Access-Control-Request-Headers", "")
        self.set_header("Access-Control-Allow-Methods", ", ".join(self.allowed_methods()))
        self.set_header("Access-Control-Allow-Headers", asked)
        self.set_header("Access-Control-Max-Age", "600")
        if self.request.headers.get("Access-Control-Request-Private-Network") == "true":
            self.set_header("Access-Control-Allow-Private-Network", "true")
        self.set_status(204)
        self.finish()


def _too_large() -> RequestError:
    return RequestError(413, "This is too large: a JSON body has at most a megabyte.", code="too_large")


class Nothing(Handler):
    """Answers for paths under ours that do not exist."""

    async def prepare(self, *, _redirect_to_login: Any = False) -> None:
        """Let the request in, then say that there is nothing."""
        await super().prepare()
        raise web.HTTPError(404)
