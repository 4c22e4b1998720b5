"""How the first style of songs is played: grooves, chords from Roman numerals, and a band."""

from __future__ import annotations

from dataclasses import dataclass

import song_sounds as sounds
from song_sounds import Array, Instrument, Rng, Stage

# Grooves: a bar in steps; X loud, x soft, o a ghost. Bass: R root, 5 fifth, W walks. Comping: A arpeggio. ------------


@dataclass(frozen=True)
class Groove:
    drums: dict[str, str]
    bass: str
    comp: str
    slowest: float = 50
    fastest: float = 200
    swing: float = 0.5
    """Where the second half of a beat falls."""
    beats: int = 4


def _g(bass: str, comp: str, slowest: float = 50, fastest: float = 200,
           swing: float = 0.5, beats: int = 4, **drums: str) -> Groove:  # fmt: skip
    return Groove(drums, bass, comp, slowest, fastest, swing, beats)


_BACK, _EIGHTHS, _SIXTEENTHS = "....X.......X...", "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo"
GROOVES: dict[str, list[Groove]] = {
    "straight": [
        _g("R.......R.......", "X.......x.......", 50, 95, kick="X.......X.x.....", snare=_BACK, hat=_EIGHTHS),
        _g("R.....R.R.....5.", "A.A.A.A.A.A.A.A.", 50, 95, kick="X.....x.X.......", snare=_BACK, hat=_SIXTEENTHS),
        _g("R.R.R.R.R.R.R.R.", "X.......X...x...", 90, 145, kick="X.....x.X.......", snare=_BACK, hat=_EIGHTHS),
        _g("R...R...R...R...", "X...x...X...x...", 105, 145,
           kick="X...X...X...X...", snare=_BACK, open="..x...x...x...x."),
        _g("R.R.R.R.R.R.R.R.", "X...X...X...X...", 140, 200,
           kick="X.......X.......", snare=_BACK, hat="X.x.X.x.X.x.X.x."),
        _g("R...5...R...5...", "....X.......X...", 140, 200,
           kick="X.......X.......", snare="o...X...o...X...", hat="x...x...x...x..."),
        _g("R.......R.......", "X...............", 160, 200, kick="X.........x.....", snare=_BACK, hat=_EIGHTHS),
        _g("R...R...R...R...", "X.x.X.x.X.x.X.x.", 150, 200,
           kick="X...X...X...X...", snare="..x...x...x...x.", ride="X...x...X...x..."),
    ],
    "swung": [
        _g("R.....R.R.....5.", "X.....x.X.......", 50, 100, 0.64, kick="X.....x.X.......", snare=_BACK, hat=_EIGHTHS),
        _g("R.......R.....R.", "X...............", 70, 100, 0.58,
           kick="X.....x...x.....", snare=_BACK, hat=_SIXTEENTHS),
        _g("R...W...5...W...", "X.....x.....x...", 95, 150, 0.66,
           kick="X.......X.......", snare=_BACK, ride="X...X.x.X...X.x."),
        _g("R...W...W...W...", "X.....X.........", 140, 200, 0.65,
           kick="o...o...o...o...", hat=_BACK, ride="X...X.x.X...X.x."),
        _g("R.R.5.5.R.R.5.5.", "X.......X.......", 100, 170, 0.66, kick="X...X...X...X...", snare=_BACK, hat=_EIGHTHS),
    ],
    "syncopated": [
        _g("R..R..R...R.....", "X..x..X...x.x...", 50, 115,
           kick="X..x..x...x.....", snare="....X..o.o..X..o", hat=_SIXTEENTHS),
        _g("R.....5.R.....5.", "X.x..x.X.x..x...", 70, 130,
           kick="X.....x.X.....x.", rim="X..x..x...x.x...", shaker=_SIXTEENTHS),
        _g("R..R..R.R..R..R.", "..X...X...X...X.", 90, 145,
           kick="X...X...X...X...", snare="...x..x....x..x.", hat=_EIGHTHS),
        _g("R..R..R.....R...", "X..X..X.........", 110, 170, kick="X.......X.......", snare=_BACK, hat=_EIGHTHS),
        _g("R.R...R.R.....R.", "X.....X...X.....", 140, 200,
           kick="X.....x.X.......", snare=_BACK, ride="X.x.X.x.X.x.X.x."),
    ],
    "sparse": [
        _g("R.......5.......", "....X.......x...", 50, 130, kick="X.......x.......", rim=_BACK),
        _g("R...............", "X...............", 50, 110, shaker="X...x...X...x...", kick="X.......x......."),
        _g("R...R...R...R...", "................", 120, 200, kick="X...............", rim=_BACK),
        _g("R.......R.......", "X...............", 130, 200, hat="x...X...x...X...", kick="X.......X......."),
    ],
    "drumless": [
        _g("R.......5.......", "....X.......X...", 70, 200),
        _g("R...............", "A.A.A.A.A.A.A.A.", 65, 140),
        _g("R...R...R...R...", "X...x...x...x...", 50, 150),
        _g("R...W...5...W...", "X.......x...x...", 110, 200, 0.6),
        _g("R.......R.......", "X...x...X...x...", 130, 200),
        _g("R.......5.......", "A.AAA.A.A.AAA.A.", 50, 90),
    ],
    "3/4": [
        _g("R...........", "....X...X...", 80, 200, beats=3,
           kick="X...........", snare="....x...x...", hat="x...x...x..."),
        _g("R...........", "X.......x...", 50, 110, beats=3,
           kick="X...........", rim="....X...X...", hat="x.x.x.x.x.x."),
        _g("R...W...5...", "X.....x.....", 110, 200, 0.65, beats=3,
           kick="X...........", hat="....x...x...", ride="X...X.x.X..."),
        _g("R...........", "....X...x...", 80, 200, beats=3),
        _g("R...........", "A.A.A.A.A.A.", 50, 130, beats=3),
    ],
    "6/8": [
        _g("R.....", "X.....", 50, 90, beats=2, kick="X....x", snare="...X..", hat="xxxxxx"),
        _g("R..5..", "X.xX.x", 80, 140, beats=2, kick="X..X..", snare="..x..x", shaker="XxxXxx"),
        _g("R..5..", "AAAAAA", 50, 110, beats=2),
        _g("R..R..", "X.xX.x", 80, 140, beats=2, kick="X.....", snare="...X..", ride="x.xx.x"),
    ],
}  # fmt: skip

