"""Metre: which of the periodicities is the beat, how many beats make a bar, and where does the bar begin?

A metre is a hypothesis: a beat, its phase, so many beats to the bar, and which of them the bar begins with. Of each the
evidence is measured that a listener goes by: do onsets, bass notes and changes of harmony fall on its beats and bars
rather than between them, does the music repeat after its bars, is it as fast and as busy as music mostly is? A small
network weighs the evidence; its weights were learned from songs whose metre is known (`metre.json` says which).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sfwidgets.analysis import pulse
from sfwidgets.analysis.onsets import Onsets

Array = NDArray[np.float64]

TIME_SIGNATURES = (("4/4", 4), ("3/4", 3), ("6/8", 2))
"""And their beats in a bar; the beat of 6/8 is a dotted quarter."""
RATIOS = (1 / 8, 1 / 6, 1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 8 / 3, 3, 4, 6, 8)
"""The beat's period by the pulse's: halves and thirds, and dotted values, which a syncopated pulse may be."""
_SLOWEST, _FASTEST = 42.0, 225.0
"""Beats per minute; a little more than the 50 to 200 that most music keeps to."""
_SHIFTS = (0, 3, 4, 6, 8, 9)
"""Twelfths of a beat by which the beats may have been found too early: what was tracked may be an off-beat."""
_FEWEST_BEATS = 8
_LEVEL = 8.0
"""Seconds over which loud and quiet passages are made equal."""
_FLOOR = 0.05
"""Added where shares are compared, so that what is next to nothing counts as nothing."""
_ROUNDING = 1.5
"""Frames by which onsets are blurred, so that a beat a little off its onset still hears it."""
_AUDIBLE = 0.35
"""Height of an onset that counts, by the root mean square of the envelope."""
_CHANNELS = ("bass", "middle", "high", "any", "chord", "root")
"""What is looked at: onsets in three bands and in all together, changes of harmony and of the bass's notes."""


@dataclass(frozen=True)
class Evidence:
    """What a recording offers for all of its hypotheses."""

    onsets: Onsets
    envelope: Array
    """The onset envelope, loud and quiet passages made equal, shape (frames,)."""
    channels: Array
    """Onsets in three bands and together, each of mean 1, shape (frames, 4)."""
    density: float
    """Onsets a second."""
    brightness: float
    """Natural logarithm of the share of onsets above 1.6 kHz: high where there are cymbals."""
    harmony: Array
    """Running sum over time of the chroma, shape (chroma frames + 1, 12), as the next."""
    bass: Array
    chroma_rate: float
    tempogram: pulse.Tempogram
    path: NDArray[np.intp]
    periods: Array
    """Of the pulse, in frames, shape (frames,)."""


@dataclass(frozen=True)
class Metre:
    """One hypothesis."""

    tempo: float
    """Beats a minute, roughly."""
    beats: Array
    """Seconds."""
    time_signature: str
    bar: int
    """Beats in a bar."""
    first: int
    """Number of the first beat that begins a bar."""
    probability: float
    """Of this beat, whatever the bar, among all hypotheses."""
    bar_probability: float
    """Of this bar, among all hypotheses of the same beat."""
    regularity: float
    """How alike the rhythms of different beats or bars are, -1 to 1; those of speech are 0.1 to 0.3."""


def evidence(onsets: Onsets, chroma: Array, bass_chroma: Array, chroma_rate: float) -> Evidence:
    """Gather the evidence; chromas have shape (12, chroma frames)."""
    rate = onsets.frame_rate
    bands = onsets.bands.astype(np.float64)
    total = bands.sum(axis=1)
    envelope = _levelled(total[:, None], round(0.75 * _LEVEL * rate))[:, 0]
    table = pulse.tempogram(envelope, rate)
    path = table.path()
    centres = np.arange(len(path)) * table.interval * rate
    smooth = ndimage.gaussian_filter1d(envelope, 1.0)
    inner = smooth[1:-1]
    audible = np.count_nonzero((inner > smooth[:-2]) & (inner >= smooth[2:]) & (inner > _AUDIBLE))
    chosen = _levelled(ndimage.gaussian_filter1d(bands[:, [0, 2, 3]], _ROUNDING, axis=0), round(_LEVEL * rate))
    channels = np.column_stack([chosen, ndimage.gaussian_filter1d(envelope, _ROUNDING)])
    return Evidence(
        onsets=onsets,
        envelope=smooth,
        channels=channels / (channels.mean(axis=0) + 1e-9),
        density=audible * rate / max(1, len(envelope)),
        brightness=float(np.log((bands[:, 3:].mean() + 1e-9) / (bands.mean() + 1e-9))),
        harmony=_running(chroma),
        bass=_running(bass_chroma),
        chroma_rate=chroma_rate,
        tempogram=table,
        path=path,
        periods=np.interp(np.arange(len(envelope)), centres, table.periods[path] * rate),
    )


