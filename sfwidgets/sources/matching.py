"""Which of the videos that a search finds may be the recording that is looked for, the likeliest first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sfwidgets.models import SourceTrack
from sfwidgets.sources.check import tolerance

_VERSIONS = frozenset(
    {
        "8d", "acoustic", "backing", "cover", "instrumental", "karaoke", "lesson", "live", "nightcore", "reaction", "remix",
        "slowed", "sped", "tutorial",
    }
)  # fmt: skip
"""Words that tell another version of a song, often of the same length, from the one on the record."""

_ADDITION = re.compile(r"\(.*?\)|\[.*?\]| [-–] .*")
"""What a title says beside the song's name: `(feat. …)`, ` - Remastered 2011`."""

_TITLE_SHARE = 0.5
"""How many of the words of a song's name a video must be called by."""

_ROUNDING = 1.0
"""Seconds: a search gives a video's length in whole ones."""


@dataclass(frozen=True)
class Candidate:
    """A video that may be the recording. Its address comes from a search, never from a person: it is followed."""

    url: str
    title: str
    channel: str
    duration: float | None
    """Seconds."""


def likeliest_first(found: Iterable[Candidate], track: SourceTrack) -> list[Candidate]:
    """Return those that may be the track, by who is named, by how close their length is, and then in their order.

    Left out are those of another length than `check` would let pass, or of none where the track's is known (live
    streams have none); those called otherwise; and other versions: a live recording, karaoke, a remix, unless the track
    is one. Each address comes once.
    """
    unique = {candidate.url: candidate for candidate in reversed(list(found))}
    fit = [candidate for candidate in reversed(unique.values()) if _may_be(candidate, track)]
    artist = _words(track.artist)

    def order(candidate: Candidate) -> tuple[bool, float]:
        named = not artist or bool(artist & _words(f"{candidate.title} {candidate.channel}"))
        return not named, round(_distance(candidate, track))

    return sorted(fit, key=order)


def _may_be(candidate: Candidate, track: SourceTrack) -> bool:
    if track.duration is not None:
        if candidate.duration is None:
            return False
        if _distance(candidate, track) > tolerance(track.duration) + _ROUNDING:
            return False
    wanted, called = _words(_ADDITION.sub(" ", track.title)) or _words(track.title), _words(candidate.title)
    text = _plain(candidate.title)
    shared = sum(word in called or (not word.isascii() and word in text) for word in wanted)
    if shared < _TITLE_SHARE * len(wanted):
        return False
    ours = _words(f"{track.title} {track.album} {track.artist}")
    return not (called & _VERSIONS) - ours and not (_words(track.title) & _VERSIONS) - called


def _distance(candidate: Candidate, track: SourceTrack) -> float:
    if candidate.duration is None or track.duration is None:
        return 0.0
    return abs(candidate.duration - track.duration)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", _plain(text)))


def _plain(text: str) -> str:
    """Return the text in small letters without accents and apostrophes: `Don’t` is `dont`, `Björk` is `bjork`."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c) and c not in "'’`´")