_LOUD = {"X": 1.0, "x": 0.65, "o": 0.3, "R": 1.0, "5": 0.85, "W": 0.8, "A": 1.1}
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
Bar = list[tuple[float, int, str]]
"""The chords of a bar: beat within it, root above the tonic in semitones, and maj, min, 7, maj7 or min7."""


def bars_of(progression: str, count: int, beats: int) -> list[Bar]:
    """Roman numerals over and over, one a bar; "a,b" shares a bar."""
    bars: list[Bar] = []
    for number in range(count):
        numerals = progression.split()[number % len(progression.split())].split(",")
        bar = []
        for index, numeral in enumerate(numerals):
            degree = numeral.lstrip("b").replace("maj", "").rstrip("7")
            quality = "min" if degree.islower() else "maj"
            if numeral.endswith("7"):
                quality = "maj7" if "maj" in numeral else "min7" if degree.islower() else "7"
            root = (_DEGREES[degree.lower()] - numeral.startswith("b")) % 12
            bar.append((index * beats / len(numerals), root, quality))
        bars.append(bar)
    return bars


def _chord_at(bar: Bar, beat: float) -> tuple[int, list[int]]:
    """The root above the tonic, and the chord's intervals above the root."""
    _, root, quality = [chord for chord in bar if chord[0] <= beat + 0.01][-1]
    seventh = {"maj7": [11], "min7": [10], "7": [10]}.get(quality, [])
    return root, [0, 3 if quality.startswith("min") else 4, 7, *seventh]


