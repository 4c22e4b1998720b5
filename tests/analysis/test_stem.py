"""A stem is measured as a recording is, and asked nothing where it holds nothing."""

from __future__ import annotations

import numpy as np
import pytest
from synthesis import RATE, blocks, noise, song

from sfwidgets.analysis import activity, analyse_stem
from sfwidgets.models import StemAnalysis

MUSIC = song(120, 16)


def measured(signal: np.ndarray, kind: str) -> StemAnalysis:
    power = activity.power(blocks(MUSIC, 44100)(), RATE)
    return analyse_stem(
        blocks(signal, 44100), stem=kind, kind=kind, mixture=power, sample_rate=RATE, progress=lambda _: None
    )


def test_what_separation_leaves_behind_is_asked_nothing() -> None:
    vocals = measured((MUSIC * 0.02).astype(np.float32), "vocals")
    assert vocals.active == []
    assert (vocals.tempo, vocals.key, vocals.beats, vocals.chords, vocals.sections, vocals.cue_points) == (
        None, None, [], [], [], [],
    )  # fmt: skip
    assert vocals.loudness is not None


def test_drums_have_a_tempo_and_no_key() -> None:
    drums = measured(MUSIC, "drums")
    assert (drums.bpm, drums.key, drums.chords) == (120, None, [])


def test_a_stem_that_comes_in_late_says_when() -> None:
    late = MUSIC.copy()
    late[:, : 6 * RATE] = 0
    (span,) = measured(late, "other").active
    assert span.start == pytest.approx(6.0, abs=0.1)


def test_only_a_bass_is_asked_for_its_notes() -> None:
    assert measured(MUSIC, "other").notes == []
    assert measured(noise(3), "bass").notes == []
    assert measured(np.zeros((2, 0), dtype=np.float32), "bass").duration == 0
