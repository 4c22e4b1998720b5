"""Analysis: what a musician asks of a recording, one module a musical question.

The audio is read once, as a stream (`features`); what is kept of it is then asked for rhythm, tonality, structure and the
rest. Everything is a plain function on arrays, and None or an empty list where no honest answer can be given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import TYPE_CHECKING, Any

from sfwidgets.models import Analysis, Section, StemAnalysis, utc_now

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfwidgets.analysis.features import Features

__all__ = ["VERSION", "analyse", "analyse_stem"]

VERSION = 2
"""Raised with every change of what is measured: an analysis by an older version is made anew when asked for."""

_TONAL = frozenset(
    {"key", "key_strength", "key_alternative", "key_alternative_strength", "key_changes", "chords", "chroma"}
)
"""What drums are not asked for."""
_MUSICAL = _TONAL | {
    "bpm", "tempo", "tempo_confidence", "tempo_alternative", "time_signature",
    "time_signature_confidence", "beats", "downbeats", "tempo_curve",
    "onsets", "tuning", "sections", "cue_points",
}  # fmt: skip
"""What a stem is not asked for that holds no more than what separation left behind."""

OpenAudio = Callable[[], Iterator["NDArray[np.float32]"]]

_READING = 0.8
"""The share of the work that reading the audio is."""
_UNKNOWN_LENGTH = 60.0
"""Where the length is unknown, this many seconds more are always taken to follow."""


def analyse(
    mixture: OpenAudio,
    *,
    sample_rate: int,
    track_id: str,
    progress: Callable[[float], None],
    duration: float | None = None,
) -> Analysis:
    """Measure a recording and return what can honestly be said of it; None where nothing can.

    `mixture` opens the audio from its start as blocks of shape (channels, frames), full scale at ±1, at `sample_rate`.
    It is read once, block by block. `progress` is told the share done, 0 to 1, about every second and a half of audio;
    it may raise, to stop the work there. `duration` is the length in seconds as far as known; only progress uses it,
    and without it progress is told by how much has been read, never quite reaching the end until it is there.

    Raises `AudioError` where the audio holds samples that are not finite numbers.
    """
    from sfwidgets.analysis.features import extract

    with _one_thread():
        features = extract(mixture(), sample_rate, _reading(progress, duration))
        measured = _measure(features)
    progress(1.0)
    return Analysis(track_id=track_id, analyzed_at=utc_now(), **measured)


def analyse_stem(
    audio: OpenAudio,
    *,
    stem: str,
    kind: str,
    mixture: NDArray[np.float32],
    sample_rate: int,
    progress: Callable[[float], None],
    duration: float | None = None,
) -> StemAnalysis:
    """Measure one stem as a recording is, and find where it sounds and, of a bass, the notes that it plays.

    `stem` is its name, `kind` its type (`vocals`, `drums`, `bass`, …), `mixture` the power of what it was separated from,
    as `activity.power` gives it; the rest is as for `analyse`.
    """
    from sfwidgets.analysis import activity, bassline
    from sfwidgets.analysis.features import extract

    blocks = audio()
    first = next(blocks, None)
    channels = 1 if first is None else len(first)
    heard = activity.ActivityReader(sample_rate, channels)
    bass = bassline.BassReader(sample_rate, channels)
    beside = [heard.push, bass.push] if kind == "bass" else [heard.push]
    whole = blocks if first is None else chain([first], blocks)
    with _one_thread():
        features = extract(whole, sample_rate, _reading(progress, duration), beside)
        measured = _measure(features)
        active = activity.active(heard.finish(), mixture)
        unheard = {"drums": _TONAL}.get(kind, frozenset()) if active else _MUSICAL
        measured = {name: value for name, value in measured.items() if name not in unheard}
        notes = bassline.notes(bass.finish(), bass.rate) if kind == "bass" else []
    progress(1.0)
    return StemAnalysis(stem=stem, active=active, notes=notes, **measured)


def _one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: more gain nothing for small matrices, and on busy cores took seven times as long."""
    from threadpoolctl import threadpool_limits

    limit: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limit


def _reading(progress: Callable[[float], None], duration: float | None) -> Callable[[float], None]:
    progress(0.0)
    return lambda seconds: progress(_READING * min(1.0, seconds / (duration or seconds + _UNKNOWN_LENGTH)))


def _measure(features: Features) -> dict[str, Any]:
    """Return the fields of `Measurements`: here every question is asked, in the order in which they need one another."""
    from sfwidgets.analysis import chords, cues, energy, keys, onsets, pitch, rhythm, spectrum, structure

    duration, bands = features.duration, features.bands
    tuning = pitch.tuning(features.pitch)
    chroma, bass_chroma = pitch.chroma(features.pitch, tuning)
    chroma_rate = features.pitch.frame_rate
    sounding = energy.sounding(bands)
    heard = onsets.audible(features.onsets, sounding[:0] if energy.steady(bands) else sounding)
    beat = rhythm.rhythm(heard, chroma, bass_chroma, chroma_rate)
    key = keys.key(chroma, chroma_rate)
    curve = energy.energy(bands, duration)
    drops, breaks = energy.drops_and_breaks(bands, curve, beat.beats, beat.downbeats)
    sections: list[Section] = []
    if beat.beats or key.key is not None:
        sections = structure.sections(
            chroma, bass_chroma, chroma_rate, features.timbre, bands, beat.beats, beat.downbeats, duration
        )
    extent = (float(sounding[0, 0]), float(sounding[-1, 1])) if len(sounding) else None
    loudness = features.loudness.integrated()
    return {
        "duration": duration,
        "bpm": None if beat.tempo is None else round(beat.tempo),
        "tempo": _figures(beat.tempo),
        "tempo_confidence": _figures(beat.confidence),
        "tempo_alternative": _figures(beat.alternative),
        "time_signature": beat.time_signature,
        "time_signature_confidence": _figures(beat.time_signature_confidence),
        "beats": beat.beats,
        "downbeats": beat.downbeats,
        "tempo_curve": beat.tempo_curve,
        "onsets": onsets.pick(heard),
        "key": key.key,
        "key_strength": _figures(key.strength),
        "key_alternative": key.alternative,
        "key_alternative_strength": _figures(key.alternative_strength),
        "tuning": _figures(tuning),
        "key_changes": keys.key_changes(chroma, chroma_rate, duration),
        "chords": chords.chords(chroma, bass_chroma, chroma_rate, beat.beats, duration),
        "loudness": None if loudness is None else round(loudness, 2),
        "loudness_range": _figures(features.loudness.range()),
        "loudness_curve": features.loudness.curve(),
        **{name: _figures(level) for name, level in vars(features.levels).items()},
        "spectral_centroid": _figures(features.spectrum.centroid),
        "spectral_bandwidth": _figures(features.spectrum.bandwidth),
        "spectral_rolloff": _figures(features.spectrum.rolloff),
        "spectral_flatness": _figures(features.spectrum.flatness),
        "spectral_contrast": [_figures(v) for v in features.spectrum.contrast],
        "frequency_spectrum": [_figures(v) for v in features.spectrum.points],
        "waveform_envelope": [_figures(v) for v in spectrum.envelope(features.peaks)],
        "mfcc": [_figures(v) for v in features.timbre.mean],
        "chroma": pitch.mean_chroma(chroma),
        "sections": sections,
        "energy_curve": curve,
        "cue_points": cues.cue_points(sections, drops, breaks, beat.beats, beat.downbeats, extent, duration),
    }


def _figures(value: float | None) -> float | None:
    """Return `value` to six significant figures, which is finer than anything here can be measured."""
    return None if value is None else float(f"{value:.6g}")
