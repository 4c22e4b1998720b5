"""Structure: what is the form of the music, where does each section begin, and which sections are the same?

Chroma says which harmonies sound, cepstral coefficients with which timbre and how loudly. Both are averaged over beats,
and every beat is held against every other (Foote, "Visualizing music and audio using self-similarity", ACM Multimedia 1999).
A section begins where timbre changes, where other harmonies come into use, or where what recurs elsewhere changes
(Serrà et al., "Unsupervised music structure annotation by time series structure features and segment similarity",
IEEE Transactions on Multimedia 16(5), 2014). Sections are the same where one of them fits along the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal
from scipy.cluster import hierarchy

from sfwidgets.analysis import roles
from sfwidgets.analysis.energy import Bands, sounding
from sfwidgets.analysis.timbre import BANDS, Timbre
from sfwidgets.models import Section

Array = NDArray[np.float64]

_LEAD_IN = 3.0
"""Seconds of silence at the beginning that belong to the first section."""
_STEP = 0.5
"""Seconds of a step where there are no beats."""
_WINDOW = 1200
"""Steps that are held against each other, for the memory's sake: ten minutes at 120 beats a minute."""
_CONTEXT = 16
"""Steps on either side that are compared at a boundary; four bars."""
_BAR = 4
"""Steps that the timbre is averaged over, and on either side by which a boundary's exact place is found."""
_PATH = 8
"""Steps over which harmonies must go alike to be the same passage; two bars."""
_CHORD = 0.55
"""Distance of two chroma vectors of length 1 at which they count as alike to 1/e."""
_TIMBRE = 6.0
"""dB, root mean square over the bands, at which two spectra count as alike to 0.6."""
_ALIKE = 0.4
"""Likeness from which on a passage counts as recurring."""
_FEW = 8.0
"""Recurrences that are needed for their change to count by half."""
_LEAST_NOVELTY, _LEAST_IN_LONG = 0.4, 0.33
"""Songs of one part stay below, with few exceptions; the lower one is for dividing a section that is long."""
_LONG = 45.0
"""Seconds."""
_SHORTEST, _LEAST_MUSIC = 6.0, 1.0
"""Seconds of a section, and of a piece that is but one."""
_SAME = 0.64
"""Likeness from which on two sections are the same: where synthesised songs' same and other sections part best."""
_TWICE = 0.12
"""How far, as a share, a section's length may be off a multiple of another's to be that one twice or thrice."""
_TWICE_LEAST = 10.0
"""Seconds of a section that another may be several times; shorter ones are fragments."""


@dataclass(frozen=True)
class _Steps:
    """What sounds in each step of time, a beat or so."""

    times: Array
    """Where the steps begin, and where the last one ends; shape (n + 1,). Silences are left out."""
    chroma: Array
    """Of length 1, or 0; shape (n, 12)."""
    colour: Array
    """Cepstral coefficients, shape (n, 20), whose distance is that of the spectra, dB root mean square."""


def sections(
    chroma: NDArray[np.floating],
    bass_chroma: NDArray[np.floating],
    chroma_rate: float,
    timbre: Timbre,
    bands: Bands,
    beats: list[float],
    downbeats: list[float],
    duration: float,
) -> list[Section]:
    """Return the sections, one after the other from the first sound to `duration` (seconds); [] where there is no music.

    `chroma` and `bass_chroma` have shape (12, frames), `chroma_rate` frames a second. Boundaries lie on `downbeats`
    (seconds) where there are any, else on `beats` or between. A silence of a second ends a section and still belongs to
    it; one before the music belongs to the first section if it is shorter than three seconds. What neither has pitches nor
    beats is no music.
    """
    extent = sounding(bands)
    if not len(extent) or (not np.any(chroma) and not beats):
        return []
    first, last = extent[0, 0], min(extent[-1, 1], duration)
    whole = Section(start=0.0 if first < _LEAD_IN else round(float(first), 3), end=duration, label="A")
    if last - first < 2 * _SHORTEST:
        return [whole] if last - first >= _LEAST_MUSIC else []
    steps = _steps(chroma, bass_chroma, chroma_rate, timbre, np.asarray(beats), extent)
    if not len(steps.chroma):
        return [whole]  # it sounds now and then, each time for less than a step
    novelty, exact = _novelty(steps)
    bounds = _boundaries(novelty, exact, steps.times, np.asarray(downbeats), extent[:-1, 1], extent[1:, 0])
    starts = np.concatenate([[0.0 if first < _LEAD_IN else first], bounds])
    edges = np.searchsorted(steps.times[:-1], np.append(starts, last) - 0.05)
    parts = _several(starts, _groups(steps, edges), last, np.asarray(downbeats))
    starts = np.array([start for start, _ in parts])
    names = list(dict.fromkeys(group for _, group in parts))
    certainty = _certainty(novelty, steps.times, starts, extent[1:, 0])
    form = [
        Section(
            start=round(float(start), 3),
            end=min(round(float(end), 3), duration),
            label=_letters(names.index(group)),
            confidence=round(float(sure), 2),
        )
        for (start, group), end, sure in zip(parts, np.append(starts[1:], duration), certainty, strict=True)
    ]
    return roles.roles(form, bands)


