"""What the tests of `sources` share: a stand-in for Spotify."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spotify_server import SpotifyServer


@pytest.fixture
def spotify(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpotifyServer]:
    """A stand-in for Spotify, which this process and its children reach, with an empty catalogue."""
    with SpotifyServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
