"""The product's separation of 90 seconds at 44.1 kHz, from file to stems, is what upstream makes of the same file."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_models import SOURCES, music, save_th

from sfwidgets import audio, separation
from sfwidgets.models import SeparationOptions
from sfwidgets.settings import Settings

RATE = 44100


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HTDemucs and HDemucs with their published shape, but a few channels wide, and a weighted bag of both."""
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(1)
    transformer = HTDemucs(SOURCES, channels=8, t_layers=1, t_heads=2, bottom_channels=16, samplerate=RATE, segment=7.8)
    save_th(transformer.eval(), folder, "aaaa")
    save_th(HDemucs(SOURCES, channels=8, samplerate=RATE, segment=20).eval(), folder, "bbbb")
    (folder / "ht.yaml").write_text("models: ['aaaa']\n")
    (folder / "h.yaml").write_text("models: ['bbbb']\nsegment: 20\n")
    (folder / "bag.yaml").write_text(
        "models: ['aaaa', 'bbbb']\nweights: [[1., 0., 2., 1.], [0., 1., 1., 3.]]\nsegment: 20\n"
    )
    return folder


@pytest.mark.parametrize("seconds", [40, pytest.param(90, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("name", "shifts"), [("ht", 0), ("h", 0), ("bag", 0), ("ht", 2)])
def test_long_audio_equals_upstream(models: Path, tmp_path: Path, name: str, shifts: int, seconds: int) -> None:
    from demucs.api import Separator

    song = music(seconds * RATE + 12_345, seed=4)
    soundfile.write(tmp_path / "song.wav", song.T, RATE, subtype="FLOAT")
    reference = Separator(name, repo=models, device="cpu", shifts=shifts, overlap=0.25)
    random.seed(5)
    with torch.no_grad():
        _, expected = reference.separate_tensor(torch.from_numpy(song))

    separator = separation.load(name, Settings(_env_file=None, models_dir=models), "cpu", "float32")
    blocks = separation.separate(
        separator,
        lambda: audio.decode(tmp_path / "song.wav", sample_rate=RATE, channels=2),
        SeparationOptions(model=name, shifts=shifts, seed=5),
        lambda share: None,
    )
    done = 0
    for block in blocks:
        for source in SOURCES:
            frames = block[source].shape[1]
            truth = expected[source][:, done : done + frames].numpy()
            assert np.abs(block[source] - truth).max() <= 1e-4
        done += frames
    assert done == song.shape[1]