def _levelled(values: Array, frames: int) -> Array:
    """Return `values` (frames, channels) by their root mean square over `frames` around, of which a tenth stays."""
    around = np.sqrt(np.maximum(0, ndimage.uniform_filter1d(values**2, max(1, frames), axis=0, mode="nearest")))
    return np.asarray(values / (around + 0.1 * around.max(initial=0) + 1e-12), dtype=np.float64)


def _running(chroma: Array) -> Array:
    """Return the running sum of a chroma's frames, all of about length 1, but for those that are next to silent."""
    length = np.sqrt((chroma**2).sum(axis=0))
    normal = chroma / (length + 0.05 * length.max(initial=0) + 1e-9)
    return np.concatenate([np.zeros((1, 12)), np.cumsum(normal.T, axis=0)])


def metres(found: Evidence) -> list[Metre]:
    """Return what may be the metre, the most probable first and each beat once; [] where no beat can be tracked."""
    hypotheses = list(heard(found))
    if not hypotheses:
        return []
    network = _network()
    values = np.array([[evidence[name] for name in network.names] for _, evidence in hypotheses])
    scores = network.scores(values)
    odds = np.exp(scores - scores.max())
    odds /= odds.sum()
    best: dict[tuple[float, float], Metre] = {}
    for index in np.argsort(-odds, kind="stable"):
        metre = hypotheses[index][0]
        beat = metre.tempo, metre.beats[0]
        probability = float(odds[index])
        if beat in best:
            metre = best[beat]
            best[beat] = replace(metre, probability=metre.probability + probability)
        else:
            best[beat] = replace(metre, probability=probability, bar_probability=probability)
    found_bars = [replace(metre, bar_probability=metre.bar_probability / metre.probability) for metre in best.values()]
    return sorted(found_bars, key=lambda metre: -metre.probability)


def heard(found: Evidence) -> Iterator[tuple[Metre, dict[str, float]]]:
    """Yield every hypothesis, of no probability yet, and the evidence for it by name."""
    for ratio in RATIOS:
        periods = found.periods * ratio
        tempo = 60 * found.onsets.frame_rate / float(np.median(periods))
        if not _SLOWEST < tempo < _FASTEST:
            continue
        beats = pulse.track(found.envelope, periods) / found.onsets.frame_rate
        if len(beats) < _FEWEST_BEATS:
            continue
        lengths = np.append(np.diff(beats), beats[-1] - beats[-2])
        folded, harmony = _folded(found, beats, lengths)
        common = _rate_evidence(found, ratio, tempo) | harmony
        repeats = _repeats(found, beats, lengths, folded)
        regularity = float(_similarity(folded[:, :, :4].reshape(len(beats), -1) - 1).max())
        for shift in _SHIFTS:
            patterns = folded.reshape(-1, folded.shape[2])[shift : len(beats) * 12 - (12 - shift if shift else 0)]
            patterns = patterns.reshape(-1, 12, folded.shape[2])
            of_beat = common | _beat_evidence(patterns.mean(axis=0), shift)
            for signature, bar in TIME_SIGNATURES:
                of_bar = of_beat | _bar_evidence(found, signature, bar, of_beat, repeats)
                for first in range(bar):
                    metre = Metre(tempo, beats + shift / 12 * lengths, signature, bar, first, 0.0, 0.0, regularity)
                    yield metre, of_bar | _downbeat_evidence(patterns[first:, 0], bar)


def _folded(found: Evidence, beats: Array, lengths: Array) -> tuple[Array, dict[str, float]]:
    """Return all channels at each twelfth of each beat, of mean about 1, shape (beats, 12, 6), and the rate of change."""
    times = (beats[:, None] + lengths[:, None] * np.arange(12) / 12).ravel()
    onsets = _at(found.channels, times * found.onsets.frame_rate)
    spans = np.repeat(lengths, 12)
    changes = np.column_stack([_change(sums, found.chroma_rate, times, spans) for sums in (found.harmony, found.bass)])
    chord, root = changes[::12].T
    chords = float(np.mean(chord > 0.5 * np.percentile(chord, 90)))
    rates = {
        "change of chord": float(np.log(chord.mean() + 0.02)),
        "change of root": float(np.log(root.mean() + 0.02)),
        "chords a beat": float(np.log(chords + 0.03)),
    }
    changes = changes / (changes.mean(axis=0) + 0.02)
    return np.concatenate([onsets, changes], axis=1).reshape(len(beats), 12, -1), rates