def _steps(
    chroma: NDArray[np.floating], bass_chroma: NDArray[np.floating], chroma_rate: float, timbre: Timbre, beats: Array,
    extent: Array,
) -> _Steps:  # fmt: skip
    times = _grid(beats, extent[0, 0], extent[-1, 1])
    centres = (times[:-1] + times[1:]) / 2
    heard = np.searchsorted(extent[:, 0], centres) > np.searchsorted(extent[:, 1], centres)
    voices = [_unit(_means(pitches.T, chroma_rate, times)) for pitches in (chroma, bass_chroma)]
    colour = _means(timbre.mfcc, timbre.frame_rate, times) / np.sqrt(BANDS)
    return _Steps(np.append(times[:-1][heard], times[-1]), _unit(np.hstack(voices))[heard], colour[heard])


def _unit(vectors: Array) -> Array:
    """Return vectors, by row, of length 1; 0 where they are."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-6))


def _grid(beats: Array, first: float, last: float) -> Array:
    """Return the times of beats from the first sound to the last, holes filled; steps of half a second without beats.

    Slow beats are halved and of fast ones every second is taken, so that a step is 0.34 to 0.9 s.
    """
    if len(beats) < 8:
        return np.arange(first, last + _STEP / 2, _STEP)
    period = float(np.median(np.diff(beats)))
    if period < 0.34:
        beats, period = beats[::2], 2 * period
    parts = 2 if period > 0.9 else 1
    anchors = np.concatenate([[first], beats[(beats > first + period / 2) & (beats < last - period / 2)], [last]])
    counts = np.maximum(1, np.rint(np.diff(anchors) * parts / period)).astype(int)
    steps = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(anchors[:-1], anchors[1:], counts, strict=True)]
    return np.append(np.concatenate(steps), last)


def _means(values: NDArray[np.floating], rate: float, times: Array) -> Array:
    """Return the means of `values`, shape (frames, d), between each two of `times` (seconds)."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    places = np.clip(times * rate + 0.5, 0, len(values))
    whole = np.minimum(places.astype(int), len(values) - 1)
    part = (places - whole)[:, None]
    summed = total[whole] * (1 - part) + total[whole + 1] * part
    return np.asarray(np.diff(summed, axis=0) / np.maximum(np.diff(places), 1e-6)[:, None])


def _harmony(some: Array, others: Array) -> Array:
    """Return how much each two chroma vectors are alike, 0 to 1; no harmony is like no harmony."""
    return np.asarray(np.exp(-_squared_distance(some, others) / _CHORD**2))


def _colour(some: Array, others: Array) -> Array:
    """Return how much each two spectra are alike, 0 to 1."""
    return np.asarray(np.exp(-_squared_distance(some, others) / (2 * _TIMBRE**2)))


def _squared_distance(some: Array, others: Array) -> Array:
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    return np.asarray(np.maximum(0, squares - 2 * some @ others.T))


def _over_a_bar(colour: Array) -> Array:
    return np.asarray(ndimage.uniform_filter1d(colour, _BAR, axis=0, mode="nearest"))


