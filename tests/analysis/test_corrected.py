"""What a person says takes the place of what was measured, and what hangs on it follows."""

from __future__ import annotations

import numpy as np
import pytest

from sfwidgets.analysis.corrected import corrected
from sfwidgets.models import Analysis, Corrections, CuePoint, KeySpan, Section, TempoPoint, utc_now

BEATS = [0.5 + 0.5 * k for k in range(59)]


def measured(**said: object) -> Analysis:
    """Half a minute at 120 BPM in 4/4, whose first beat is at 0.5 s and whose first bar begins at 1.0 s."""
    return Analysis(
        track_id="song", analyzed_at=utc_now(), duration=30.0, bpm=120, tempo=120.0, tempo_confidence=0.6,
        tempo_alternative=60.0, time_signature="4/4", beats=BEATS, downbeats=BEATS[1::4],
        tempo_curve=[TempoPoint(time=0.0, bpm=120.0)], key="A minor", key_strength=0.7, key_alternative="C major",
        key_changes=[KeySpan(start=0, end=30, key="A minor", strength=0.7)],
        sections=[Section(start=0, end=15, label="A"), Section(start=15, end=30, label="B")],
        cue_points=[CuePoint(time=1.0, label="Start", type="start"), CuePoint(time=15, label="B", type="section"),
                    CuePoint(time=30, label="End", type="end")],
        corrections=Corrections.model_validate(said) if said else None,
    )  # fmt: skip


def test_nothing_changes_where_nothing_was_said() -> None:
    analysis = measured()
    assert corrected(analysis) is analysis


def test_double_tempo_puts_a_beat_between_every_two() -> None:
    fixed = corrected(measured(tempo=240.0))
    assert fixed.bpm == 240 and fixed.tempo_confidence == 1.0 and fixed.tempo_alternative is None
    assert np.allclose(np.diff(fixed.beats), 0.25) and fixed.beats[0] == 0.5
    assert np.allclose(np.diff(fixed.downbeats), 1.0) and fixed.downbeats[0] == 1.0
    assert fixed.tempo_curve[0].bpm == 240.0


def test_half_tempo_keeps_the_beats_that_bars_begin_on() -> None:
    fixed = corrected(measured(tempo=60.0))
    assert np.allclose(np.diff(fixed.beats), 1.0)
    assert fixed.downbeats[0] == 1.0 and set(fixed.downbeats) <= set(fixed.beats)


def test_an_unrelated_tempo_lays_out_even_beats_through_the_downbeat() -> None:
    fixed = corrected(measured(tempo=100.0, downbeat=2.0))
    assert np.allclose(np.diff(fixed.beats), 0.6)
    assert min(abs(beat - 2.0) for beat in fixed.downbeats) < 1e-9
    assert min(fixed.beats) < 0.6 and max(fixed.beats) > 29.0


def test_a_downbeat_says_which_beat_begins_the_bar() -> None:
    fixed = corrected(measured(downbeat=2.0))
    assert fixed.beats == BEATS
    assert fixed.downbeats[:3] == [2.0, 4.0, 6.0]


def test_a_downbeat_a_little_off_nudges_the_grid_to_it() -> None:
    fixed = corrected(measured(downbeat=2.02))
    assert fixed.downbeats[:2] == [2.02, 4.02] and fixed.beats[0] == 0.52 and len(fixed.beats) == len(BEATS)


@pytest.mark.parametrize("downbeat", [0.02, 29.9])
def test_a_downbeat_where_no_beats_were_measured_moves_them_by_less_than_a_beat(downbeat: float) -> None:
    fixed = corrected(measured(downbeat=downbeat))
    assert downbeat in fixed.downbeats and np.allclose(np.diff(fixed.beats), 0.5)
    assert fixed.beats[0] < 0.75 and fixed.beats[-1] > 29.25


def test_a_tempo_a_little_off_lays_the_beats_out_at_just_that_tempo() -> None:
    fixed = corrected(measured(tempo=122.0))
    assert np.allclose(np.diff(fixed.beats), 60 / 122, atol=1e-3) and 1.0 in fixed.downbeats
    assert [point.bpm for point in fixed.tempo_curve] == [122.0]


def test_measured_sections_said_again_leave_the_cue_points_as_they_are() -> None:
    analysis = measured()
    said = analysis.model_copy(update={"corrections": Corrections(sections=analysis.sections)})
    assert [cue.time for cue in corrected(said).cue_points] == [1.0, 15.0, 30.0]


def test_a_downbeat_between_beats_moves_all_of_them() -> None:
    fixed = corrected(measured(downbeat=1.75))
    assert fixed.downbeats[0] == 1.75 and len(fixed.beats) >= 58 and np.allclose(np.diff(fixed.beats), 0.5)


def test_a_waltz_has_bars_of_three() -> None:
    fixed = corrected(measured(time_signature="3/4"))
    assert fixed.time_signature == "3/4" and np.allclose(np.diff(fixed.downbeats), 1.5)


def test_without_a_metre_only_the_said_downbeat_is_known() -> None:
    analysis = measured(downbeat=3.0).model_copy(update={"time_signature": None, "downbeats": []})
    assert corrected(analysis).downbeats == [3.0]


def test_a_tempo_gives_beats_where_none_were_measured() -> None:
    silent = Analysis(
        track_id="song", analyzed_at=utc_now(), duration=10.0, corrections=Corrections(tempo=60.0, downbeat=0.25)
    )
    assert np.allclose(corrected(silent).beats, 0.25 + np.arange(10))


def test_the_key_takes_its_codes_along() -> None:
    fixed = corrected(measured(key="Bb minor"))
    assert (fixed.key, fixed.camelot, fixed.open_key, fixed.key_strength) == ("A# minor", "3A", "8m", 1.0)
    assert [span.key for span in fixed.key_changes] == ["A# minor"] and fixed.key_alternative is None


def test_cue_points_at_sections_follow_the_sections() -> None:
    said = [{"start": 0, "end": 2, "label": "count-in"}, {"start": 2, "end": 20, "label": "verse"}]
    fixed = corrected(measured(sections=said))
    assert [(cue.time, cue.label) for cue in fixed.cue_points] == [(1.0, "Start"), (2, "verse"), (30, "End")]


def test_said_cue_points_hold_whatever_the_sections() -> None:
    fixed = corrected(measured(sections=[], cue_points=[{"time": 9, "label": "Here", "type": "mine"}]))
    assert [cue.label for cue in fixed.cue_points] == ["Here"]


@pytest.mark.parametrize(
    ("key", "camelot", "open_key"),
    [("C major", "8B", "1d"), ("A minor", "8A", "1m"), ("F# major", "2B", "7d"), ("D# minor", "2A", "7m"),
     ("B major", "1B", "6d"), ("F major", "7B", "12d"), ("G# minor", "1A", "6m"), ("D minor", "7A", "12m")],
)  # fmt: skip
def test_the_codes_are_those_on_the_wheels(key: str, camelot: str, open_key: str) -> None:
    analysis = measured(key=key)
    assert (corrected(analysis).camelot, corrected(analysis).open_key) == (camelot, open_key)
