"""How loud a whole mix becomes, by FFmpeg's own EBU R 128 meter."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sfwidgets.errors import InvalidInputError
from sfwidgets.mixing import Output, render

RATE = 44100


def rendered(audio: NDArray[np.float32], target: Path, *, speed: float = 1.0, **output: object) -> int:
    blocks = [audio[:, start : start + 30_000] for start in range(0, audio.shape[1], 30_000)]
    asked = Output(**{"format": "wav", "bit_depth": 32, **output})
    return render(blocks, target, asked, sample_rate=RATE, frames=audio.shape[1], speed=speed)


def noise(level: float, seconds: float = 4) -> NDArray[np.float32]:
    return (level * np.random.default_rng(1).uniform(-1, 1, (2, round(seconds * RATE)))).astype(np.float32)


def metered(path: Path) -> tuple[float, float]:
    """Return integrated loudness (LUFS) and true peak (dBTP), as FFmpeg's ebur128 filter says them."""
    import av
    import av.logging

    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture(local=False) as said, av.open(str(path)) as container:
            graph = av.filter.Graph()
            source = graph.add_abuffer(template=container.streams.audio[0])
            meter, sink = graph.add("ebur128", "peak=true:framelog=quiet"), graph.add("abuffersink")
            source.link_to(meter)
            meter.link_to(sink)
            graph.configure()
            for frame in container.decode(audio=0):
                graph.push(frame)
            graph.push(None)
            while True:
                try:
                    graph.pull()
                except (av.EOFError, av.BlockingIOError):
                    break
            del graph, source, meter, sink
        text = "".join(line[2] for line in said)
    finally:
        av.logging.set_level(None)
    loudness = re.search(r"I:\s+(-?[\d.]+) LUFS", text)
    peak = re.search(r"Peak:\s+(-?[\d.]+|-inf) dBFS", text)
    assert loudness is not None, text
    assert peak is not None, text
    return float(loudness[1]), float(peak[1])


@pytest.mark.parametrize("level", [0.01, 0.7, 3.0])
def test_the_highest_sample_comes_to_one_decibel_below_full_scale(tmp_path: Path, level: float) -> None:
    rendered(noise(level), tmp_path / "a.wav", normalise="peak")
    peak = np.abs(soundfile.read(tmp_path / "a.wav")[0]).max()
    assert 20 * np.log10(peak) == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("level", [0.01, 0.5, 3.0])
def test_loudness_comes_to_the_target(tmp_path: Path, level: float) -> None:
    rendered(noise(level), tmp_path / "a.wav", normalise="loudness")
    loudness, peak = metered(tmp_path / "a.wav")
    assert loudness == pytest.approx(-14, abs=0.15)
    assert peak <= -1


def test_the_true_peak_holds_loudness_back(tmp_path: Path) -> None:
    audio = 0.01 * noise(1.0)
    audio[:, ::RATE] = 0.9
    rendered(audio, tmp_path / "a.wav", normalise="loudness")
    loudness, peak = metered(tmp_path / "a.wav")
    assert loudness < -14.5
    assert peak == pytest.approx(-1, abs=0.25)


@pytest.mark.parametrize("normalise", ["peak", "loudness"])
def test_silence_stays_silent(tmp_path: Path, normalise: str) -> None:
    rendered(np.zeros((2, RATE), dtype=np.float32), tmp_path / "a.wav", normalise=normalise)
    assert not soundfile.read(tmp_path / "a.wav")[0].any()


def test_a_stretch_that_is_never_twice_the_same_is_held_to_the_ceiling_too(tmp_path: Path) -> None:
    rendered(noise(0.5, 2), tmp_path / "a.wav", speed=0.3, normalise="peak")
    peak = np.abs(soundfile.read(tmp_path / "a.wav")[0]).max()
    assert 20 * np.log10(peak) == pytest.approx(-1, abs=1e-3)


def test_what_is_too_loud_is_limited_and_counted(tmp_path: Path) -> None:
    audio = np.zeros((2, 1000), dtype=np.float32)
    audio[0, 10:15] = 1.5
    assert rendered(audio, tmp_path / "a.flac", format="flac", bit_depth=24) == 5
    assert soundfile.read(tmp_path / "a.flac")[0].max() <= 1
    assert rendered(audio, tmp_path / "a.wav") == 0
    assert soundfile.read(tmp_path / "a.wav")[0].max() == 1.5


def test_nothing_else_is_left_beside_the_file(tmp_path: Path) -> None:
    rendered(noise(0.1, 1), tmp_path / "a.wav", normalise="loudness")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("wrong", [{"normalise": "much"}, {"sample_rate": 10}, {"sample_rate": "44100"}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        Output(**{"format": "wav", **wrong})
