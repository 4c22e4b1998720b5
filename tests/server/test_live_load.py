"""Many clients at once: each gets exactly its track's events; the full count only with `make soak`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfwidgets import Workbench
from tests.browser.servers import Server, start_lab
from tests.server.live_load import load


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Server, Workbench]]:
    with Workbench(tmp_path / "library") as wb, start_lab(tmp_path, tmp_path / "library") as server:
        yield server, wb


def test_a_hundred_clients_each_get_their_tracks_events(served: tuple[Server, Workbench]) -> None:
    outcome = load(*served, sockets=100, tracks=20, seconds=6.0, silent=10)
    assert outcome.wrong == 0, outcome
    assert (outcome.sockets, outcome.events) == (100, 20 * 2 * 6)
    assert outcome.deliveries == 100 * 2 * 6


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_five_hundred_clients_get_twenty_events_a_second_within_50_ms(served: tuple[Server, Workbench]) -> None:
    outcome = load(*served)
    print(outcome)
    assert outcome.wrong == 0, outcome
    assert outcome.sockets == 500
    assert outcome.a_second >= 20
    assert outcome.p99 <= 50, outcome
    assert outcome.silent_dropped == outcome.silent == 50