def _at(table: Array, index: Array) -> Array:
    """Return the rows of `table` (rows, columns) at fractional `index`, by straight lines; beyond the ends, as there."""
    index = np.clip(index, 0, len(table) - 1)
    whole = np.minimum(index.astype(np.intp), max(0, len(table) - 2))
    share = (index - whole)[:, None]
    return np.asarray(table[whole] * (1 - share) + table[np.minimum(whole + 1, len(table) - 1)] * share)


def _change(running: Array, rate: float, times: Array, spans: Array) -> Array:
    """Return how much the harmony in the span after each time differs from that before, 0 to 1."""
    start, now, end = (_at(running, (times + side * spans) * rate + 0.5) for side in (-1, 0, 1))
    before, after = now - start, end - now
    lengths = (before**2).sum(axis=1) * (after**2).sum(axis=1)
    return np.asarray(1 - (before * after).sum(axis=1) / np.sqrt(lengths + 1e-9))


def _rate_evidence(found: Evidence, ratio: float, tempo: float) -> dict[str, float]:
    """How fast and how busy is it, and how periodic at this rate and its multiples?"""

    def salience(table: pulse.Envelope, multiple: float) -> float:
        return found.tempogram.salience(table, found.path, ratio * multiple)

    speed, busyness = np.log2(tempo / 100), np.log2(found.density * 60 / tempo / 2 + 1e-3)
    bright = found.brightness
    octaves = np.log2(ratio)
    table = found.tempogram
    return {
        "speed": speed,
        "speed²": speed**2,
        "bright speed": bright * speed,
        "bright speed²": bright * speed**2,
        "busy": busyness,
        "busy²": busyness**2,
        "bright busy": bright * busyness,
        "bright busy²": bright * busyness**2,
        "periodic": _log(salience(table.product, 1)),
        **{f"repeats after {k:.2g}": salience(table.autocorrelation, k) for k in (1, 2, 3, 4, 1 / 2, 1 / 3)},
        **{f"spectrum at {k:.2g}": salience(table.spectrum, k) for k in (1, 1 / 2, 1 / 3, 1 / 4)},
        "octaves": octaves,
        "octaves²": octaves**2,
        "pulse": float(ratio == 1),
        "two pulses": float(ratio == 2),
        "half a pulse": float(ratio == 1 / 2),
        "ternary": float(any(abs(ratio - r) < 0.01 for r in (1 / 6, 1 / 3, 2 / 3, 3 / 2, 3, 6))),
        "dotted": float(any(abs(ratio - r) < 0.01 for r in (3 / 8, 3 / 4, 4 / 3, 8 / 3))),
    }


def _log(share: float) -> float:
    return float(np.log(max(0.0, share) + _FLOOR))


def _beat_evidence(pattern: Array, shift: int) -> dict[str, float]:
    """Where in the beat does something happen, from the mean beat, shape (12, channels)?"""
    share = pattern / (pattern.mean(axis=0) + _FLOOR)
    evidence = {"as tracked": float(shift == 0), "off-beats": float(shift == 6)}
    for channel, at in zip(_CHANNELS, share.T, strict=True):
        evidence |= {
            f"{channel} on beats": _log(at[0]),
            f"{channel} on halves": _log(at[6]),
            f"{channel} on quarters": _log((at[3] + at[9]) / 2),
            f"{channel} on thirds": _log((at[4] + at[8]) / 2),
            f"{channel} on the last third": _log(at[8]),
        }
    return evidence


def _repeats(found: Evidence, beats: Array, lengths: Array, folded: Array) -> tuple[Array, Array, Array]:
    """Return how alike beats are in onsets, in harmony and in bass, by how many beats apart they are, up to 16."""
    rhythm = folded[:, :, :4].reshape(len(beats), -1)
    rhythm = rhythm - rhythm.mean(axis=0)
    ends = np.append(beats, beats[-1] + lengths[-1]) * found.chroma_rate + 0.5
    harmony, bass = (np.diff(_at(running, ends), axis=0) for running in (found.harmony, found.bass))
    harmony, bass = harmony - harmony.mean(axis=0), bass - bass.mean(axis=0)
    return _similarity(rhythm), _similarity(harmony), _similarity(bass)


