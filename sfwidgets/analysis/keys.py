"""Keys: what key is the music in, and where does it change?

A key has a profile: how much each pitch class sounds in it. The key whose profile goes best with the chroma is the key;
where another one goes better for long enough, the music has changed its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sfwidgets.models.analysis import PITCH_CLASSES, KeySpan

Array = NDArray[np.float64]

KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in PITCH_CLASSES)

_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
"""Shares of the pitch classes, from the tonic up, in a corpus: Albrecht and Shanahan, "The use of large corpora to
train a new type of key-finding algorithm", Music Perception 31(1), 2013."""
_FIFTH = 0.3
"""How much of each pitch class is taken off its fifth, in which its third harmonic sounds."""
_LEAST_STRENGTH = 0.5
_ENOUGH = 4.0
"""Seconds of sound from which on a key can be believed in full."""
_MOVEMENT = 0.04
"""1 - the mean cosine between each second's chroma and their mean, from which on music is taken to move. Songs have
0.08 and more; a held tone or chord, which has no key, has none."""
_FEWEST, _VARIED = 3.0, 5.0
"""Pitch classes in use: with three there is a chord at most, from five on there may be a scale."""
_WINDOW = 8.0
"""Seconds over which a key is looked for: two bars and more."""
_CHANGE, _TO_NEIGHBOUR = 6.0, 12.0
"""What a change of key has to gain: correlation times seconds. A last chorus a semitone up gains 0.8 a second or
more, music in a neighbouring key 0.1 to 0.3, which borrowed chords would gain too."""
_SAME_MUSIC = 0.5
"""How well two chroma correlate that have to do with each other."""


@dataclass(frozen=True)
class Key:
    """The key of a piece and its runner-up, like "C# minor"; None where there is none."""

    key: str | None
    strength: float
    """0 to 1."""
    alternative: str | None
    alternative_strength: float


def key(chroma: Array, chroma_rate: float) -> Key:
    """Return the key of a chroma of shape (12, frames) at `chroma_rate` frames a second.

    Where the key changes it is the one that lasts longest. The strength is the correlation of the chroma with the key's
    profile, less where the music hardly moves, where few pitch classes sound, or where it is short; below 0.5 the key
    is None. The alternative is the key that goes second best with the same music.
    """
    spans = _spans(chroma, chroma_rate)
    lasting: dict[int, int] = {}
    for first, end, best in spans:
        lasting[best] = lasting.get(best, 0) + end - first
    if not lasting:
        return Key(None, 0.0, None, 0.0)
    longest = max(lasting, key=lambda best: lasting[best])
    there = np.concatenate([chroma[:, first:end] for first, end, best in spans if best == longest], axis=1)
    strengths = np.maximum(0, _correlations(_balanced(there))) * _tonality(there, chroma_rate)
    strength = float(strengths[longest])
    if strength < _LEAST_STRENGTH:
        return Key(None, strength, None, 0.0)
    second = max((other for other in range(len(KEYS)) if other != longest), key=lambda other: strengths[other])
    return Key(KEYS[longest], strength, KEYS[second], float(strengths[second]))


def key_changes(chroma: Array, chroma_rate: float, duration: float) -> list[KeySpan]:
    """Return the keys in order of time, from 0 to `duration` without gaps; [] where there is no key.

    Borrowed chords and passing excursions are no changes of key.
    """
    whole = key(chroma, chroma_rate)
    if whole.key is None:
        return []
    spans = _spans(chroma, chroma_rate)
    times = [0.0, *(first / chroma_rate for first, _, _ in spans[1:]), duration]
    strengths = [
        max(0.0, float(_correlations(_balanced(chroma[:, first:end]))[best]))
        * _tonality(chroma[:, first:end], chroma_rate)
        for first, end, best in spans
    ]
    return [
        KeySpan(start=start, end=max(start, end), key=KEYS[best], strength=strength)
        for (start, end), (_, _, best), strength in zip(pairwise(times), spans, strengths, strict=True)
    ]


def _balanced(chroma: Array) -> Array:
    """Return the frames with less of the third harmonics, each of length 1 or 0."""
    notes = np.maximum(0, chroma - _FIFTH * np.roll(chroma, 7, axis=0))
    lengths = np.linalg.norm(notes, axis=0)
    return np.asarray(np.divide(notes, lengths, out=np.zeros_like(notes), where=lengths > 1e-9), dtype=np.float64)


def _correlations(frames: Array) -> Array:
    """Return how the mean of chroma of shape (12, frames) correlates with the profile of each key, shape (24,)."""
    return _correlate(frames.sum(axis=1, keepdims=True))[:, 0]


