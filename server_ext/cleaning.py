"""Cleaning up every hour, where the server may run for months: what died half made, old trash, what nobody asked to keep."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from server_ext.opened import Opened

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


class Cleaning:
    """Cleans up for as long as the library is open: `start` on a running loop, `close` at the end.

    A library with a cluster of its own and no KEEP_DAYS needs none of it: there, the cluster does it as it begins and ends.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, where there is anything to do."""
        settings = self._opened.settings
        if settings.keep_days is not None or settings.dask_scheduler is not None:
            self._task = asyncio.get_running_loop().create_task(self._clean())

    async def close(self) -> None:
        """End; what is being cleaned up is waited for."""
        self._over.set()
        if self._task is not None:
            await self._task

    async def _clean(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), EVERY_SECONDS)
                return
            workbench = self._opened.current
            if workbench is not None:
                try:
                    gone = await asyncio.to_thread(workbench.clean_up)
                    log.info("%d files went as the library was cleaned up.", len(gone))
                except Exception:
                    log.exception("The library could not be cleaned up; it is tried again in an hour.")
