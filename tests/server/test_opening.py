"""The library is opened once for all who ask, and tried again after a failure."""

from __future__ import annotations

import asyncio
import threading

import pytest

from server_ext import opened
from server_ext.opened import Opened
from sfwidgets import Workbench
from sfwidgets.errors import UnavailableError


def test_all_who_ask_meanwhile_wait_for_one_try_and_the_next_makes_another(
    shared_wb: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    go_on = threading.Event()

    def open_it() -> Workbench:
        tries.append(1)
        assert go_on.wait(30)
        if len(tries) == 1:
            raise UnavailableError("The database is away.")
        return shared_wb

    monkeypatch.setattr(opened, "Workbench", open_it)
    monkeypatch.setattr(opened, "PATIENCE", 0.01)

    async def scenario() -> None:
        asked = Opened()
        waiting = [asyncio.ensure_future(asked.workbench(f"owner{number}")) for number in range(20)]
        states = [(await asked.health()).services.database for _ in range(3)]
        waiting[0].cancel()  # a client that has gone takes the try from nobody
        await asyncio.sleep(0)
        go_on.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert states == ["down"] * 3
        assert [type(error) for error in told] == [asyncio.CancelledError] + [UnavailableError] * 19
        assert (len(tries), asked.current) == (1, None)
        both = await asyncio.gather(asked.workbench("ann"), asked.workbench("bob"))
        assert [found.owner for found in both] == ["ann", "bob"]
        assert asked.current is shared_wb
        assert len(tries) == 2

    asyncio.run(scenario())


def test_what_is_being_opened_as_the_server_stops_is_closed(
    shared_wb: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(opened, "Workbench", lambda: shared_wb)
    monkeypatch.setattr(type(shared_wb), "close", lambda _: closed.append(True))

    async def scenario() -> None:
        asked = Opened()
        opening = asyncio.ensure_future(asked.workbench())
        await asyncio.sleep(0)
        await asked.close()
        assert await opening is shared_wb
        assert (closed, asked.current) == ([True], None)

    asyncio.run(scenario())
