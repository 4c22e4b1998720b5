"""Bass line: which notes does the bass play?

For the bass alone, as a separated stem has it: one voice, whose fundamental is followed by how well the sound repeats
after each period (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111(4),
2002), and cut into notes where the pitch steps or the sound swells anew.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from sfwidgets.analysis.framing import Samples
from sfwidgets.models.analysis import PITCH_CLASSES, Note

Array = NDArray[np.float64]

_RATE = 2700
"""Frames a second, at least, that are kept: the first overtones of the highest notes fit below half of it."""
_TAPS = 12
"""Length of the filter before decimation, in kept frames."""
_LOWEST, _HIGHEST = 28.0, 400.0
"""Hz; a five-string bass goes from B0 = 30.9 Hz to about G4 = 392 Hz."""
_HOP = 0.01
"""Seconds from one frame to the next; what follows in frames is in hundredths of a second."""
_CHUNK = 4096
"""Frames worked on at once, for memory's sake."""
_WINDOW = 0.045
"""Seconds of sound that are compared with what comes one period later; more than a period of the lowest notes."""
_FINER = 2
"""Steps of a period to a frame kept: a high note's period would else fall between two."""
_CANDIDATES = 4
_LONGER = 0.05
"""What a period costs more than one half as long: what repeats after one period does so after two as well."""
_NEUTRAL = 48.0
"""MIDI pitch, 131 Hz, that costs nothing more."""
_APERIODIC = 0.25
"""Share of the sound that doesn't repeat, from which on it has no pitch. YIN's own example is 0.1, for clean speech."""
_JUMP = 0.25
"""What it costs to jump to another pitch, or to none; as much as a frame without pitch."""
_FAINT = 25.0
"""dB below the loud parts, where the bleed of other instruments begins."""
_SILENT = -65.0
"""dB below full scale that count as silence, however quiet the rest."""
_LEVEL_WINDOW = 0.032
"""Seconds; the ripple of a period of the lowest notes is smoothed away."""
_SWELL, _RISE = 4.0, 6
"""dB by which the level rises within so many frames where a note is struck."""
_BEGUN = 0.1
"""How far, as a share of the power, the level has risen when the note begins."""
_ATTACK = 15
"""Frames for which the attack of a note, a slap or a pick, may have no pitch."""
_STEP = 0.6
"""Semitones that are another note; vibrato stays within."""
_SHORTEST = 6
"""Frames; a semiquaver at 200 beats a minute lasts 7.5."""
_RESTING = 0.3
"""Semitones within which a note rests for five frames; a slide passes through more."""