def _novelty(steps: _Steps) -> tuple[Array, Array]:
    """Return how much changes at the beginning of each step, and the same with sharper peaks; both of shape (n + 1,)."""
    n = len(steps.chroma)
    novelty, exact = np.zeros(n + 1), np.zeros(n + 1)
    margin = _WINDOW // 8
    for first in range(0, max(1, n - 2 * margin), _WINDOW - 2 * margin):
        end = min(n, first + _WINDOW)
        start = first + margin if first else 0
        parts = _novelty_within(steps.chroma[first:end], steps.colour[first:end])
        novelty[start : end + 1], exact[start : end + 1] = (part[start - first :] for part in parts)
    # Beside the beginning and the end, little is left to compare with.
    far = np.minimum(1, np.sqrt(np.minimum(np.arange(n + 1), n - np.arange(n + 1)) / _CONTEXT))
    return novelty * far, exact * far


def _novelty_within(chroma: Array, colour: Array) -> tuple[Array, Array]:
    even = _over_a_bar(colour)
    timbre = _colour(even, even)
    passages = _along_paths(_harmony(chroma, chroma))
    around = ndimage.maximum_filter(passages, size=(1, _CONTEXT + 1))
    recurrence = np.clip((passages * np.sqrt(timbre) - _ALIKE) / (1 - _ALIKE), 0, 1)
    novelty = (
        _prominence(_contrast(timbre, _CONTEXT))
        + _prominence(_contrast(np.minimum(around, around.T), _CONTEXT))
        + 2 * _prominence(_recurrence_change(recurrence))
    )
    return novelty, novelty + _contrast(_colour(colour, colour), _BAR)


def _along_paths(similarity: Array) -> Array:
    """Return the mean along the diagonal, over the next or the last two bars, whichever is larger."""
    n = len(similarity)
    total = np.zeros((n + _PATH, n + _PATH))
    padded = np.pad(similarity, _PATH, mode="edge")
    for k in range(_PATH):
        total += padded[k : k + n + _PATH, k : k + n + _PATH]
    return np.maximum(total[:n, :n], total[_PATH:, _PATH:]) / _PATH


def _contrast(similarity: Array, reach: int) -> Array:
    """Return how much more alike `reach` steps before a place are, and those after it, than these and those."""
    n = len(similarity)
    total = np.zeros((n + 1, n + 1))
    total[1:, 1:] = similarity.cumsum(axis=0).cumsum(axis=1)
    at = np.arange(1, n)
    before, after = np.maximum(0, at - reach), np.minimum(n, at + reach)

    def mean(a: NDArray[np.intp], b: NDArray[np.intp], c: NDArray[np.intp], d: NDArray[np.intp]) -> Array:
        return np.asarray((total[b, d] - total[a, d] - total[b, c] + total[a, c]) / ((b - a) * (d - c)))

    within = np.sqrt(np.maximum(0, mean(before, at, before, at) * mean(at, after, at, after)))
    return np.pad(np.maximum(0, within - mean(before, at, at, after)), 1)


def _recurrence_change(recurrence: Array) -> Array:
    """Return how differently steps before and after a place recur, by how far away the recurrences are; 0 to 1."""
    n = len(recurrence)
    lags = np.zeros((n, 2 * n - 1))
    known = np.zeros((n + 1, 2 * n - 1), dtype=np.int32)
    for i in range(n):
        lags[i, n - 1 - i : 2 * n - 1 - i] = recurrence[i]
        known[i + 1, n - 1 - i : 2 * n - 1 - i] = 1
    lags[:, n - 3 : n + 2] = 0
    total = np.concatenate([np.zeros((1, 2 * n - 1)), lags.cumsum(axis=0)])
    known = known.cumsum(axis=0)
    change = np.zeros(n + 1)
    for at in range(2, n - 1):
        a, b = max(0, at - _CONTEXT), min(n, at + _CONTEXT)
        left, right = known[at] - known[a], known[b] - known[at]
        use = (2 * left >= at - a) & (2 * right >= b - at)
        before, after = (total[at] - total[a])[use] / left[use], (total[b] - total[at])[use] / right[use]
        change[at] = np.abs(before - after).sum() / (np.maximum(before, after).sum() + _FEW)
    return change


