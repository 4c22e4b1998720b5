"""Corrected: what the analysis of a track is once a person has had their say.

What was said holds, and what hangs on it follows: beats follow the tempo, downbeats the time signature and the downbeat,
the cue points at sections follow the sections. Everything else stays as it was measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfwidgets.analysis import cues
from sfwidgets.models import Analysis, Corrections, CuePoint, KeySpan, TempoPoint

Beats = NDArray[np.float64]

_BEATS_A_BAR = {"2/4": 2, "3/4": 3, "4/4": 4, "5/4": 5, "6/8": 2, "9/8": 3, "12/8": 4}
_SAME = 0.005
"""How far, as a share, two tempi may lie apart and the beats of the one still be those of the other."""


def corrected(analysis: Analysis) -> Analysis:
    """Return the analysis with what a person said in place of what was measured; unchanged where nothing was said.

    What was said has confidence and strength 1. Where the said tempo is a multiple or a fraction (up to 4) of the
    measured one, within half a per cent, the measured beats are divided or thinned; otherwise beats are laid out evenly
    at that tempo, through the first bar. A said downbeat moves all beats so that a bar begins right there.
    """
    said = analysis.corrections
    if said is None:
        return analysis
    changes: dict[str, Any] = {}
    if said.key is not None:
        changes |= _key(said.key, analysis.duration)
    if said.tempo is not None or said.time_signature is not None or said.downbeat is not None:
        changes |= _rhythm(analysis, said)
    if said.sections is not None:
        changes["sections"] = said.sections
        changes["cue_points"] = _cue_points(analysis.model_copy(update=changes))
    if said.cue_points is not None:
        changes["cue_points"] = sorted(said.cue_points, key=lambda cue: cue.time)
    return analysis.model_copy(update=changes)


def _cue_points(analysis: Analysis) -> list[CuePoint]:
    """Return the cue points at the sections, beside the start, the end, the drops and the breaks that were measured."""
    times = {
        kind: [c.time for c in analysis.cue_points if c.type == kind] for kind in ("start", "end", "drop", "break")
    }
    extent = (min([*times["start"], analysis.duration]), max([*times["end"], 0.0])) if times["end"] else None
    return cues.cue_points(
        analysis.sections, times["drop"], times["break"], analysis.beats, analysis.downbeats,
        extent or (0.0, analysis.duration), analysis.duration,
    )  # fmt: skip


def _key(key: str, duration: float) -> dict[str, Any]:
    return {
        "key": key, "key_strength": 1.0, "key_alternative": None, "key_alternative_strength": 0.0,
        "key_changes": [KeySpan(start=0.0, end=duration, key=key, strength=1.0)],
    }  # fmt: skip


def _rhythm(analysis: Analysis, said: Corrections) -> dict[str, Any]:
    beats = np.array(analysis.beats)
    bars = np.array([said.downbeat] if said.downbeat is not None else analysis.downbeats)
    changes: dict[str, Any] = {}
    tempo = said.tempo
    if tempo is not None:
        beats = _at_tempo(beats, analysis.tempo, tempo, bars, analysis.duration)
        ratio = None if analysis.tempo is None else tempo / analysis.tempo
        kept = ratio is not None and _held(ratio)
        changes = {
            "tempo": tempo, "bpm": round(tempo), "tempo_confidence": 1.0, "tempo_alternative": None,
            "tempo_curve": [TempoPoint(time=p.time, bpm=round(p.bpm * ratio, 2)) for p in analysis.tempo_curve]
            if ratio is not None and kept
            else [TempoPoint(time=0.0, bpm=tempo)],
        }  # fmt: skip
    if said.downbeat is not None and len(beats) > 1:
        beats = _reaching(beats, said.downbeat)
        beats = beats + (said.downbeat - beats[_nearest(beats, said.downbeat)])
        beats = beats[(beats >= -1e-6) & (beats <= analysis.duration)]
    signature = said.time_signature or analysis.time_signature
    if said.time_signature is not None:
        changes["time_signature_confidence"] = 1.0
    return changes | {
        "beats": np.round(beats, 4).tolist(), "time_signature": signature,
        "downbeats": np.round(_downbeats(beats, bars, signature), 4).tolist(),
    }  # fmt: skip


def _at_tempo(beats: Beats, measured: float | None, tempo: float, bars: Beats, duration: float) -> Beats:
    """Return the measured beats, divided or thinned, where they have that tempo; else even ones through the first bar."""
    if measured is None or len(beats) < 2 or not _held(tempo / measured):
        period = 60 / tempo
        first = float(bars[0] if len(bars) else beats[0] if len(beats) else 0.0) % period
        return np.arange(first, duration, period)
    multiple = _multiple(tempo / measured)
    if multiple >= 1:
        positions = np.arange(0, len(beats) - 1 + 1e-9, 1 / multiple)
        return np.asarray(np.interp(positions, np.arange(len(beats)), beats), dtype=np.float64)
    step = round(1 / multiple)
    first_bar = _nearest(beats, float(bars[0])) if len(bars) else 0
    return beats[first_bar % step :: step]


def _held(ratio: float) -> bool:
    """Return whether the measured beats already have a tempo that is `ratio` times the measured one."""
    return abs(ratio / _multiple(ratio) - 1) <= _SAME


def _multiple(ratio: float) -> float:
    """Return the whole multiple or fraction, up to 4, that is nearest to `ratio`."""
    return min((1.0, 2.0, 3.0, 4.0, 1 / 2, 1 / 3, 1 / 4), key=lambda multiple: abs(np.log(ratio / multiple)))


def _reaching(beats: Beats, time: float) -> Beats:
    """Return the beats, gone on with at their first or last tempo until they reach `time`."""
    first, last = beats[1] - beats[0], beats[-1] - beats[-2]
    before = np.arange(int(np.ceil(max(0.0, beats[0] - time) / first)), 0, -1)
    after = np.arange(1, int(np.ceil(max(0.0, time - beats[-1]) / last)) + 1)
    return np.concatenate([beats[0] - before * first, beats, beats[-1] + after * last])


def _downbeats(beats: Beats, bars: Beats, signature: str | None) -> Beats:
    """Return every bar's first beat, counted from the first of `bars`; only that one where the metre is not known."""
    if len(beats) == 0 or len(bars) == 0:
        return bars if len(beats) == 0 else np.zeros(0)
    first = _nearest(beats, float(bars[0]))
    if signature is None:
        return beats[first : first + 1]
    count = _BEATS_A_BAR[signature]
    return beats[first % count :: count]


def _nearest(beats: Beats, time: float) -> int:
    return int(np.abs(beats - time).argmin())
