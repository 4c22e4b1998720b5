"""One workbench a server process, opened when the first request needs it."""

from __future__ import annotations

import asyncio

from sfwidgets.workbench import Workbench

SETTING = "soundforge_workbench"
"""The server's setting that holds it."""


class Opened:
    """The workbench of all handlers; opening it touches the disk, so that a thread does it."""

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._workbench: Workbench | None = None

    async def workbench(self) -> Workbench:
        """Return the workbench; raises a `SoundForgeError` while its library can't be opened."""
        async with self._opening:
            if self._workbench is None:
                self._workbench = await asyncio.to_thread(Workbench)
            return self._workbench

    async def close(self) -> None:
        """Close the workbench where it was opened."""
        async with self._opening:
            if self._workbench is not None:
                await asyncio.to_thread(self._workbench.close)
                self._workbench = None
