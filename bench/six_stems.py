"""A long track with six stems, put straight into a library: what the widgets are measured on."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfwidgets import Workbench, audio
from sfwidgets.models import SeparationOptions, Stem, StemSet, Track, utc_now

RATE = 44100
BAR = 2 * RATE
NAMES = ("vocals", "drums", "bass", "guitar", "piano", "other")
SET = "six-stems"


def add_track(wb: Workbench, *, minutes: float = 5.0, title: str = "Six stems") -> Track:
    """Write a track that sounds from its first sample to its last, and its stems, which add up to it."""
    random = np.random.default_rng(0)
    bars = {name: _bar(name, random) for name in NAMES}
    with tempfile.TemporaryDirectory(dir=wb._library.store.temporary) as name:
        folder = Path(name)
        _write(folder, bars, int(minutes * 30), random)
        track = wb.add(folder / "mixture.wav", title=title)
        (folder / "mixture.wav").unlink()
        content_hash = str(track.content_hash)
        store, results = wb._library.store, wb._library.results
        store.publish(folder / "mixture.dat", store.peaks_name(wb.owner, content_hash))
        published = store.stems_name(wb.owner, content_hash, SET)
        stems = [_describe(folder, name, published) for name in NAMES]
        made = folder.with_name("six-stems-made")
        made.mkdir()
        for file in folder.iterdir():
            file.rename(made / file.name)
        store.publish(made, published)
    kept = StemSet(
        id=SET, model="bench", precision="float32", options=SeparationOptions(), seconds=1.0, stems=stems,
        created_at=utc_now(),
    )  # fmt: skip
    with wb._shared.database.write() as connection:
        results.add_stems(connection, kept, content_hash=content_hash, key=SET, folder=str(published))
        results.link_stems(connection, track.id, SET)
    return wb.track(track.id)


def _write(folder: Path, bars: dict[str, NDArray[np.float32]], count: int, random: np.random.Generator) -> None:
    with ExitStack() as files:
        sounds = {
            name: files.enter_context(soundfile.SoundFile(folder / f"{name}.flac", "w", RATE, 2, "PCM_16"))
            for name in NAMES
        }
        sounds["mixture"] = files.enter_context(soundfile.SoundFile(folder / "mixture.wav", "w", RATE, 2, "PCM_16"))
        peaks = {
            name: files.enter_context(audio.PeakWriter(folder / f"{name}.dat", sample_rate=RATE)) for name in sounds
        }
        for _ in range(count):
            played = {name: bar * np.float32(random.uniform(0.2, 1.0)) for name, bar in bars.items()}
            played["mixture"] = np.sum(list(played.values()), axis=0)
            for name, samples in played.items():
                sounds[name].write(samples.T)
                peaks[name].write(samples)


def _bar(name: str, random: np.random.Generator) -> NDArray[np.float32]:
    """Return two seconds of a stem, of shape (2, frames)."""
    time = np.arange(BAR) / RATE
    if name == "drums":
        sound = random.standard_normal(BAR) * (0.02 + np.exp(-20 * (time % 0.5)))
    else:
        pitch = 55 * 2 ** NAMES.index(name)
        sound = np.cos(2 * np.pi * pitch * time) * (0.5 + 0.5 * np.cos(2 * np.pi * time / 2))
        sound = sound + 0.01 * random.standard_normal(BAR)
    return np.stack((0.15 * sound, 0.12 * sound)).astype(np.float32)


def _describe(folder: Path, name: str, published: Path) -> Stem:
    file = folder / f"{name}.flac"
    return Stem(
        name=file.name, type=name, path=published / file.name, peaks=published / f"{name}.dat",
        size=file.stat().st_size, sample_rate=RATE, channels=2, frames=soundfile.info(file).frames,
        created_at=utc_now(),
    )  # fmt: skip
