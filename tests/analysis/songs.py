"""Songs of many kinds, composed and synthesised from a seed, so that everything a listener could say of them is known.

The other style, on which nothing may be tuned, is `songs_held_out`; it shares only the class `Song`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from song_playing import GROOVES, Band, Bar, Groove, a_band, bars_of, perform
from song_sounds import RATE, Array, Rng, Stage

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Song:
    """A piece of music, and what is true of it. Times are seconds; the beat is the one a listener would tap."""

    name: str
    samples: Array = field(repr=False)
    """Shape (2, frames), float32, full scale at ±1, at 44100 Hz."""
    bpm: float
    """60 / mean time between beats; in 6/8 a beat is a dotted quarter."""
    beats: Array = field(repr=False)
    downbeats: Array = field(repr=False)
    time_signature: str
    chords: list[tuple[float, float, str]] = field(repr=False)
    """(start, end, Harte label) from 0 to the end; a seventh chord other than the dominant's has its triad's label."""
    key: str | None
    """Like "C# minor"; None where nothing has a pitch."""
    sections: list[tuple[float, float, str]] = field(repr=False)
    """(start, end, label) from 0 to the end; silence belongs to what went before. [] where none were composed."""
    cents: float = 0.0
    """How far it is from A4 = 440 Hz."""
    tags: frozenset[str] = frozenset()

    @property
    def duration(self) -> float:
        return self.samples.shape[1] / RATE


PROGRESSIONS = {
    "major": ("I V vi IV", "I vi IV V", "I IV ii V", "I iii IV V7", "I IV I V", "I ii IV I", "IV V iii vi", "I bVII IV I"),
    "minor": ("i bVI bIII bVII", "i bVI bVII i", "i iv V i", "i bVII bVI V7", "i iv bVII bIII", "i V i bVI", "i v bVI iv"),
}  # fmt: skip
KEY_STYLES: dict[str, dict[str, tuple[str, ...]]] = {
    "pop": {
        "major": ("I V vi IV I V IV I", "I vi IV V I vi V I", "I IV vi V I IV V I"),
        "minor": ("i bVI bVII i i bVI V i", "i iv bVI V i iv V i", "i bVII bVI V i bVII V i"),
    },
    "rock": {
        "major": ("I bVII IV I I IV V I", "I IV V IV I IV V I"),
        "minor": ("i bVII bVI bVII i bVI V i", "i bIII bVII iv i bVI bVII i"),
    },
    "waltz": {
        "major": ("I I V7 V7 V7 V7 I I", "I IV V7 I vi ii V7 I"),
        "minor": ("i i V7 V7 iv i V7 i", "i iv V7 i bVI iv V7 i"),
    },
    "ballad": {
        "major": ("Imaj7 vi7 ii7 V7 III7 vi7 ii7,V7 Imaj7", "I,I7 IV I,VI7 II7 ii7 V7 IV,V7 I"),
        "minor": ("i7 iv7 bVII7 bIIImaj7 bVImaj7 iv7 V7 i7", "i,I7 iv V7 i bVI bIII iv7,V7 i"),
    },
}
BANDS = ((50, 80), (80, 110), (110, 140), (140, 170), (170, 200))


CATEGORIES = ("straight", "swung", "syncopated", "sparse", "drumless", "drift", "3/4", "6/8")
BANDS = ((50, 80), (80, 110), (110, 140), (140, 170), (170, 200))


def _groove(rng: Rng, kind: str, bpm: float) -> Groove:
    fitting = [groove for groove in GROOVES[kind] if groove.slowest <= bpm <= groove.fastest]
    return fitting[rng.integers(len(fitting))]


def _beat_times(rng: Rng, bpm: float, count: int, drift: float = 0.0) -> Array:
    period, phase = rng.uniform(20, 50), rng.uniform(0, 2 * np.pi)
    times = [rng.uniform(0.05, 1.2)]
    for _ in range(count):
        times.append(times[-1] + 60 / (bpm * (1 + drift * np.sin(2 * np.pi * times[-1] / period + phase))))
    return np.array(times)


def _song(name: str, rng: Rng, stage: Stage, times: Array, groove: Groove, bars: list[Bar], key: tuple[int, str],
          cents: float, tags: set[str], *, silent: frozenset[int] = frozenset(), starts: tuple[tuple[int, str], ...] = ()) -> Song:  # fmt: skip  # noqa: E501
    """Mix what was played and state what is true of it; bars in `silent` are silent, `starts` are (bar, label)."""
    samples, tonic = stage.mixed(), key[0]
    end = samples.shape[1] / RATE
    changes = [(0.0, "N")]
    for number, bar in enumerate(bars):
        for beat, root, quality in [(0.0, 0, "N")] if number in silent else bar:
            triad = {"maj7": "maj", "min7": "min"}.get(quality, quality)
            label = "N" if number in silent else f"{NAMES[(tonic + root) % 12]}:{triad}"
            if label != changes[-1][1]:
                changes.append((stage.seconds(number * groove.beats + beat), label))
    chords = [(a, b, label) for (a, label), (b, _) in zip(changes, [*changes[1:], (end, "")], strict=True)]
    borders = [0.0, *(stage.seconds(bar * groove.beats) for bar, _ in starts[1:]), end]
    sections = [(a, b, label) for a, b, (_, label) in zip(borders, borders[1:], starts, strict=False)]
    signature = {3: "3/4", 2: "6/8"}.get(groove.beats, "4/4")
    bpm = float(60 / np.diff(times).mean())
    downbeats = times[:: groove.beats]
    return Song(name, samples, bpm, times, downbeats, signature, chords, f"{NAMES[tonic]} {key[1]}", sections, cents,
                frozenset(tags))  # fmt: skip


def tempo_song(seed: int, seconds: float = 60.0) -> Song:
    """A song of category seed % 8; any 40 seeds in a row go through all pairs of a category and a band of tempi.

    6/8 keeps to the lower three bands. Chords are true, but in the sparse ones little is heard of them.
    """
    rng = np.random.default_rng((1, seed))
    category = CATEGORIES[seed % 8]
    band = BANDS[seed // 8 % 3 if category == "6/8" else (seed // 8 + seed) % 5]
    bpm = rng.uniform(*band)
    kind = str(rng.choice(("straight", "swung", "syncopated"))) if category == "drift" else category
    groove = _groove(rng, kind, bpm)
    key = int(rng.integers(12)), str(rng.choice(("major", "minor")))
    count = max(4, round(seconds * bpm / 60 / groove.beats))
    drift = rng.uniform(0.04, 0.06) if category == "drift" else 0.0
    progressions = PROGRESSIONS[key[1]]
    progression = progressions[rng.integers(len(progressions))]
    if bpm < 80 and groove.beats == 4 and rng.random() < 0.4:
        numerals = progression.split()
        progression = f"{numerals[0]},{numerals[1]} {numerals[2]},{numerals[3]}"
    bars = [*bars_of(progression, count, groove.beats), *bars_of("I" if key[1] == "major" else "i", 1, groove.beats)]
    silent = frozenset(b for b in range(3, count, 4) if category == "sparse" and rng.random() < 0.4)
    times = _beat_times(rng, bpm, count * groove.beats, drift)
    stage = Stage(rng, times)
    struck = ("pluck", "piano", "epiano")
    players = a_band(rng, (*struck, "guitar", "organ") if groove.drums else struck)
    if category == "sparse":
        players = replace(players, silent=frozenset({"pad", str(rng.choice(["lead", "none", "none"]))}), power=False)
    perform(stage, rng, players, groove, bars[:-1], key, rests=silent)
    _last(stage, players, groove, key, count * groove.beats)
    return _song(f"tempo {seed}", rng, stage, times, groove, bars, key, 0.0, {category, f"{band[0]}-{band[1]}"}, silent=silent)  # fmt: skip  # noqa: E501


def _last(stage: Stage, band: Band, groove: Groove, key: tuple[int, str], beat: float, cents: float = 0.0) -> None:
    """The chord of the tonic to end with."""
    if groove.drums and "drums" not in band.silent:
        for drum in ("kick", "crash"):
            stage.put(band.kit[drum], beat, band.levels[0])
    stage.note(band.bass, (key[0] - 28) % 12 + 28 + cents / 100, beat, 4, 0.9)
    for interval in (0, 4 if key[1] == "major" else 3, 7):
        midi = (key[0] + interval - band.register) % 12 + band.register + cents / 100
        stage.note(band.comp, midi, beat, 4, band.levels[1], 0.4)


def tempo_songs(count: int, first_seed: int = 0, seconds: float = 60.0) -> Iterator[Song]:
    return (tempo_song(seed, seconds) for seed in range(first_seed, first_seed + count))


def key_song(index: int, seconds: float = 45.0) -> Song:
    """A song in key index % 24; 96 in a row are every key in every style; about every second is out of tune."""
    rng = np.random.default_rng((2, index))
    key = 7 * (index % 24 // 2) % 12, ("major", "minor")[index % 2]
    style = list(KEY_STYLES)[(index % 24 // 2 + index // 24) % 4]
    kind = {"waltz": "3/4", "ballad": str(rng.choice(("drumless", "swung")))}.get(style, "straight")
    bpm = rng.uniform(*{"pop": (90, 130), "rock": (100, 170), "waltz": (90, 180), "ballad": (60, 95)}[style])
    groove = _groove(rng, kind, bpm)
    comping = {"pop": ("organ", "epiano", "piano", "strings"), "rock": ("guitar",), "waltz": ("pluck", "organ", "piano"),
               "ballad": ("epiano", "strings", "piano")}[style]  # fmt: skip
    band = replace(a_band(rng, comping), levels=(rng.uniform(0.3, 0.9), 0.55, rng.uniform(0.35, 0.55)))
    cents = float(rng.uniform(-40, 40)) if rng.random() < 0.5 else 0.0
    pool = KEY_STYLES[style][key[1]]
    progression = f"{pool[rng.integers(len(pool))]} {pool[rng.integers(len(pool))]}"
    count = max(8, 8 * round(seconds * bpm / 60 / groove.beats / 8))
    bars = [*bars_of(progression, count, groove.beats), *bars_of("I" if key[1] == "major" else "i", 1, groove.beats)]
    times = _beat_times(rng, bpm, count * groove.beats)
    stage = Stage(rng, times)
    perform(stage, rng, band, groove, bars[:-1], key, cents=cents)
    _last(stage, band, groove, key, count * groove.beats, cents)
    tags = {style, "detuned" if cents else "in tune"}
    return _song(f"key {index}", rng, stage, times, groove, bars, key, cents, tags)


FORMS = ("AABA", "ABABCB", "ABCBCDCE", "ABAC", "ABCDE", "A", "ABCABDA", "AABB")
TEXTURES = (
    (0.7, 0, {"lead", "pad"}, ("kick", "hat", "rim", "shaker", "ride", "open")),
    (1.0, 3, set[str](), ()),
    (0.6, 0, {"drums"}, ()),
    (0.9, 5, {"lead"}, ()),
    (0.85, -3, {"comp", "pad"}, ()),
    (0.95, 7, {"pad"}, ("kick", "snare", "ride", "open")),
)
"""Loudness, how much higher the chords lie, who is silent, and which drums play; () is all."""


def form_song(seed: int) -> Song:
    """A song of form seed % 8, 100 to 210 s long; every fourth has silence before some of its sections."""
    rng = np.random.default_rng((3, seed))
    form, gaps = FORMS[seed % len(FORMS)], seed // 2 % 4 == 3
    length = rng.uniform(max(12, 105 / len(form)), min(30, 205 / len(form))) if len(form) > 1 else 110.0
    sizes = [bars for bars in (8, 12, 16, 48) if 75 < bars * 240 / length < 155]
    size = int(rng.choice(sizes))
    bpm = size * 240 / length
    key = int(rng.integers(12)), str(rng.choice(("major", "minor")))
    labels = sorted(set(form))
    short = str(rng.choice(labels[1:])) if size % 8 == 0 and len(form) > 4 and length > 22 else ""
    grooves = [g for kind in ("straight", "syncopated") for g in GROOVES[kind] if g.slowest <= bpm <= g.fastest]
    order = [rng.permutation(len(pool)) for pool in (TEXTURES, PROGRESSIONS[key[1]], grooves)]
    home, other = a_band(rng), a_band(rng)
    stretches: list[tuple[str, int, list[Bar]]] = []
    bars: list[Bar] = []
    for place, label in enumerate(form):
        progression = PROGRESSIONS[key[1]][order[1][labels.index(label)]]
        stretches.append((label, len(bars), bars_of(progression, size // 2 if label == short else size, 4)))
        bars += stretches[-1][2]
        if gaps and place + 1 < len(form) and rng.random() < 0.5:
            bars.append([(0.0, 0, "N")])
    bars += bars_of("I" if key[1] == "major" else "i", 1, 4)
    times = _beat_times(rng, bpm, 4 * (len(bars) - 1))
    stage = Stage(rng, times)
    for label, start, part in stretches:
        index = labels.index(label)
        gain, higher, silent, drums = TEXTURES[order[0][index]] if len(form) > 1 else TEXTURES[1]
        groove = grooves[order[2][index // 2 % len(grooves)]]  # some parts differ in groove, too
        if drums:
            groove = replace(groove, drums={drum: p for drum, p in groove.drums.items() if drum in drums})
        band = replace(other if index % 3 == 2 else home, lead=home.lead, kit=home.kit, bass=home.bass)
        band = replace(band, silent=(band.silent | silent), register=band.register + higher)
        perform(stage, rng, band, groove, part, key, first_beat=4 * start, gain=gain)
    _last(stage, home, grooves[0], key, 4 * (len(bars) - 1))
    silent_bars = frozenset(number for number, bar in enumerate(bars) if bar[0][2] == "N")
    starts = tuple((start, label) for label, start, _ in stretches)
    tags = {form, "gaps" if silent_bars else "no gaps"}
    return _song(f"form {seed}", rng, stage, times, grooves[0], bars, key, 0.0, tags, silent=silent_bars, starts=starts)
