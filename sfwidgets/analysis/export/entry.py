"""What of one track is exported: how is it called, where is it, and how is it counted?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

from sfwidgets.models import Analysis, Track


class Entry(NamedTuple):
    """One track to export."""

    analysis: Analysis
    track: Track | None = None
    """Title, artist and album, where they matter."""
    audio: Path | None = None
    """The audio file, where the format points at one."""


def positions(beats: Sequence[float], downbeats: Sequence[float]) -> list[int | None]:
    """Return each beat's place in its bar, 1 where a bar begins; None where no downbeat tells.

    `beats` and `downbeats` are in seconds, ascending; each downbeat is taken for the beat nearest to it. Beats before the
    first downbeat are counted back from it in bars of the median length, so they are unknown where there is but one bar.
    """
    firsts = sorted({_nearest(beats, downbeat) for downbeat in downbeats}) if beats else []
    if not firsts:
        return [None] * len(beats)
    counted: list[int | None] = [None] * firsts[0]
    if len(firsts) > 1:
        bar = median_low([b - a for a, b in pairwise(firsts)])
        counted = [(beat - firsts[0]) % bar + 1 for beat in range(firsts[0])]
    for first, following in zip(firsts, [*firsts[1:], len(beats)], strict=True):
        counted += range(1, following - first + 1)
    return counted


def _nearest(times: Sequence[float], time: float) -> int:
    after = bisect_left(times, time)
    return min((i for i in (after - 1, after) if 0 <= i < len(times)), key=lambda i: abs(times[i] - time))
