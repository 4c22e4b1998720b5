"""Garbage collections kept short, because everything else waits for them.

A full collection of CPython 3.11 looks at every object at once and holds the interpreter meanwhile: 150 to 230 ms of a
Jupyter Server with its extensions, which has 300,000. Nearly all of them are modules, classes and routes, which stay.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

LONG_SECONDS = 0.02
"""Of one full collection, in time on a core."""
MOST = 10
"""What survived a long collection is set aside so often at most: garbage in cycles among it would never be freed."""
LOOK_SECONDS = 1.0
NEW_MODULES = 50


class ShortCollections:
    """Sets aside what stays (`gc.freeze`), so that no collection looks at it again.

    That is what there is at the start, what newly loaded modules brought, and what survived a collection that took long.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._left = MOST
        self._modules = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with a full collection; to be called on the loop, before anybody waits for an answer."""
        gc.collect()
        self._set_aside()
        gc.callbacks.append(self._on_collection)
        self._task = asyncio.get_running_loop().create_task(self._follow_imports())

    async def close(self) -> None:
        """Let collections look at everything again; twice does no harm, as Jupyter Server asks where it is told so."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.callbacks.remove(self._on_collection)
        gc.unfreeze()

    async def _follow_imports(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if len(sys.modules) >= self._modules + NEW_MODULES:
                self._set_aside()

    def _set_aside(self) -> None:
        gc.freeze()
        self._modules = len(sys.modules)

    def _on_collection(self, phase: str, told: dict[str, int]) -> None:
        if told["generation"] != 2:
            return
        if phase == "start":
            self._began = time.thread_time()
        elif time.thread_time() - self._began > LONG_SECONDS and self._left:
            self._left -= 1
            self._set_aside()