class BassReader:
    """Listens to a bass alone, keeping what lies below some 1 kHz; about 1.3 MB a minute in stereo."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._factor = max(1, sample_rate // _RATE)
        self.rate = sample_rate / self._factor
        """Frames a second of what `finish` returns."""
        taps = signal.firwin(_TAPS * self._factor + 1, 0.8 / self._factor) if self._factor > 1 else np.ones(1)
        self._filter = taps.astype(np.float32)
        self._held: Samples = np.zeros((channels, len(self._filter) // 2), dtype=np.float32)
        self._kept: list[Samples] = []

    def push(self, block: Samples) -> None:
        """Listen to a block of shape (channels, frames), of any length."""
        self._held = np.concatenate([self._held, block], axis=1)
        count = max(0, (self._held.shape[1] - len(self._filter)) // self._factor + 1)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(self._held, len(self._filter), axis=1)
            self._kept.append((windows[:, :: self._factor][:, :count] @ self._filter).astype(np.float32))
            self._held = self._held[:, count * self._factor :]

    def finish(self) -> Samples:
        """Return what was heard, of shape (channels, frames) at `rate` frames a second."""
        self.push(np.zeros((len(self._held), len(self._filter) // 2), dtype=np.float32))
        return np.concatenate([self._held[:, :0], *self._kept], axis=1)


def notes(samples: Samples, rate: float) -> list[Note]:
    """Return the notes of a bass alone, in order of time, from `samples` of shape (channels, frames) at `rate` a second.

    `rate` is about 2.7 kHz, as `BassReader` keeps it. Notes do not overlap. Noise, silence and what is 25 dB below the
    loud parts, as the bleed of other instruments is, give none.
    """
    pitch, level = _track(samples, rate)
    if not len(level):
        return []
    loud = float(np.percentile(level[np.isfinite(pitch)], 90)) if np.isfinite(pitch).any() else _SILENT
    pitch[level < max(_SILENT, loud - _FAINT)] = np.nan
    return [
        _note(first, end, float(np.nanmedian(pitch[first:end])))
        for first, end in _cuts(pitch, level)
        if end - first >= _SHORTEST
    ]


def _note(first: int, end: int, height: float) -> Note:
    number = round(height)
    name = f"{PITCH_CLASSES[number % 12]}{number // 12 - 1}"
    return Note(start=first * _HOP, end=end * _HOP, pitch=number, name=name, cents=round(100 * (height - number), 1))


def _track(samples: Samples, rate: float) -> tuple[Array, Array]:
    """Return the pitch in MIDI notes, NaN where there is none, and the level in dB, every hundredth of a second."""
    window, longest = round(_WINDOW * rate), round(rate / _LOWEST)
    length = window + longest + 2
    padded = np.pad(samples.astype(np.float64), ((0, 0), (length // 2, length)))
    starts = np.arange(0, samples.shape[1], _HOP * rate).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    parts = [_periods(frames[:, starts[i : i + _CHUNK]], window, rate) for i in range(0, len(starts), _CHUNK)]
    if not parts:
        return np.zeros(0), np.zeros(0)
    pitch = _followed(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    weights = np.hanning(round(_LEVEL_WINDOW * rate) + 2)
    power = ndimage.convolve1d(np.square(samples, dtype=np.float64).mean(axis=0), weights / weights.sum())
    return pitch, 10 * np.log10(np.maximum(power[starts], 1e-12))


def _periods(frames: Array, window: int, rate: float) -> tuple[Array, Array]:
    """Return pitch and cost of the likeliest pitches of frames of shape (channels, frames, length), as (frames, 5).

    The cost is the share of the sound that does not repeat after the pitch's period (YIN's normalised difference), and
    a little more the longer that is, since after two periods it repeats as well. The last pitch is none, NaN.
    """
    size = fft.next_fast_len(frames.shape[2], real=True)
    spectra = np.conj(fft.rfft(frames[..., :window], size, axis=2)) * fft.rfft(frames, size, axis=2)
    lags = _FINER * (frames.shape[2] - window)
    product = _FINER * fft.irfft(spectra.sum(axis=0), _FINER * size, axis=1)[:, :lags]
    sums = np.cumsum(np.pad((frames**2).sum(axis=0), ((0, 0), (1, 0))), axis=1)
    energy = np.repeat(sums[:, window:] - sums[:, :-window], _FINER, axis=1)[:, :lags]
    difference = np.maximum(energy[:, :1] + energy - 2 * product, 0)
    mean = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, lags)
    ratio = np.ones_like(difference)
    np.divide(difference[:, 1:], mean, out=ratio[:, 1:], where=mean > 1e-12)
    shortest = int(_FINER * rate / _HIGHEST)
    left, middle, right = ratio[:, shortest - 1 : -2], ratio[:, shortest:-1], ratio[:, shortest + 1 :]
    curve = left - 2 * middle + right
    offset = np.divide(0.5 * (left - right), curve, out=np.zeros_like(curve), where=curve > 0)
    lag = (np.arange(shortest, shortest + curve.shape[1]) + offset) / _FINER
    pitch = 69 + 12 * np.log2(rate / np.maximum(lag, 1.0) / 440.0)
    cost = middle - 0.25 * (left - right) * offset + _LONGER * (_NEUTRAL - pitch) / 12
    cost = np.where((middle <= left) & (middle < right), cost, np.inf)
    likeliest = np.argpartition(cost, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    pitch, cost = (np.take_along_axis(values, likeliest, axis=1) for values in (pitch, cost))
    none = np.full((len(pitch), 1), np.nan)
    return np.hstack([pitch, none]), np.hstack([cost, np.full_like(none, _APERIODIC)])


def _followed(pitch: Array, cost: Array) -> Array:
    """Return the pitch of each frame on the cheapest way through all frames (Viterbi), on which every jump costs."""
    jumps = ~(np.abs(pitch[1:, None, :] - pitch[:-1, :, None]) < _STEP)
    jumps[:, -1, -1] = False
    costs = _JUMP * jumps
    total = cost[0]
    before = np.zeros(pitch.shape, dtype=np.intp)
    for frame in range(1, len(pitch)):
        reached = total[:, None] + costs[frame - 1]
        before[frame] = reached.argmin(axis=0)
        total = reached.min(axis=0) + cost[frame]
    path = np.zeros(len(pitch), dtype=np.intp)
    path[-1] = total.argmin()
    for frame in range(len(pitch) - 1, 0, -1):
        path[frame - 1] = before[frame, path[frame]]
    return np.asarray(pitch[np.arange(len(pitch)), path], dtype=np.float64)


def _cuts(pitch: Array, level: Array) -> list[tuple[int, int]]:
    """Return the first and the end frame of each note.

    A note begins where the sound swells, steps to another pitch, or comes to have one; an attack without pitch belongs
    to its note, and so does a slide into it.
    """
    voiced = np.flatnonzero(np.diff(np.pad(np.isfinite(pitch).astype(int), 1))).reshape(-1, 2)
    struck = _struck(level)
    cuts: list[tuple[int, int]] = []
    before = 0
    for start, end in voiced.tolist():
        swells = struck[(struck >= start - _SHORTEST) & (struck < end - _SHORTEST)]
        if not (swells <= start + _SHORTEST).any():
            swells = np.union1d(
                swells, struck[(struck >= max(before - _SHORTEST, start - _ATTACK)) & (struck < start)][-1:]
            )
        steps = [step for step in _steps(pitch[start:end], start) if (np.abs(swells - step) > _SHORTEST).all()]
        firsts = sorted({*swells.tolist(), *steps, *([] if (swells <= start + _SHORTEST).any() else [start])})
        begin = None
        for first, last in pairwise([*firsts, end]):
            begin = first if begin is None else begin
            if last == end or _rests(pitch[first:last]):
                cuts.append((max(begin, cuts[-1][1] if cuts else 0), last))
                begin = None
        before = end
    return cuts


def _struck(level: Array) -> NDArray[np.intp]:
    """Return the frames in which the level begins to rise by so much as it does where a note is struck."""
    rise = np.pad(level, _RISE // 2, mode="edge")
    peaks, _ = signal.find_peaks(rise[_RISE:] - rise[:-_RISE], height=_SWELL, distance=_SHORTEST)
    power = 10 ** (level / 10)
    found = []
    for peak in peaks.tolist():
        around = power[max(0, peak - _RISE) : peak + _RISE]
        low = int(around[: _RISE + 1].argmin())
        after = around[low:]
        found.append(max(0, peak - _RISE) + low + int(np.argmax(after >= after[0] + _BEGUN * (after.max() - after[0]))))
    return np.array(found, dtype=np.intp)


def _rests(pitch: Array) -> bool:
    """Return whether the pitch stays where it is for a moment, as a note does and a slide doesn't."""
    if len(pitch) < _SHORTEST:
        return False
    moments = np.lib.stride_tricks.sliding_window_view(pitch, 5)
    return bool((np.ptp(moments, axis=1) < _RESTING).any())


def _steps(pitch: Array, start: int) -> list[int]:
    """Return the frames, counted from `start`, in which the pitch leaves that of the note so far, for good."""
    steps: list[int] = []
    first = 0
    for frame in range(1, len(pitch) - 3):
        if np.abs(pitch[frame : frame + 4] - np.median(pitch[first:frame])).min() > _STEP:
            steps.append(start + frame)
            first = frame
    return steps
