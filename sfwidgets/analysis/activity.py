"""Activity: where does a stem sound, and where is it silent but for what leaks into it?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sfwidgets.models import Span

Array = NDArray[np.float32]

RATE = 40
"""Levels a second."""

_FLOOR = -55.0
"""dBFS; what is quieter is not heard."""
_BELOW_LOUD = 26.0
"""dB below its own loud level from which on a stem sounds."""
_BELOW_MIXTURE = 26.0
"""dB below the mixture at that moment; separation leaves the other stems 30 to 40 dB below it."""
_HOLD = 5.0
"""dB; what sounds goes on sounding that much further down."""
_LOUD = 95
"""Percentile of the levels that are heard."""
_GAP = 0.6
"""Seconds; shorter silences are breaths within a phrase."""
_BLIP = 0.15
"""Seconds; what is shorter is no phrase."""


class ActivityReader:
    """Takes a stream block by block and keeps its level, 10 kB a minute."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sample_rate = sample_rate
        self._held = np.zeros(0, dtype=np.float32)
        self._channels = channels
        self._taken = 0
        self._levels: list[float] = []

    def push(self, block: Array) -> None:
        """Take the next frames, of shape (channels, frames)."""
        power = np.concatenate([self._held, np.einsum("cf,cf->f", block, block) / np.float32(self._channels)])
        ends: list[int] = []
        while (end := self._edge(len(self._levels) + len(ends) + 1) - self._taken) <= len(power):
            ends.append(end)
        if ends:
            starts = [0, *ends[:-1]]
            sums = np.add.reduceat(power[: ends[-1]], starts, dtype=np.float64)
            self._levels += (sums / np.diff([*starts, ends[-1]])).tolist()
            self._taken += ends[-1]
            power = power[ends[-1] :]
        self._held = power

    def finish(self) -> Array:
        """Return the mean-square amplitude of every 25 ms, shape (n,)."""
        if len(self._held):
            self._levels.append(float(self._held.mean()))
            self._held = self._held[:0]
        return np.array(self._levels, dtype=np.float32)

    def _edge(self, number: int) -> int:
        return round(number * self._sample_rate / RATE)


def power(blocks: Iterable[Array], sample_rate: int) -> Array:
    """Return the mean-square amplitude of every 25 ms, shape (n,), of a stream of blocks of shape (channels, frames)."""
    reader: ActivityReader | None = None
    for block in blocks:
        reader = reader or ActivityReader(sample_rate, len(block))
        reader.push(block)
    return np.zeros(0, dtype=np.float32) if reader is None else reader.finish()


def active(power: Array, mixture: Array | None = None) -> list[Span]:
    """Return where a stem sounds, from mean-square amplitudes of every 25 ms as `ActivityReader` makes them, shape (n,).

    `mixture`, of the same kind, is what the stem was separated from: with it, what is as quiet as separation leaves the
    other stems does not count, even in a stem that has nothing else.
    """
    level = 10 * np.log10(power.astype(np.float64) + 1e-12)
    heard = level > _FLOOR
    if not heard.any():
        return []
    least = np.full(len(level), max(_FLOOR, float(np.percentile(level[heard], _LOUD)) - _BELOW_LOUD))
    still = least - _HOLD
    if mixture is not None:
        around = np.zeros(len(level))
        around[: len(mixture)] = mixture[: len(level)]
        around = ndimage.maximum_filter1d(around, 5)
        leaks = 10 * np.log10(around + 1e-12) - _BELOW_MIXTURE
        least, still = np.maximum(least, leaks), np.maximum(still, leaks)
    spans = _runs(level > still)
    spans = [(a, b) for a, b in spans if (level[a:b] > least[a:b]).any()]
    phrases: list[list[tuple[int, int]]] = []
    for a, b in spans:
        if phrases and a - phrases[-1][-1][1] < _GAP * RATE:
            phrases[-1].append((a, b))
        else:
            phrases.append([(a, b)])
    return [
        Span(start=phrase[0][0] / RATE, end=phrase[-1][1] / RATE)
        for phrase in phrases
        if sum(b - a for a, b in phrase) >= _BLIP * RATE
    ]


def _runs(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