def _marks(pattern: str, groove: Groove) -> list[tuple[float, float, str]]:
    """(beat, beats until the next, mark) of each mark of a bar."""
    marked = [step for step, mark in enumerate(pattern) if mark != "."]
    per_beat = len(pattern) / groove.beats
    marks = []
    for step, following in zip(marked, [*marked, len(pattern)][1:], strict=True):
        beat, part = divmod(step / per_beat, 1)
        if groove.swing != 0.5:
            part = part * 2 * groove.swing if part < 0.5 else groove.swing + (part - 0.5) * 2 * (1 - groove.swing)
        marks.append((beat + part, (following - step) / per_beat, pattern[step]))
    return marks


@dataclass(frozen=True)
class Band:
    """Who plays, and how loud."""

    kit: dict[str, Array]
    bass: Instrument
    comp: Instrument
    lead: Instrument
    pad: Instrument | None
    levels: tuple[float, float, float]
    """Of drums, comping and lead."""
    register: int
    """The lowest note of the comping."""
    silent: frozenset[str] = frozenset()
    """Of drums, bass, comp, pad, lead."""
    power: bool = False
    """Whether the comping leaves the third to the pad."""


def a_band(rng: Rng, comping: tuple[str, ...] = ("organ", "strings", "pluck", "epiano", "piano", "guitar")) -> Band:
    name = str(rng.choice(comping))
    comp, pad = sounds.COMPING[name](rng), sounds.strings(rng)
    levels = tuple(rng.uniform((0.6, 0.4, 0.35), (1.1, 0.6, 0.6)))
    silent = frozenset() if name == "guitar" or rng.random() < 0.3 else frozenset({"pad"})
    register = int(rng.integers(50, 60)) - 10 * (name == "guitar")
    return Band(
        sounds.kit(rng), sounds.bass(rng), comp, sounds.lead(rng), pad, levels, register, silent, name == "guitar"
    )


def perform(stage: Stage, rng: Rng, band: Band, groove: Groove, bars: list[Bar], key: tuple[int, str], *,
          first_beat: int = 0, cents: float = 0.0, gain: float = 1.0, rests: frozenset[int] = frozenset()) -> None:  # fmt: skip  # noqa: E501
    """Play bars of a groove; all that is human comes from `rng`."""
    tonic = key[0]
    for number, bar in enumerate(bars):
        at = first_beat + number * groove.beats
        if number in rests:
            continue
        if "drums" not in band.silent and groove.drums:
            _drum(stage, rng, band, groove, at, number, gain)
        if "bass" not in band.silent:
            marks = _marks(groove.bass, groove)
            for start, _, _ in bar:  # a new chord is heard in the bass
                marks = [m for m in marks if abs(m[0] - start) > 0.3] + [(start, 1.0, "R")] if start else marks
            for beat, beats, mark in marks:
                root, intervals = _chord_at(bar, beat)
                low = (tonic + root - 28) % 12 + 28
                midi = low + (0 if mark == "R" else 7 if mark == "5" else int(rng.choice(intervals)))
                stage.note(band.bass, midi + cents / 100, at + beat, 0.9 * beats, gain * _LOUD[mark])
        if "comp" not in band.silent:
            marks = _marks(groove.comp, groove)
            missed = [start for start, _, _ in bar if marks and all(abs(m[0] - start) > 0.3 for m in marks)]
            marks += [(start, 1.0, "X") for start in missed if start]
            for step, (beat, beats, mark) in enumerate(marks):
                root, intervals = _chord_at(bar, beat)
                chosen = [0, 7] if band.power else intervals
                notes = sorted((tonic + root + i - band.register) % 12 + band.register for i in chosen)
                if mark == "A":
                    notes = [*notes, notes[0] + 12]
                    notes = [notes[(0, 1, 2, 3, 2, 1)[step % 6] % len(notes)]]
                change = min([start for start, _, _ in bar if start > beat + 0.01], default=groove.beats) + 0.1
                for note in notes:
                    loud = gain * band.levels[1] * _LOUD[mark]
                    stage.note(
                        band.comp,
                        note + cents / 100,
                        at + beat,
                        min(beats + 0.5 * (mark == "A"), change - beat),
                        loud,
                        0.4,
                    )
        if "pad" not in band.silent and band.pad:
            for start, following in zip(bar, [*bar[1:], (groove.beats, 0, "")], strict=True):
                root, intervals = _chord_at(bar, start[0])
                for i in intervals:
                    note, length = (tonic + root + i - 58) % 12 + 58, following[0] - start[0]
                    stage.note(band.pad, note + cents / 100, at + start[0], length, 0.25 * gain, -0.4)
    if "lead" not in band.silent:
        _sing(stage, rng, band, groove, bars, key, first_beat, cents, gain, rests)


