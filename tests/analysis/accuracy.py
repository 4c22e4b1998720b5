"""How often is the analysis right? Its answers against what is true of many songs, by the measures of mir_eval.

    python tests/analysis/accuracy.py {tempo,key,form,pop909} ... [--held-out] [--count N] [--first N] [--processes 1|2]

prints one table, the same by kind of song, and each song that failed with its truth and what was answered instead.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mir_eval
import numpy as np
import songs
import songs_held_out
import soundfile
from songs import RATE, Song
from synthesis import analysed

from sfwidgets.models import Analysis

MEASURES = {
    "tempo": "tempo within 4 %",
    "octave": "… allowing 2, 3, 1/2, 1/3",
    "three_two": "… 3/2 or 2/3 instead",
    "beat": "beats, F (from 5 s on)",
    "downbeat": "downbeats, F (from 5 s on)",
    "meter": "time signature",
    "key": "key, weighted",
    "chords": "chords, majmin",
    "boundary": "boundaries, F at 3 s",
    "inner": "… without start and end",
    "label": "labels, pairwise F",
    "cents": "tuning within 5 cents",
}
"""What is measured of a song, each 0 to 1. Boundaries count start and end (trim=False) but for `inner`."""
PURPOSE = {
    "tempo": ("tempo", "octave", "three_two", "beat", "downbeat", "meter"),
    "key": ("key", "chords", "cents"),
    "form": ("boundary", "inner", "label"),
    "pop909": ("tempo", "octave", "three_two", "beat", "key", "chords"),
}
"""What each population of songs is for; what else is true of them is incidental."""
POP909 = Path(__file__).resolve().parents[3] / "shared" / "songs"
_SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_FAILED = {"tempo": 1.0, "beat": 0.8, "downbeat": 0.6, "key": 1.0, "chords": 0.7, "boundary": 0.6, "label": 0.6}
"""Below this a song is named."""
Figures = dict[str, float]
Analyser = Callable[[np.ndarray], Analysis]


@dataclass(frozen=True)
class Result:
    """One song's figures, by the names of `MEASURES`; a measure that does not apply is missing."""

    name: str
    tags: frozenset[str]
    figures: Figures
    truth: dict[str, str]
    answer: dict[str, str]


