"""Chords: which chord sounds when?

The chroma of each beat is held against what each chord would sound like, overtones included, and the bass against its
root; the most likely sequence is then found in which a chord lasts for some time (a hidden Markov model, after Sheh and
Ellis, "Chord segmentation and recognition using EM-trained hidden Markov models", ISMIR 2003, without the training).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sfwidgets.models.analysis import PITCH_CLASSES, Chord

Array = NDArray[np.float64]

QUALITIES = {"maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10)}
"""Semitones above the root."""
LABELS = (*(f"{root}:{quality}" for quality in QUALITIES for root in PITCH_CLASSES), "N")
_NONE = LABELS.index("N")

_OVERTONES = tuple(0.7**k for k in range(6))
"""The harmonics of a note in a chroma of square roots: theirs fall off half as fast as the amplitudes."""
_ROOT = 0.2
"""How much a chord gains whose root is all that the bass plays."""
_SEVENTH = 0.03
"""How much better a seventh chord must fit than the triad within it, which it can but fit better."""
_NOTE = 0.06
"""How much better a single note must fit than a chord, to be taken for no chord: in chords, voices come and go."""
_SHARPNESS = 48.0
"""Log-likelihood a second of a chord that fits perfectly over one that doesn't at all."""
_LONGEST = 1.0
"""Seconds; however long a beat is, it is no more evidence than this."""
_LASTING = 2.0
"""Seconds that a chord lasts on average."""
_FAINT = 0.1
"""What is 40 dB below the loud parts counts as silence (chroma are square roots)."""
_OFF_BEAT = 0.2
"""How likely chords change half-way between two beats, against on the beat."""
_LEAST_BEATS = 4


def chords(
    chroma: Array, bass_chroma: Array, chroma_rate: float, beats: Sequence[float], duration: float
) -> list[Chord]:
    """Return the chords, from 0 to `duration` without gaps, equal neighbours merged.

    Both chroma have shape (12, frames), not normalised; frame i is centred at i / `chroma_rate` seconds. Chords change
    on `beats` (seconds, ascending) and, with less ease, half-way between them, so that beats counted at half the tempo
    or off the beat do little harm; with fewer than four beats they change anywhere. `N` stands where nothing sounds
    that a chord could be told from. The confidence is the mean probability of the chord by what its own beats sound like.
    """
    if duration <= 0:
        return []
    edges, ease = _edges(beats, duration, chroma_rate)
    lengths = np.diff(edges)
    middle, bass = (_means(frames, edges * chroma_rate) for frames in (chroma, bass_chroma))
    fits = _SHARPNESS * _fits(middle, bass)
    path = _most_likely(fits * np.minimum(lengths, _LONGEST), ease * (1 - np.exp(-lengths / _LASTING)))
    path = np.minimum(path, _NONE)
    probabilities = special.softmax(fits, axis=0)
    probabilities = np.vstack([probabilities[:_NONE], probabilities[_NONE:].sum(axis=0)])[path, np.arange(len(path))]
    changes = np.flatnonzero(np.diff(path)) + 1
    return [
        Chord(
            start=float(edges[first]),
            end=float(edges[end]),
            label=LABELS[path[first]],
            confidence=min(1.0, float(np.average(probabilities[first:end], weights=lengths[first:end]))),
        )
        for first, end in pairwise([0, *changes.tolist(), len(path)])
    ]


def _edges(beats: Sequence[float], duration: float, chroma_rate: float) -> tuple[Array, Array]:
    """Return where segments begin and end, shape (segments + 1,), and how easily a chord begins with each, (segments,).

    They are half beats, evenly spread where beats are missing, or single frames.
    """
    inside = np.unique([beat for beat in beats if 0.05 < beat < duration - 0.05])
    if len(inside) < _LEAST_BEATS:
        count = max(1, round(duration * chroma_rate))
        return np.linspace(0, duration, count + 1), np.ones(count)
    known = np.concatenate([[0.0], inside, [duration]])
    counts = np.maximum(1, np.rint(2 * np.diff(known) / np.median(np.diff(inside)))).astype(int)
    parts = [np.linspace(a, b, n, endpoint=False) for (a, b), n in zip(pairwise(known), counts, strict=True)]
    ease = [np.where(np.arange(n) % 2, _OFF_BEAT, 1.0) for n in counts]
    return np.concatenate([*parts, [duration]]), np.concatenate(ease)


