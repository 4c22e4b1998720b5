"""Spotify's JSON objects as our values. Any field of them may be missing, null, or not what it should be."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from sfwidgets.models import SourceTrack
from sfwidgets.models.base import one_line

_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_DATE = re.compile(r"(?!0000)[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_LONGEST = 1e9
"""Milliseconds, eleven days: no track is longer."""


def playlist_track(entry: Any) -> SourceTrack | None:
    """Return the track that a playlist's entry holds; None for a removed one, a local file or a podcast's episode.

    It is under `item`, and used to be under `track`.
    """
    about = table(entry)
    return track(about.get("item") or about.get("track"))


def track(raw: Any, album: dict[str, Any] | None = None) -> SourceTrack | None:
    """Return a track, on `album` where it doesn't say on which itself; None for what is none that can be had."""
    about = table(raw)
    key, title = about.get("id"), text(about.get("name"))
    if about.get("type", "track") != "track" or about.get("is_local") or not well_formed(key) or not title:
        return None
    disc = table(about.get("album")) or album or {}
    explicit, milliseconds, popularity = (about.get(name) for name in ("explicit", "duration_ms", "popularity"))
    return SourceTrack(
        id=key,
        title=title,
        artists=artists(about),
        album=text(disc.get("name")),
        duration=milliseconds / 1000 if _is_number(milliseconds) and 0 < milliseconds < _LONGEST else None,
        isrc=_isrc(table(about.get("external_ids")).get("isrc")),
        release_date=_date(disc.get("release_date")),
        explicit=explicit if isinstance(explicit, bool) else None,
        popularity=int(popularity) if _is_number(popularity) and 0 <= popularity <= 100 else None,
        artwork_url=artwork(disc),
        preview_url=_address(about.get("preview_url")),
        url=f"https://open.spotify.com/track/{key}",
    )


def artists(about: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of a track's or an album's artists."""
    return tuple(filter(None, (text(table(artist).get("name")) for artist in entries(about.get("artists")))))


def artwork(about: dict[str, Any]) -> str | None:
    """Return the address of the largest picture of an album, a playlist or an artist."""
    pictures = [table(picture) for picture in entries(about.get("images"))]
    # The only picture of a playlist may be of unknown size.
    pictures.sort(key=lambda picture: picture["width"] if _is_number(picture.get("width")) else 0, reverse=True)
    return next(filter(None, (_address(picture.get("url")) for picture in pictures)), None)


def well_formed(key: Any) -> TypeGuard[str]:
    """Return whether that is an id as Spotify makes them."""
    return isinstance(key, str) and _ID.fullmatch(key) is not None


def text(value: Any) -> str:
    """Return a text on one line; "" for what is none."""
    return one_line(value) if isinstance(value, str) else ""


def table(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Any]:
    """Return a JSON array; an empty one for what is none."""
    return value if isinstance(value, list) else []


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _date(value: Any) -> str | None:
    return value if isinstance(value, str) and _DATE.fullmatch(value) else None


def _isrc(value: Any) -> str | None:
    code = value.upper().replace("-", "").strip() if isinstance(value, str) else ""
    return code if _ISRC.fullmatch(code) else None


def _address(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"https://[^\s<>\"']+", value) else None
