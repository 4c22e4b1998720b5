"""Songs with stems, made once by the embedded model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sfwidgets import Workbench
from sfwidgets.audio import Encoder
from sfwidgets.models import Track

SECONDS = 5
RATE = 44100


def music(rate: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Return a tone with vibrato, a bass line and noisy beats, of shape (2, frames), a little different on either side."""
    time = np.arange(round(seconds * rate)) / rate
    voice = 0.2 * np.sin(2 * np.pi * (330 + 4 * np.sin(2 * np.pi * 5 * time)) * time)
    bass = 0.2 * np.sin(2 * np.pi * 55 * time)
    beats = 0.3 * np.random.default_rng(11).standard_normal(len(time)) * np.exp(-30 * (time % 0.5))
    return (0.5 * np.stack([voice + bass + beats, 0.7 * voice + bass - 0.5 * beats])).astype(np.float32)


@pytest.fixture(scope="session")
def make_track(shared_wb: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Track]:
    """Return what makes a track, with stems or without: make_track("wav"), at the rate asked for."""
    made: dict[tuple[str, int, bool], Track] = {}

    def _make(format: str = "wav", *, rate: int = RATE, stems: bool = True) -> Track:
        key = (format, rate, stems)
        if key not in made:
            file = tmp_path_factory.mktemp("songs") / f"{format}-{rate}-{stems}.{format}"
            audio = music(rate) * (1.0 if stems else 0.9)
            if format == "wav":
                soundfile.write(file, audio.T, rate, subtype="PCM_24")
            else:
                with Encoder(file, sample_rate=rate, channels=2, format=format) as encoder:
                    encoder.write(audio)
            made[key] = shared_wb.add(file)
            if stems:
                shared_wb.separate(made[key], "embedded").wait()
        return made[key]

    return _make


@pytest.fixture(scope="session")
def decoded(shared_wb: Workbench) -> Callable[[Track], dict[str, NDArray[np.float64]]]:
    """Return what reads a track's stems by libsndfile alone, as name → array of shape (2, frames)."""
    return lambda track: {
        Path(stem.name).stem: soundfile.read(shared_wb.path(stem), always_2d=True)[0].T
        for stem in shared_wb.stems(track).stems
    }