def _drum(stage: Stage, rng: Rng, band: Band, groove: Groove, at: float, number: int, gain: float) -> None:
    loud = gain * band.levels[0]
    fill = number % 8 == 7 or (number % 4 == 3 and rng.random() < 0.3)
    for drum, pattern in groove.drums.items():
        for beat, _, mark in _marks(pattern, groove):
            if not (fill and drum in ("snare", "rim") and beat >= groove.beats - 1):
                stage.put(band.kit[drum], at + beat, loud * _LOUD[mark])
    if fill:
        division = 3 if groove.beats == 2 else 4
        for step in range(division):
            drum = str(rng.choice(["snare", "tom"]))
            stage.put(band.kit[drum], at + groove.beats - 1 + step / division, loud * rng.uniform(0.5, 0.9))
    if number % 8 == 0:
        stage.put(band.kit["crash"], at, loud)


def _sing(stage: Stage, rng: Rng, band: Band, groove: Groove, bars: list[Bar], key: tuple[int, str],
          first_beat: int, cents: float, gain: float, rests: frozenset[int]) -> None:  # fmt: skip
    """Chord notes on the beat, steps of the scale between; two bars of rhythm that come back."""
    tonic, mode = key
    scale = (0, 2, 4, 5, 7, 9, 11) if mode == "major" else (0, 2, 3, 5, 7, 8, 10)
    cells = [(0.0,), (0.0,), (0.0, groove.swing), (groove.swing,), ()]
    if groove.beats == 2:
        cells = [(0.0,), (0.0, 1 / 3, 2 / 3), (0.0, 2 / 3), ()]
    rhythm = [(0.0,), *(cells[rng.integers(len(cells))] for _ in range(2 * groove.beats - 1))]
    onsets = [beat + part for beat in range(len(bars) * groove.beats) for part in rhythm[beat % len(rhythm)]]
    onsets = [o for o in onsets if o // groove.beats not in rests and o % (4 * groove.beats) < 3.5 * groove.beats]
    low, pitch = band.register + 14, band.register + 20
    for onset, following in zip(onsets, [*onsets[1:], len(bars) * groove.beats], strict=True):
        root, intervals = _chord_at(bars[int(onset // groove.beats)], onset % groove.beats)
        tones = {(root + i) % 12 for i in intervals}
        passing = {p for p in scale if all((p - tone) % 12 not in (1, 11) for tone in tones)}
        allowed = tones if onset % 1 == 0 else tones | passing
        near = [p for p in range(low, low + 17) if (p - tonic) % 12 in allowed and 0 < abs(p - pitch) < 6]
        pitch = int(rng.choice(near)) if near else pitch
        length = 0.9 * min(following - onset, 2.0)
        stage.note(band.lead, pitch + cents / 100, first_beat + onset, length, gain * band.levels[2], -0.15)