def _similarity(vectors: Array) -> Array:
    """Return the mean cosine of vectors (n, k) by their distance from 0 (where it is 0) to 16."""
    vectors = vectors / (np.sqrt((vectors**2).sum(axis=1, keepdims=True)) + 1e-9)
    similarity = np.zeros(17)
    for lag in range(1, min(17, len(vectors) - 4)):
        similarity[lag] = (vectors[:-lag] * vectors[lag:]).sum(axis=1).mean()
    return similarity


def _bar_evidence(
    found: Evidence, signature: str, bar: int, beat: dict[str, float], repeats: tuple[Array, Array, Array]
) -> dict[str, float]:
    """Is the bar of a common length, does the music repeat after it, and do the beats divide as they should?"""
    rhythm, harmony, bass = repeats
    length = np.log2(bar * 2.0 ** -beat["speed"] * 0.6 / 2)
    chords = np.log(bar) + beat["chords a beat"]

    def peak(similarity: Array, lag: int) -> float:
        return float(similarity[lag] - (similarity[lag - 1] + similarity[min(16, lag + 1)]) / 2)

    evidence = {
        **{name: float(signature == name) for name, _ in TIME_SIGNATURES},
        "bar length": length,
        "bar length²": length**2,
        "bright bar length": found.brightness * length,
        "bright bar length²": found.brightness * length**2,
        "chords a bar": chords,
        "chords a bar²": chords**2,
        "beats alike": float(rhythm[1]),
        "rhythm repeats after a bar": peak(rhythm, bar),
        "harmony repeats after a bar": peak(harmony, bar),
        "bass repeats after a bar": peak(bass, bar),
        "rhythm repeats after two bars": peak(rhythm, 2 * bar),
        "harmony repeats after two bars": peak(harmony, 2 * bar),
        "rhythm repeats after four bars": peak(rhythm, 4 * bar),
        "harmony repeats after four bars": peak(harmony, 4 * bar),
        "rhythm differs half-way": float(rhythm[bar] - rhythm[bar // 2]) if bar != 3 else 0.0,
        "harmony differs half-way": float(harmony[bar] - harmony[bar // 2]) if bar != 3 else 0.0,
    }
    thirds = {c: beat[f"{c} on thirds"] - beat[f"{c} on halves"] for c in ("high", "any")}
    for division, is_so in (("in three", signature == "6/8"), ("in two", signature != "6/8")):
        evidence |= {f"{channel} {division}": value * is_so for channel, value in thirds.items()}
        evidence[f"quarters {division}"] = beat["any on quarters"] * is_so
    return evidence


def _downbeat_evidence(on_beats: Array, bar: int) -> dict[str, float]:
    """What happens at the bar's beginning, in its middle and on its back-beats; `on_beats` has shape (beats, channels)."""
    bars = len(on_beats) // bar
    pattern = on_beats[: bars * bar].reshape(bars, bar, -1).mean(axis=0)
    share = pattern / (pattern.mean(axis=0) + _FLOOR)
    evidence = {}
    for channel, at in zip(_CHANNELS, share.T, strict=True):
        evidence[f"{channel} on downbeats"] = _log(at[0])
        evidence[f"{channel} half-way"] = _log(at[2]) if bar == 4 else 0.0
        evidence[f"{channel} on back-beats"] = _log(at[1::2].mean()) if bar != 3 else 0.0
    return evidence


@dataclass(frozen=True)
class _Network:
    """What weighs the evidence: a straight sum of it, and of a few units of what goes together."""

    names: list[str]
    mean: Array
    scale: Array
    straight: Array
    units: Array
    thresholds: Array
    out: Array

    def scores(self, values: Array) -> Array:
        """Return the logarithm of the odds, shape (n,), of evidence of shape (n, names)."""
        normal = np.clip((values - self.mean) / self.scale, -4, 4)
        return np.asarray(normal @ self.straight + np.tanh(normal @ self.units + self.thresholds) @ self.out)


@cache
def _network() -> _Network:
    stored = json.loads(files("sfwidgets.analysis").joinpath("metre.json").read_text())
    return _Network(stored.pop("names"), **{name: np.array(stored[name]) for name in stored if name != "about"})
