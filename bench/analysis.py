"""Speed and memory of the analysis, against one librosa call a feature on the same file in the same process.

    python bench/analysis.py [speed] [first] [memory] [--rounds 5]

`speed`: the file is decoded and analysed by each side in turn, both warm. librosa decodes at the file's own rate and
gives tempo and beats, a key (mean of chroma_cqt held against Krumhansl's profiles), spectral centroid, contrast, MFCC,
chroma and a segmentation; ours gives everything that `Analysis` holds. `first`: what a user's first call in a fresh
process takes longer than the second one of the same length. `memory`: the peak of a process that analyses an hour.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from sfwidgets import audio
from sfwidgets.analysis import analyse
from sfwidgets.models import Analysis

RATE = 44100
KRUMHANSL = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["speed", "first", "memory"])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundforge-bench-") as folder:
        for part in given.parts:
            {"speed": speed, "first": first, "memory": memory, "once": once}[part](Path(folder), given.rounds)


def speed(folder: Path, rounds: int) -> None:
    path = write_song(folder / "song.wav", 180.0)
    ours(path)
    theirs(path)
    pairs = [(timed(theirs, path), timed(ours, path)) for _ in range(rounds)]
    ratios = [a / b for a, b in pairs]
    print(
        f"3 minutes, warm: librosa {statistics.median(a for a, _ in pairs):.1f} s, "
        f"soundforge {statistics.median(b for _, b in pairs):.1f} s, {statistics.median(ratios):.2f} times as fast "
        f"(from {min(ratios):.2f} to {max(ratios):.2f} in {rounds} rounds)",
        flush=True,
    )


def first(folder: Path, rounds: int) -> None:
    path = write_song(folder / "short.wav", 10.0)
    extra = []
    for _ in range(rounds):
        said = subprocess.run(
            [sys.executable, __file__, "once", "--rounds", "1"], env={**os.environ, "BENCH_SONG": str(path)},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        extra.append(float(said.stdout))
    print(f"first call in a fresh process: {statistics.median(extra):.2f} s longer than the second, imports included")


def once(_folder: Path, _rounds: int) -> None:
    path = Path(os.environ["BENCH_SONG"])
    print(timed(ours, path) - timed(ours, path))


def memory(folder: Path, _rounds: int) -> None:
    for minutes in (3, 60):
        path = write_song(folder / f"{minutes}.wav", minutes * 60.0)
        child = os.fork()
        if child == 0:
            began = time.perf_counter()
            ours(path)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            print(f"{minutes} minutes: peak {peak:.0f} MB, {time.perf_counter() - began:.1f} s", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        path.unlink()


def timed(work: Callable[[Path], object], path: Path) -> float:
    began = time.perf_counter()
    work(path)
    return time.perf_counter() - began


def ours(path: Path) -> Analysis:
    def blocks() -> Iterator[np.ndarray]:
        return audio.decode(path, sample_rate=RATE, channels=2)

    return analyse(blocks, sample_rate=RATE, track_id="bench", progress=lambda _share: None)


def theirs(path: Path) -> object:
    import librosa

    y, rate = librosa.load(path, sr=None)
    tempo, beats = librosa.beat.beat_track(y=y, sr=rate)
    cqt = librosa.feature.chroma_cqt(y=y, sr=rate)
    profiles = [np.roll(mode, tonic) for mode in KRUMHANSL for tonic in range(12)]
    key = int(np.argmax([np.corrcoef(cqt.mean(axis=1), profile)[0, 1] for profile in profiles]))
    mfcc = librosa.feature.mfcc(y=y, sr=rate)
    sections = librosa.segment.agglomerative(librosa.util.sync(mfcc, beats), 8)
    return (
        tempo, beats, key, mfcc, sections, librosa.feature.spectral_centroid(y=y, sr=rate),
        librosa.feature.spectral_contrast(y=y, sr=rate), librosa.feature.chroma_stft(y=y, sr=rate),
    )  # fmt: skip


def write_song(path: Path, seconds: float) -> Path:
    """Write a beat at 120 BPM under four chords, in stereo."""
    random = np.random.default_rng(0)
    bar = 2 * RATE
    t = np.arange(bar) / RATE
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for number in range(int(seconds / 2)):
            root = 110 * 2 ** ((0, 7, 9, 5)[number % 4] / 12)
            chord = sum(np.sin(2 * np.pi * root * ratio * k * t) / k for ratio in (1, 1.26, 1.5) for k in (1, 2, 3))
            hits = random.standard_normal(bar) * np.exp(-40 * (t % 0.5))
            file.write((0.08 * chord + 0.2 * hits)[:, None] * np.array([1.0, 0.9]))
    return path


if __name__ == "__main__":
    main()