def _means(frames: Array, edges: Array) -> Array:
    """Return the mean of the frames that are centred between each two edges, or else of the nearest one."""
    count = frames.shape[1]
    if count == 0:
        return np.zeros((12, len(edges) - 1))
    first = np.clip(np.ceil(edges[:-1]).astype(int), 0, count)
    end = np.clip(np.ceil(edges[1:]).astype(int), 0, count)
    nearest = np.clip(np.rint((edges[:-1] + edges[1:]) / 2).astype(int), 0, count - 1)
    first, end = np.where(end > first, first, nearest), np.where(end > first, end, nearest + 1)
    sums = np.concatenate([np.zeros((12, 1)), np.cumsum(frames, axis=1)], axis=1)
    return np.asarray((sums[:, end] - sums[:, first]) / (end - first), dtype=np.float64)


def _templates() -> Array:
    """Return what each chord, anything at all, and each single note sounds like, of length 1, shape (49, 12)."""
    note = np.zeros(12)
    for number, weight in enumerate(_OVERTONES, 1):
        note[round(12 * np.log2(number)) % 12] += weight
    sounds = [sum(np.roll(note, interval) for interval in intervals) for intervals in QUALITIES.values()]
    triads = [np.roll(sound, root) for sound in sounds for root in range(12)]
    templates = np.array([*triads, np.ones(12), *(np.roll(note, root) for root in range(12))])
    return np.asarray(templates / np.linalg.norm(templates, axis=1, keepdims=True), dtype=np.float64)


def _fits(middle: Array, bass: Array) -> Array:
    """Return how well each template fits each segment, shape (49, segments): a cosine, and what the bass adds."""
    levels = np.linalg.norm(middle, axis=0)
    fits = _templates() @ (middle / np.maximum(levels, 1e-12))
    root = bass / np.maximum(np.linalg.norm(bass, axis=0), 1e-12)
    fits[:_NONE] += _ROOT * np.tile(root, (len(QUALITIES), 1))
    fits[_NONE:] += _ROOT * root.mean(axis=0)
    fits[LABELS.index("C:7") : _NONE] -= _SEVENTH
    fits[_NONE + 1 :] -= _NOTE
    silent = levels <= max(1e-9, _FAINT * float(np.percentile(levels, 75)))
    fits[_NONE, silent] = 2.0
    return np.asarray(fits, dtype=np.float64)


def _most_likely(fits: Array, changing: Array) -> NDArray[np.intp]:
    """Return the most likely sequence (Viterbi), shape (segments,).

    `fits` are log-likelihoods of shape (chords, segments), `changing` the probabilities that another chord begins with
    each segment, all others being equally likely.
    """
    every = np.arange(len(fits))
    stay, change = np.log1p(-changing), np.log(changing / (len(fits) - 1))
    best = fits[:, 0]
    before = np.zeros((fits.shape[1], len(fits)), dtype=np.intp)
    for segment in range(1, fits.shape[1]):
        likeliest = int(best.argmax())
        stayed, changed = best + stay[segment], best[likeliest] + change[segment]
        before[segment] = np.where(stayed >= changed, every, likeliest)
        best = np.maximum(stayed, changed) + fits[:, segment]
    path = np.zeros(fits.shape[1], dtype=np.intp)
    path[-1] = best.argmax()
    for segment in range(len(path) - 1, 0, -1):
        path[segment - 1] = before[segment, path[segment]]
    return path
