"""Files that take seconds or minutes to make, made where they keep nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="soundforge-making")
_RUNNING: dict[Hashable, Future[Path]] = {}


async def made(key: Hashable, make: Callable[[], Path]) -> Path:
    """Return what `make` does, in one of two threads; who asks for the same `key` meanwhile waits for the same file.

    It is made to the end even where nobody waits any longer, for the next who asks. Call it from the event loop's thread.
    """
    running = _RUNNING.get(key)
    if running is None:
        running = _RUNNING[key] = _THREADS.submit(make)
        running.add_done_callback(lambda _: _RUNNING.pop(key, None))
    return await asyncio.shield(asyncio.wrap_future(running))


def close() -> None:
    """Drop what waits to be made, as the server stops; what is being made is made to the end."""
    _THREADS.shutdown(wait=False, cancel_futures=True)
