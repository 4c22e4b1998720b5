"""Tracks, and what is known of the files behind them."""

from __future__ import annotations

from sfwidgets.models.base import Moment, Value


class AudioInfo(Value):
    """What `sfwidgets.audio.probe` found out about a file without decoding all of it."""

    duration: float
    """Seconds, as the container states it; the truth is known once the audio has been decoded."""
    sample_rate: int
    channels: int
    codec: str
    container: str
    bit_rate: int | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None


class Track(Value):
    """A piece of music in the library, keyed by (owner, id)."""

    id: str
    owner: str
    title: str
    artist: str = ""
    album: str = ""
    artwork_url: str | None = None
    source: str = "file"
    """Where it came from: `file`, or a service's name."""
    content_hash: str | None = None
    """SHA-256 of the audio file's bytes; None while there is no audio yet."""
    duration: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    isrc: str | None = None
    """The recording's International Standard Recording Code; the same on every album that it is on."""
    release_date: str | None = None
    """A year, a month or a day, like `1971-11-08`."""
    explicit: bool | None = None
    popularity: int | None = None
    """0 to 100, as Spotify counted it when the track was downloaded."""
    has_artwork: bool = False
    """Whether its file carries a picture, as far as known."""
    created_at: Moment
    updated_at: Moment
    has_stems: bool = False
    has_analysis: bool = False

    def __str__(self) -> str:
        name = f"{self.artist} – {self.title}" if self.artist else self.title
        length = "" if self.duration is None else f" ({int(self.duration) // 60}:{int(self.duration) % 60:02d})"
        return f"{name}{length} [{self.id}]"

    def _repr_html_(self) -> str:
        from html import escape

        badges = "".join(
            f" <small>· {name}</small>"
            for name, there in (("stems", self.has_stems), ("analysis", self.has_analysis))
            if there
        )
        return f"<div><strong>{escape(str(self))}</strong>{badges}</div>"


class Usage(Value):
    """Bytes on disk that one track takes."""

    audio: int = 0
    stems: int = 0
    analysis: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.audio + self.stems + self.analysis
