"""Where tracks come from beside files. This version reads links, and says that it can't follow them yet."""

from __future__ import annotations

from typing import NoReturn

from sfwidgets.errors import UnavailableError
from sfwidgets.sources.links import SpotifyLink, parse_link

__all__ = ["SpotifyLink", "missing", "parse_link"]


def missing() -> NoReturn:
    """Raise `UnavailableError`: nothing can be fetched from Spotify by this version."""
    raise UnavailableError(
        "Spotify links are not supported yet: this version takes audio files only. Add the song as a file.",
        code="no_sources",
    )
