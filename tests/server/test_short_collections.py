"""Full garbage collections of the server stay short: what stays is looked at once."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import types
from collections.abc import Iterator

import pytest

from server_ext import garbage
from server_ext.garbage import ShortCollections


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def collection() -> float:
    began = time.thread_time()
    gc.collect()
    return time.thread_time() - began


def test_what_survives_a_long_collection_is_not_looked_at_again() -> None:
    async def run() -> None:
        short = ShortCollections()
        short.start()
        gc.disable()  # else one comes by itself while these are made
        held = [[number] for number in range(1_000_000)]
        long = collection()
        gc.enable()
        assert long > garbage.LONG_SECONDS
        assert collection() < long / 4
        await short.close()
        await short.close()
        assert gc.get_freeze_count() == 0
        assert len(held) == 1_000_000

    asyncio.run(run())


def test_garbage_made_afterwards_is_freed_as_ever() -> None:
    class Node:
        alive = 0

        def __init__(self) -> None:
            self.itself = self
            Node.alive += 1

        def __del__(self) -> None:
            Node.alive -= 1

    async def run() -> None:
        short = ShortCollections()
        short.start()
        for _ in range(100):
            Node()
        gc.collect()
        assert Node.alive == 0
        await short.close()

    asyncio.run(run())


def test_newly_loaded_modules_are_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK_SECONDS", 0.01)

    async def run() -> None:
        short = ShortCollections()
        short.start()
        before = gc.get_freeze_count()
        for number in range(garbage.NEW_MODULES):
            name = f"loaded_{number}"
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        async with asyncio.timeout(5):
            while gc.get_freeze_count() <= before:
                await asyncio.sleep(0.01)
        await short.close()

    asyncio.run(run())
