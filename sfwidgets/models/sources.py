"""Music as a service describes it, before any of it is in the library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from sfwidgets.models.base import Value, one_line

SourceKind = Literal["track", "album", "playlist", "artist", "search"]
DownloadFormat = Literal["opus", "m4a", "mp3", "flac", "ogg", "wav"]
"""What a download is kept as; `opus` and `m4a` at bit rate `auto` keep what is offered, unconverted."""
Bitrate = Literal["auto", "96k", "128k", "160k", "192k", "256k", "320k"]


_ISRC = re.compile("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", re.ASCII)
LONGEST_NAME = 1000
MOST_ARTISTS = 100


class SourceTrack(Value):
    """A recording as Spotify describes it."""

    id: str
    """Its id there; the track in the library is called by it, too."""
    title: str
    artists: tuple[str, ...] = ()
    album: str = ""
    duration: float | None = Field(default=None, ge=0, le=10**6, allow_inf_nan=False)
    """Seconds."""
    isrc: str | None = None
    """The recording's International Standard Recording Code (ISO 3901): the same on every album that it is on.

    What is none is left out.
    """
    release_date: str | None = None
    """A year, a month or a day, like `1971-11-08`."""
    explicit: bool | None = None
    popularity: int | None = Field(default=None, ge=0, le=100)
    """0 to 100, as Spotify counts it."""
    artwork_url: str | None = None
    preview_url: str | None = None
    url: str | None = None
    """Its page: `https://open.spotify.com/track/…`."""

    @field_validator("isrc", mode="after")
    @classmethod
    def _code(cls, value: str | None) -> str | None:
        code = (value or "").replace("-", "").upper()
        return code if _ISRC.fullmatch(code) else None

    @field_validator("title", "album", mode="after")
    @classmethod
    def _short(cls, value: str) -> str:
        return one_line(value)[:LONGEST_NAME]

    @field_validator("artists", mode="after")
    @classmethod
    def _short_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one_line(name)[:LONGEST_NAME] for name in value[:MOST_ARTISTS])

    @property
    def artist(self) -> str:
        """All artists, with commas between."""
        return ", ".join(self.artists)

    def __str__(self) -> str:
        return f"{self.artist} – {self.title}" if self.artists else self.title


class SourceList(Value):
    """What a link leads to: one recording, or a list of them, in its order."""

    type: SourceKind
    id: str
    name: str
    description: str = ""
    tracks: tuple[SourceTrack, ...] = ()
    left_out: int = Field(default=0, ge=0)
    """How many items of the list are none that can be had: removed ones, local files, podcast episodes."""
    artwork_url: str | None = None
    url: str | None = None

    def __str__(self) -> str:
        count = len(self.tracks)
        left_out = f", {self.left_out} left out" if self.left_out else ""
        return f"{self.name} ({self.type}, {count} track{'' if count == 1 else 's'}{left_out})"

    def __iter__(self) -> Iterator[SourceTrack]:  # type: ignore[override]
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, index: int) -> SourceTrack:
        return self.tracks[index]

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(str(track))}</li>" for track in self.tracks)
        return f"<div><strong>{escape(str(self))}</strong><ol>{rows}</ol></div>"
