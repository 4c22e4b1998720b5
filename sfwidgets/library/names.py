"""How names of music are found and sorted: by keys that are made here, so that every database agrees."""

from __future__ import annotations

import unicodedata

from sfwidgets.models import one_line

KEY_LENGTH = 100
"""How many characters of a name it is sorted by; databases limit what one entry of an index may hold."""


def name_key(name: str) -> str:
    """Return what names are compared by: "Ünïcode" and "UNICODE" are the same."""
    letters = unicodedata.normalize("NFKD", one_line(name))
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()


def track_keys(title: str, artist: str, album: str) -> dict[str, str]:
    """Return the columns by which a track is sorted, and found."""
    keys = [name_key(name) for name in (title, artist, album)]
    return {"title_key": keys[0][:KEY_LENGTH], "artist_key": keys[1][:KEY_LENGTH], "words": "\n".join(keys)}
