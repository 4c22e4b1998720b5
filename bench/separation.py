"""Speed and memory of separation, against `python -m demucs` on the same weights, audio and machine.

    python bench/separation.py [speed] [five] [cold] [memory] [--seconds 60] [--rounds 3]

Speed is measured command against command, in turn (theirs, ours, theirs, ours, …); each pair gives a ratio, and the
median is quoted. Weights are random, and of HTDemucs' full size: time does not depend on their values. Every run gets
audio of its own, because ours would not do the same work twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100
MODEL = "bench"
BIN = Path(sys.executable).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["speed", "five", "cold", "memory"])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each track")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundforge-bench-") as folder:
        bench = Bench(Path(folder), given.seconds, given.rounds)
        try:
            for part in given.parts:
                getattr(bench, part)()
        finally:
            bench.stop()


class Bench:
    """A folder with a model, a library, and a supply of songs that nobody has heard before."""

    def __init__(self, folder: Path, seconds: float, rounds: int) -> None:
        self.folder, self.seconds, self.rounds, self.count = folder, seconds, rounds, 0
        self.models = make_model(folder / "models")
        self.environment = {
            **os.environ, "AUDIO_DATA_PATH": str(folder / "library"), "MODELS_DIR": str(self.models),
            "SOUNDFORGE_OFFLINE": "true", "DASK_SCHEDULER": "", "DATABASE_URL": "",
        }  # fmt: skip

    def speed(self) -> None:
        self.ours([self.song(10.0)])
        self.compare("one track, workers warm", 1, self.rounds)

    def five(self) -> None:
        self.ours([self.song(10.0)])
        self.compare("five tracks in a row, workers warm", 5, max(1, self.rounds // 3))

    def cold(self) -> None:
        ratios = []
        for _ in range(self.rounds):
            songs = [self.song()]
            theirs = self.theirs(songs)
            self.stop()
            ratios.append((theirs, self.ours(songs)))
        report("one track, cold start", ratios)

    def memory(self) -> None:
        """Peak memory of the worker that separates, a fresh one for each length, with the embedded model."""
        peaks = {}
        for minutes in (5, 60):
            self.stop()
            song = self.song(minutes * 60.0)
            started = time.perf_counter()
            self.ours([song], model="embedded")
            peaks[minutes] = self.peak()
            print(f"embedded, {minutes} min: peak {peaks[minutes]:.0f} MB, {time.perf_counter() - started:.0f} s")
            song.unlink()
        print(f"memory: 60 min / 5 min = {peaks[60] / peaks[5]:.3f}")

    def compare(self, what: str, tracks: int, rounds: int) -> None:
        pairs = []
        for _ in range(rounds):
            songs = [self.song() for _ in range(tracks)]
            pairs.append((self.theirs(songs), self.ours(songs)))
        report(what, pairs)

    def theirs(self, songs: list[Path]) -> float:
        out = self.folder / "theirs"
        command = [sys.executable, "-m", "demucs", "--repo", str(self.models), "-n", MODEL, "-d", "cpu", "-o", str(out)]
        return self.run([*command, *map(str, songs)], out)

    def ours(self, songs: list[Path], model: str = MODEL) -> float:
        out = self.folder / "ours"
        return self.run(
            [
                str(BIN / "soundforge"),
                "separate",
                "--model",
                model,
                "--format",
                "wav",
                "--out",
                str(out),
                *map(str, songs),
            ],
            out,
        )

    def run(self, command: list[str], out: Path) -> float:
        started = time.perf_counter()
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        taken = time.perf_counter() - started
        shutil.rmtree(out)
        return taken

    def song(self, seconds: float | None = None) -> Path:
        self.count += 1
        path = self.folder / f"song-{self.count}.wav"
        random = np.random.default_rng(self.count)
        with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
            left = int((seconds or self.seconds) * RATE)
            while left > 0:
                block = min(left, 30 * RATE)
                tone = np.sin(2 * np.pi * 110 * np.arange(block) / RATE)[:, None]
                file.write(0.2 * tone + 0.1 * random.standard_normal((block, 2)))
                left -= block
        return path

    def peak(self) -> float:
        """Return the most memory in MB that the worker that separates ever had in use."""
        import psutil

        known = json.loads((self.folder / "library" / "run" / "cluster.json").read_text())
        family = psutil.Process(known["pid"]).children(recursive=True)
        peaks = [Path(f"/proc/{p.pid}/status").read_text().split("VmHWM:")[1].split()[0] for p in family]
        return max(int(p) for p in peaks) / 1000

    def stop(self) -> None:
        subprocess.run([str(BIN / "soundforge"), "stop"], env=self.environment, check=True, stdout=subprocess.DEVNULL)


def make_model(folder: Path) -> Path:
    """Write full-size HTDemucs with random weights, in demucs' repository layout."""
    import torch
    from demucs.htdemucs import HTDemucs

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    arguments = {"sources": ["drums", "bass", "other", "vocals"], **HTDEMUCS}
    package = {"klass": HTDemucs, "args": [], "kwargs": arguments, "state": HTDemucs(**arguments).state_dict()}
    torch.save(package, folder / "plain.th")
    checksum = hashlib.sha256((folder / "plain.th").read_bytes()).hexdigest()[:8]
    (folder / "plain.th").rename(folder / f"abcd1234-{checksum}.th")
    (folder / f"{MODEL}.yaml").write_text("models: ['abcd1234']\n")
    return folder


HTDEMUCS = {
    "channels": 48, "growth": 2, "nfft": 4096, "cac": True, "depth": 4, "rewrite": True, "freq_emb": 0.2,
    "emb_scale": 10, "emb_smooth": True, "kernel_size": 8, "stride": 4, "time_stride": 2, "context": 1,
    "context_enc": 0, "norm_starts": 4, "norm_groups": 4, "dconv_mode": 3, "dconv_depth": 2, "dconv_comp": 8,
    "dconv_init": 1e-3, "bottom_channels": 512, "t_layers": 5, "t_heads": 8, "t_hidden_scale": 4.0, "t_dropout": 0.02,
    "samplerate": RATE, "segment": 7.8, "use_train_segment": True,
}  # fmt: skip
"""The published htdemucs' arguments."""


def report(what: str, pairs: list[tuple[float, float]]) -> None:
    ratios = [theirs / ours for theirs, ours in pairs]
    theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"{what}: demucs {theirs:.1f} s, soundforge {ours:.1f} s, {statistics.median(ratios):.2f} times as fast "
        f"(from {min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds)",
        flush=True,
    )


if __name__ == "__main__":
    main()