def _correlate(chroma: Array) -> Array:
    """Return how each chroma of shape (12, n) correlates with the profile of each key, shape (24, n); 0 if it is flat."""
    profiles = np.array([np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)]).T
    return _relief(profiles).T @ _relief(chroma)


def _relief(chroma: Array) -> Array:
    """Return each chroma of shape (12, n) with mean 0 and length 1: products of these are correlations."""
    relief = chroma - chroma.mean(axis=0)
    return np.asarray(relief / np.maximum(np.linalg.norm(relief, axis=0), 1e-9), dtype=np.float64)


def _tonality(chroma: Array, chroma_rate: float) -> float:
    """Return from 0 to 1 how far a chroma is one of music in which a key can be told at all."""
    seconds = ndimage.uniform_filter1d(_balanced(chroma), max(1, round(chroma_rate)), axis=1)
    lengths = np.linalg.norm(seconds, axis=0)
    seconds = seconds[:, lengths > 1e-9] / lengths[lengths > 1e-9]
    if seconds.size == 0:
        return 0.0
    mean = seconds.mean(axis=1)
    movement = 1 - float(np.linalg.norm(mean))  # the mean cosine is the length of the mean
    shares = mean[mean > 0] / mean.sum()
    in_use = float(np.exp(-(shares * np.log(shares)).sum()))
    return float(
        min(1.0, movement / _MOVEMENT)
        * np.clip((in_use - _FEWEST) / (_VARIED - _FEWEST), 0, 1)
        * min(1.0, seconds.shape[1] / chroma_rate / _ENOUGH)
    )


def _spans(chroma: Array, chroma_rate: float) -> list[tuple[int, int, int]]:
    """Return first frame, end frame and key (its number) of each stretch in one key; equal neighbours are merged."""
    frames = _balanced(chroma)
    if not frames.any():
        return []
    stretches = _stretches(frames, chroma_rate)
    longest = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    own = frames[:, slice(*longest)].sum(axis=1)
    number = int(_correlate(own[:, None]).argmax())
    spans: list[tuple[int, int, int]] = []
    for first, end in stretches:
        here = number if (first, end) == longest else _key_beside(frames[:, first:end].sum(axis=1), own, number)
        if spans and spans[-1][2] == here:
            spans[-1] = (spans[-1][0], end, here)
        else:
            spans.append((first, end, here))
    return spans


def _key_beside(chroma: Array, main: Array, main_key: int) -> int:
    """Return the key of a stretch beside the main one, from the chroma of both, shape (12,).

    Songs mostly play the same music in their other key, so a key of the same mode gains where the main stretch's chroma
    fits when transposed there, and loses where it doesn't.
    """
    likeness = _correlate(chroma[:, None])[:, 0]
    mode = main_key - main_key % 12
    transposed = np.array([np.roll(main, tonic - main_key) for tonic in range(12)]).T
    likeness[mode : mode + 12] += (_relief(transposed).T @ _relief(chroma[:, None]))[:, 0] - _SAME_MUSIC
    return int(likeness.argmax())


def _stretches(frames: Array, chroma_rate: float) -> list[tuple[int, int]]:
    """Return first and end frame of each stretch in one key.

    They are the most likely ones (Viterbi) when every second counts as much as its key's correlation, and every change
    costs.
    """
    second = max(1, round(chroma_rate))
    around = ndimage.uniform_filter1d(frames, round(_WINDOW * chroma_rate), axis=1, mode="constant")[:, ::second]
    gain = _correlate(around)
    costs = _costs()
    best = gain[:, 0]
    before = np.zeros((gain.shape[1], len(KEYS)), dtype=np.intp)
    for moment in range(1, gain.shape[1]):
        reached = best[:, None] - costs
        before[moment] = reached.argmax(axis=0)
        best = reached.max(axis=0) + gain[:, moment]
    path = [int(best.argmax())]
    for moment in range(gain.shape[1] - 1, 0, -1):
        path.append(int(before[moment, path[-1]]))
    changes = np.flatnonzero(np.diff(path[::-1])) + 1
    return list(pairwise([0, *(changes * second).tolist(), frames.shape[1]]))


def _costs() -> Array:
    """Return what a change from each key to each other costs, shape (24, 24)."""
    fifths = np.array([(tonic + relative) * 7 % 12 for relative in (0, 3) for tonic in range(12)])
    apart = np.abs((fifths[:, None] - fifths + 6) % 12 - 6)
    return np.where(apart <= 1, _TO_NEIGHBOUR, _CHANGE) * (1 - np.eye(len(KEYS)))
