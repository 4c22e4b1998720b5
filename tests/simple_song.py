"""A song that takes no time to write: for tests that need a song, and not a good one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 44100


def write_song(path: Path, seconds: float, *, seed: int = 0) -> Path:
    """Write a stereo song of a voice-like tone, a bass line and a click on every beat (120 BPM)."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    voice = 0.2 * np.sin(2 * np.pi * (220 + 3 * np.sin(2 * np.pi * 5 * time)) * time)
    bass = 0.2 * np.sin(2 * np.pi * 55 * time)
    drums = 0.3 * random.standard_normal(len(time)) * np.exp(-30 * (time % 0.5))
    mixture = np.stack([voice + bass + drums, 0.8 * voice + bass + 0.9 * drums], axis=1)
    soundfile.write(path, (mixture + 1e-4 * random.standard_normal(mixture.shape)).astype(np.float32), RATE)
    return path