def _prominence(curve: Array) -> Array:
    """Return how far a curve stands above the higher of its lowest points in the five bars before and after."""
    reach = _CONTEXT + 4
    before = ndimage.minimum_filter1d(curve, reach + 1, origin=reach // 2, mode="nearest")
    after = ndimage.minimum_filter1d(curve, reach + 1, origin=-(reach // 2), mode="nearest")
    return np.asarray(curve - np.maximum(before, after))


def _boundaries(
    novelty: Array, exact: Array, times: Array, downbeats: Array, silent: Array, resumed: Array
) -> Array:  # fmt: skip
    """Return where new sections begin: after silences, and where the novelty is high, on downbeats if one is near.

    `novelty` tells that there is a boundary, `exact` where it is best put.
    """
    peaks = signal.find_peaks(novelty, height=_LEAST_IN_LONG)[0]
    step = float(np.median(np.diff(times)))
    chosen, taken = list(resumed), [times[0], times[-1], *silent, *resumed]
    for peak in peaks[np.argsort(-novelty[peaks])]:
        distance = np.abs(downbeats - times[peak])
        if distance.min(initial=np.inf) < _BAR * 1.5 * step:
            near = downbeats[distance <= max(distance.min(), (_BAR - 1) * step)]
        else:
            near = times[np.abs(times - times[peak]) <= (_BAR - 1) * step]
        time = near[np.argmax(np.interp(near, times, exact))]
        before = min((time - other for other in taken if other <= time), default=0.0)
        after = min((other - time for other in taken if other >= time), default=0.0)
        least = _LEAST_IN_LONG if before + after > _LONG else _LEAST_NOVELTY
        if min(before, after) >= _SHORTEST and novelty[peak] >= least:
            chosen.append(time)
            taken.append(time)
    return np.sort(np.array(chosen))


def _certainty(novelty: Array, times: Array, starts: Array, resumed: Array) -> Array:
    """Return how sure each section's boundaries are, 0 to 1; a half where the novelty is as low as is accepted."""
    inner = np.array([novelty[np.abs(times - start) <= _SHORTEST / 2].max(initial=0.0) for start in starts[1:]])
    sure = np.where(np.isin(starts[1:], resumed), 1.0, inner / (inner + _LEAST_NOVELTY))
    if not len(sure):
        return np.array([1 - 0.5 * min(1.0, float(novelty.max()) / _LEAST_NOVELTY)])
    return np.asarray((np.append(sure[0], sure) + np.append(sure, sure[-1])) / 2)


def _groups(steps: _Steps, edges: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return a number for each section between `edges` (steps), the same where one fits along the other."""
    count = len(edges) - 1
    if count == 1:
        return np.zeros(1, dtype=np.intp)
    even = _over_a_bar(steps.colour)
    chroma, colour = (np.split(values, edges[1:-1]) for values in (steps.chroma, even))
    distances = [
        1 - _fit(np.sqrt(_harmony(chroma[i], chroma[j])) * _colour(colour[i], colour[j]))
        for i in range(count)
        for j in range(i + 1, count)
    ]
    tree = hierarchy.linkage(np.array(distances), method="average")
    return np.asarray(hierarchy.fcluster(tree, 1 - _SAME, criterion="distance"), dtype=np.intp)


def _several(starts: Array, groups: NDArray[np.intp], last: float, downbeats: Array) -> list[tuple[float, int]]:
    """Return (start, group) of each section, those divided that are twice or thrice as long as another of their group."""
    lengths = np.diff(np.append(starts, last))
    parts = []
    for start, length, group in zip(starts, lengths, groups, strict=True):
        shortest = lengths[groups == group].min()
        times = length / shortest
        whole = shortest >= _TWICE_LEAST and times < 3.5 and abs(times / round(times) - 1) < _TWICE
        count = round(times) if whole else 1
        for place in start + length * np.arange(count) / count:
            near = place if place == start or not len(downbeats) else downbeats[np.argmin(np.abs(downbeats - place))]
            parts.append((float(near), int(group)))
    return parts


def _fit(block: Array) -> float:
    """Return the mean similarity along the best of the diagonals on which the shorter side fits into the longer."""
    if 0 in block.shape:
        return 0.0
    short, long = sorted(block.shape)
    # Written into rows that are one too short, each row begins one further left than the one before.
    sheared = np.zeros((short, long + short))
    sheared[:, :long] = (block if block.shape[0] == short else block.T)[::-1]
    diagonals = sheared.ravel()[: short * (long + short - 1)].reshape(short, long + short - 1).sum(axis=0)
    return float(diagonals[short - 1 : long].max() / short)


def _letters(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)