def figures(song: Song, analysis: Analysis) -> Figures:
    """Measure one analysis. What it does not say counts as wrong; what is not true of the song is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns of what is empty
        found = _tempo(song, analysis) | _beats(song, analysis)
        if song.key is not None:
            score = mir_eval.key.weighted_score(song.key, analysis.key) if analysis.key else 0.0
            found |= {"key": score}
        if any(label != "N" for *_, label in song.chords):
            found |= {"chords": _chords(song, analysis)}
        if song.cents:
            found |= {"cents": float(analysis.tuning is not None and abs(analysis.tuning - song.cents) <= 5)}
        return found | (_sections(song, analysis) if song.sections else {})


def _tempo(song: Song, analysis: Analysis) -> Figures:
    ratio = (analysis.tempo or 0.0) / song.bpm

    def within(*factors: float) -> float:
        return float(any(abs(ratio / factor - 1) <= 0.04 for factor in factors))

    return {"tempo": within(1), "octave": within(1, 2, 3, 1 / 2, 1 / 3), "three_two": within(3 / 2, 2 / 3)}


def _beats(song: Song, analysis: Analysis) -> Figures:
    def f_measure(truth: np.ndarray, answer: list[float]) -> float:
        trim = mir_eval.beat.trim_beats
        return float(mir_eval.beat.f_measure(trim(truth), trim(np.asarray(answer, dtype=float))))

    found = {"beat": f_measure(song.beats, analysis.beats)}
    if len(song.downbeats):
        found["downbeat"] = f_measure(song.downbeats, analysis.downbeats)
        found["meter"] = float(analysis.time_signature == song.time_signature)
    return found


def _chords(song: Song, analysis: Analysis) -> float:
    answer = [(chord.start, chord.end, chord.label) for chord in analysis.chords] or [(0.0, song.duration, "N")]
    both = [(np.array([span[:2] for span in spans]), [span[2] for span in spans]) for spans in (song.chords, answer)]
    return float(mir_eval.chord.evaluate(*both[0], *both[1])["majmin"])


def _sections(song: Song, analysis: Analysis) -> Figures:
    answer = [
        (section.start, section.end, section.label) for section in analysis.sections if section.end > section.start
    ]
    if not answer:
        return {"boundary": 0.0, "label": 0.0}
    truth = np.array([section[:2] for section in song.sections]), [section[2] for section in song.sections]
    found = np.array([section[:2] for section in answer]), [section[2] for section in answer]
    found = mir_eval.util.adjust_intervals(*found, t_min=0.0, t_max=song.duration)
    measured = {
        "boundary": mir_eval.segment.detection(truth[0], found[0], window=3.0, trim=False)[2],
        "label": mir_eval.segment.pairwise(*truth, *found)[2],
    }
    if len(truth[0]) > 1:
        measured["inner"] = mir_eval.segment.detection(truth[0], found[0], window=3.0, trim=True)[2]
    return {name: float(value) for name, value in measured.items()}


def render(number: str, cache: Path) -> Path:
    """Play a song of POP909 by fluidsynth into `cache`, unless it is there. Raises FileNotFoundError without the means."""
    wav = cache / f"{number}.wav"
    if not wav.exists():
        if shutil.which("fluidsynth") is None or not _SOUND_FONT.exists():
            raise FileNotFoundError("fluidsynth and fluid-soundfont-gm are needed to play POP909")
        cache.mkdir(parents=True, exist_ok=True)
        part = cache / f"{number}.{os.getpid()}.wav"
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(RATE), "-F", str(part), str(_SOUND_FONT)]
        subprocess.run([*command, str(POP909 / number / f"{number}.mid")], check=True, capture_output=True)
        part.rename(wav)
    return wav


def pop909_numbers() -> list[str]:
    return sorted(folder.name for folder in POP909.glob("[0-9]*"))


def pop909_song(number: str, cache: Path) -> Song:
    """A song of POP909 with its annotations; downbeats and sections are none, the key is that which lasts longest."""
    samples, _ = soundfile.read(render(number, cache), dtype="float32", always_2d=True)
    folder = POP909 / number
    beats = np.loadtxt(folder / "beat_midi.txt")[:, 0]
    keys: dict[str, float] = {}
    for start, end, name in _table(folder / "key_audio.txt"):
        tonic, mode = name.split(":")
        key = f"{tonic} {'major' if mode == 'maj' else 'minor'}"
        keys[key] = keys.get(key, 0.0) + end - start
    tags = frozenset({"one key" if len(keys) == 1 else "several keys"})
    bpm = float(60 / np.median(np.diff(beats)))
    chords = _table(folder / "chord_midi.txt")
    return Song(f"POP909 {number}", samples.T, bpm, beats, np.zeros(0), "", chords, max(keys, key=lambda k: keys[k]), [],
                tags=tags)  # fmt: skip


def _table(path: Path) -> list[tuple[float, float, str]]:
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(float(start), float(end), label) for start, end, label in rows]


@dataclass(frozen=True)
class Task:
    """A song to be made and analysed: where it comes from, which it is, and what else is told to its maker."""

    population: str
    index: int
    held_out: bool = False
    seconds: float | None = None
    cache: Path | None = None

    def song(self) -> Song:
        if self.population == "pop909":
            return pop909_song(pop909_numbers()[self.index], self.cache or default_cache())
        make = getattr(songs_held_out if self.held_out else songs, f"{self.population}_song")
        made: Song = make(self.index) if self.seconds is None else make(self.index, self.seconds)
        return made


def default_cache() -> Path:
    return Path(tempfile.gettempdir()) / "soundforge-pop909"


def measure(task: Task, analyse: Analyser = analysed) -> Result:
    """Make one song, analyse it and measure the answers that the song is meant to ask for."""
    song = task.song()
    analysis = analyse(song.samples)
    measured = figures(song, analysis)
    truth = {
        "tempo": f"{song.bpm:.1f}", "beat": f"{len(song.beats)} beats", "downbeat": f"{song.time_signature}",
        "key": str(song.key), "cents": f"{song.cents:.0f}", "label": "".join(label for *_, label in song.sections),
        "chords": " ".join(label for *_, label in song.chords[:8]),
        "boundary": " ".join(f"{start:.0f}" for start, *_ in song.sections),
    }  # fmt: skip
    answer = {
        "tempo": str(analysis.tempo and round(analysis.tempo, 1)), "beat": f"{len(analysis.beats)} beats",
        "downbeat": str(analysis.time_signature), "key": str(analysis.key), "cents": str(analysis.tuning),
        "chords": " ".join(chord.label for chord in analysis.chords[:8]),
        "boundary": " ".join(f"{section.start:.0f}" for section in analysis.sections),
        "label": "".join(section.label for section in analysis.sections),
    }  # fmt: skip
    asked = {name: value for name, value in measured.items() if name in PURPOSE[task.population]}
    return Result(song.name, song.tags, asked, truth, answer)


def evaluate(tasks: Sequence[Task], *, processes: int = 1, analyse: Analyser = analysed) -> list[Result]:
    """Measure all songs, in at most two processes; for more than one, `analyse` is a function of a module."""
    if processes == 1:
        return [measure(task, analyse) for task in tasks]
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # what the processes find when they start: the cores are taken already
    with multiprocessing.get_context("spawn").Pool(min(processes, 2)) as pool:
        return list(pool.imap(partial(measure, analyse=analyse), tasks))


def means(results: Iterable[Result]) -> Figures:
    """The mean of each measure over the songs to which it applies."""
    results = list(results)
    columns = {name: [r.figures[name] for r in results if name in r.figures] for name in MEASURES}
    return {name: float(np.mean(column)) for name, column in columns.items() if column}


def report(results: Sequence[Result]) -> str:
    """The table, the same by kind of song, and the songs that failed."""
    total = means(results)
    lines = [
        f"{'songs':28} {len(results):6d}",
        *(f"{MEASURES[name]:28} {value:6.3f}" for name, value in total.items()),
        "",
    ]
    lines.append(f"{'kind of song':20} {'songs':>5} " + " ".join(f"{name:>9}" for name in total))
    for tag in sorted({tag for result in results for tag in result.tags}):
        some = [result for result in results if tag in result.tags]
        figure = means(some)
        cells = " ".join(f"{figure[name]:9.3f}" if name in figure else f"{'–':>9}" for name in total)
        lines.append(f"{tag:20} {len(some):5d} {cells}")
    lines += ["", "Failed:"]
    for result in results:
        failed = [
            f"{name} {result.figures[name]:.2f}: {result.truth[name]} → {result.answer[name] or 'nothing'}"
            for name, least in _FAILED.items()
            if result.figures.get(name, 1.0) < least
        ]
        if failed:
            lines.append(f"  {result.name} ({', '.join(sorted(result.tags))}): {'; '.join(failed)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the analysis on songs of which everything is known.")
    parser.add_argument("populations", nargs="+", choices=list(PURPOSE), help="which songs")
    parser.add_argument("--held-out", action="store_true", help="songs of the second style, on which nothing is tuned")
    parser.add_argument("--count", type=int, help="by default 100 for tempo, 96 for key, 40 for form, 48 for pop909")
    parser.add_argument("--first", type=int, default=0, help="the first song's number")
    parser.add_argument("--step", type=int, default=1, help="2 takes every second song")
    parser.add_argument("--seconds", type=float, help="length of tempo and key songs")
    parser.add_argument("--processes", type=int, default=2, choices=(1, 2))
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where POP909 is rendered to")
    arguments = parser.parse_args()
    for population in arguments.populations:
        count = arguments.count or {"tempo": 100, "key": 96, "form": 40, "pop909": 48}[population]
        indices = range(arguments.first, arguments.first + count * arguments.step, arguments.step)
        if population == "pop909":
            indices = indices[: len(range(arguments.first, len(pop909_numbers()), arguments.step))]
        seconds = None if population in ("form", "pop909") else arguments.seconds
        tasks = [Task(population, index, arguments.held_out, seconds, arguments.cache) for index in indices]
        print(f"== {population}{', held out' if arguments.held_out else ''} ==", flush=True)
        print(report(evaluate(tasks, processes=arguments.processes)), flush=True)


if __name__ == "__main__":
    main()
