"""One workbench a server process, opened when the first request needs it."""

from __future__ import annotations

import asyncio

from sfwidgets.models import Health
from sfwidgets.settings import LOCAL_OWNER, Settings
from sfwidgets.workbench import Workbench
from sfwidgets.workbench.health import unopened

SETTING = "soundforge_workbench"
"""The server's setting that holds it."""
LIVE = "soundforge_live"
"""The server's setting that holds the live events."""


PATIENCE = 0.5
"""Seconds that a question after the server's health waits for the library to be opened."""


class Opened:
    """The workbench of all handlers; opening it touches the disk, so that a thread does it."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._opening: asyncio.Future[Workbench] | None = None
        self._workbench: Workbench | None = None

    async def workbench(self, owner: str = LOCAL_OWNER) -> Workbench:
        """Return the workbench of an owner; raises a `SoundForgeError` while the library can't be opened.

        All who ask while it is being opened wait for the same try: one by one, they would wait for each other's.
        """
        if self._workbench is None:
            if self._opening is None:
                self._opening = asyncio.ensure_future(asyncio.to_thread(Workbench))
                self._opening.add_done_callback(self._opened)
            return (await asyncio.shield(self._opening)).of(owner)
        return self._workbench.of(owner)

    @property
    def current(self) -> Workbench | None:
        """The workbench, where it has been opened."""
        return self._workbench

    async def health(self) -> Health:
        """Return how the server's parts are, also where the library can't be opened."""
        opening = asyncio.ensure_future(self.workbench())
        opening.add_done_callback(lambda done: done.cancelled() or done.exception())  # each request is told of it anew
        await asyncio.wait({opening}, timeout=PATIENCE)
        if not opening.done() or opening.exception() is not None:
            return await asyncio.to_thread(unopened, self.settings)
        return await asyncio.to_thread(opening.result().health)

    async def close(self) -> None:
        """Close the workbench where it was opened."""
        if self._opening is not None:
            await asyncio.wait({self._opening})
        if self._workbench is not None:
            closing, self._workbench = self._workbench, None
            await asyncio.to_thread(closing.close)

    def _opened(self, opening: asyncio.Future[Workbench]) -> None:
        """Keep what was opened; after a try that failed, the next who asks makes another."""
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self._workbench = opening.result()
