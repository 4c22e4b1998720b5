import json
import subprocess
import sys

import numpy as np
import pytest
from synthesis import RATE, analysed, blocks, noise, sine, song

from sfwidgets.analysis import analyse
from sfwidgets.errors import AudioError

ODDITIES = {
    "nothing": np.zeros((2, 0)),
    "one sample": np.ones((1, 1)),
    "silence": np.zeros((2, 5 * RATE)),
    "50 ms of silence": np.zeros((2, RATE // 20)),
    "50 ms of noise": noise(0.05),
    "a click": np.eye(1, 3 * RATE, RATE),
    "direct current": np.full((1, 3 * RATE), 0.5),
    "a tone": sine(440, 3),
    "a low tone": sine(30, 15),
    "beyond full scale": noise(2, 50),
}


@pytest.mark.parametrize("signal", ODDITIES.values(), ids=ODDITIES.keys())
def test_odd_audio_is_answered_with_none_not_with_inventions(signal: np.ndarray) -> None:
    analysis = analysed(signal.astype(np.float32))
    json.dumps(analysis.to_json(), allow_nan=False)
    assert (analysis.bpm, analysis.tempo, analysis.key, analysis.cue_points) == (None, None, None, [])
    assert analysis.duration == signal.shape[1] / RATE
    assert len(analysis.spectral_contrast) == 7
    assert all(0 <= point <= 1 for point in analysis.waveform_envelope)


def test_silence_has_neither_loudness_nor_centroid() -> None:
    analysis = analysed(ODDITIES["silence"].astype(np.float32))
    assert (analysis.loudness, analysis.spectral_centroid) == (None, None)
    assert (analysis.tempo_confidence, analysis.key_strength) == (0, 0)


@pytest.mark.parametrize("size", [1000, 44100, 10**7])
def test_the_result_does_not_depend_on_the_blocks(size: int) -> None:
    signal = song(100, 8)
    moment = {"analyzed_at"}
    assert analysed(signal, size=size).model_dump(exclude=moment) == analysed(signal, size=777).model_dump(
        exclude=moment
    )


@pytest.mark.parametrize("rate", [8000, 16000, 48000, 96000])
def test_any_sample_rate_will_do(rate: int) -> None:
    analysis = analysed(sine(1000, 5, -23, rate), rate)
    assert analysis.loudness == pytest.approx(-23.0, abs=0.1)
    assert analysis.spectral_centroid == pytest.approx(1000, rel=0.03)
    assert len(analysis.spectral_contrast) == 7


@pytest.mark.parametrize("sample", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_audio_are_an_error(sample: float) -> None:
    signal = sine(440, 1)
    signal[1, 1234] = sample
    with pytest.raises(AudioError, match="not numbers"):
        analysed(signal)


@pytest.mark.parametrize("duration", [None, 20.0, 5.0])
def test_progress_rises_from_nothing_to_all(duration: float | None) -> None:
    told: list[float] = []
    analyse(blocks(sine(440, 20), 4096), sample_rate=RATE, track_id="t", progress=told.append, duration=duration)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert len(told) > 10


def test_an_analysis_is_stopped_by_its_progress() -> None:
    read = 0

    def long_recording():
        nonlocal read
        while True:
            read += 1
            yield np.zeros((2, RATE), dtype=np.float32)

    def cancelled_at_a_tenth(share: float) -> None:
        if share > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyse(long_recording, sample_rate=RATE, track_id="t", progress=cancelled_at_a_tenth, duration=300.0)
    assert read < 40


def test_an_analysis_needs_neither_librosa_nor_numba_nor_torch() -> None:
    program = (
        "import sys, numpy as np; from sfwidgets.analysis import analyse;"
        "assert 'scipy' not in sys.modules;"
        "analyse(lambda: iter([np.ones((2, 44100), np.float32)]), sample_rate=44100, track_id='t', progress=id);"
        "print(sorted({'librosa', 'numba', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_dither_before_the_music_has_no_beats() -> None:
    music = song(120, 16)
    dither = (np.random.default_rng(0).integers(-1, 2, (2, 8 * RATE)) / 32768).astype(np.float32)
    analysis = analysed(np.concatenate([dither, music], axis=1))
    assert analysis.bpm == 120
    assert min(analysis.beats) > 7.7 and min(analysis.onsets) > 7.7 and min(analysis.downbeats) > 7.7
