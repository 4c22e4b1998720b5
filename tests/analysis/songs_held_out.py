"""Songs of a second style, on which nothing may be tuned: other genres, rules, sounds and mixing than in `songs`.

Patterns are counted as musicians count them: "2&" is half a beat after the second beat, e and a are its sixteenths, t and
l its triplets; "!" is an accent, ":5" plays that degree's note. "4ths", "8ths", "16ths", "trips" are all of that kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from held_out_sounds import RATE, Array, Palette, Rng, drum_set, master
from songs import Song

_PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LETTERS = {"": 0.0, "e": 0.25, "&": 0.5, "a": 0.75, "t": 1 / 3, "l": 2 / 3}
_ALL = {"4ths": ("",), "8ths": ("", "&"), "16ths": ("", "e", "&", "a"), "trips": ("", "t", "l")}


@dataclass(frozen=True)
class Genre:
    tempo: tuple[float, float]
    drums: str
    """Like "kick 1 3 | snare 2 4"; empty without drums."""
    bass: str
    chords: str
    voices: str
    """Bass, chords and lead; "-" is none."""
    beats: int = 4
    meter: str = "4/4"
    swing: float = 0.5
    """Where "&" falls; e and a follow."""
    kit: str = "acoustic"
    bars_per_chord: int = 1
    arpeggio: bool = False
    pumping: bool = False


GENRES = {
    "reggae": Genre((66, 92), "kick 2! 4! | rim 2 4 | hat 8ths", "1 1& 2&:5 3 4", "1& 2& 3& 4&", "sub organ brass",
                     swing=0.54),
    "disco": Genre((108, 128), "kick 4ths | snare 2! 4! | open 1& 2& 3& 4& | hat 16ths",
                   "1 1&:8 2 2&:8 3 3&:8 4 4&:8", "1 2e 3& 4&", "reese brass -"),
    "bossa": Genre((118, 148), "rim 1 2& 4 | kick 1 2& 3 4& | shaker 8ths", "1 2&:5 3:5 4&", "1 2 3& 4&",
                   "upright guitar flute", kit="brushes"),
    "viennese waltz": Genre((150, 195), "kick 1 | snare 2 3", "1", "2 3", "upright brass flute", 3, "3/4", kit="brushes"),
    "folk waltz": Genre((84, 130), "", "1", "1 1& 2 2& 3 3&", "upright guitar flute", 3, "3/4", arpeggio=True),
    "techno": Genre((122, 150), "kick 4ths | open 1& 2& 3& 4& | clap 2 4 | shaker 16ths",
                    "1& 1a 2& 2a 3& 3a 4& 4a", "1a 2& 4", "reese synth -", kit="machine", bars_per_chord=2, pumping=True),
    "hip-hop": Genre((78, 100), "kick 1! 1a 3& | snare 2! 4! | hat 8ths", "1 1a 3& 4", "1 3&", "sub keys flute",
                     swing=0.57, kit="machine"),
    "funk": Genre((94, 118), "kick 1! 1& 3e 4a | snare 2! 4! | hat 16ths", "1! 1a:8 2& 3e 3& 4:5 4a", "1& 2e 3& 4",
                  "reese guitar brass"),
    "train beat": Genre((96, 122), "kick 4ths | snare 16ths 1&! 2&! 3&! 4&!", "1 2:5 3 4:5", "1& 2& 3& 4&",
                        "upright banjo flute", kit="brushes"),
    "hymn": Genre((60, 92), "", "4ths", "4ths", "choir choir -"),
    "guitar arpeggio": Genre((62, 112), "", "1 3", "8ths", "guitar guitar -", arpeggio=True),
    "drum loop": Genre((84, 172), "kick 1! 2& 3 | snare 2! 4! 4a | hat 8ths | conga 1a 3&", "", "", "- - -"),
    "hardcore": Genre((165, 200), "kick 1 3 3& | snare 2! 4! | crash 4ths", "8ths", "8ths", "reese synth -"),
    "swing": Genre((125, 200), "ride 1 2! 2& 3 4! 4& | hat 2 4 | kick 1 3", "1 2:3 3:5 4:6", "1 2&",
                   "upright keys brass", swing=0.66, kit="brushes"),
    "jungle": Genre((162, 180), "kick 1! 1& 3& | snare 2! 2a 4! | ride 8ths | hat 16ths", "1 3&", "1", "sub synth -",
                    kit="machine", bars_per_chord=2),
    "slow six": Genre((50, 70), "kick 1! 2l | snare 2! | hat trips", "1 1l 2:5", "trips", "upright keys flute", 2, "6/8"),
    "jig": Genre((96, 126), "kick 1 2 | conga trips", "1 2:5", "1 1l 2 2l", "upright banjo flute", 2, "6/8"),
    "soul ballad": Genre((56, 80), "kick 1! 2& 3 | snare 2! 4! | hat 16ths", "1 2& 3 4&:5", "4ths", "upright keys brass"),
    "march": Genre((104, 126), "kick 1! 2 | snare 1& 2& 2a | crash 1", "1 2:5", "1& 2&", "brass brass flute", 2, "2/4"),
    "chip tune": Genre((130, 176), "kick 1 3 | snare 2! 4! | hat 8ths", "8ths", "16ths", "square square square",
                       kit="machine", arpeggio=True),
    "afrobeat": Genre((104, 126), "kick 1 2& 3 4& | bell 1 1& 2& 3 3a 4& | conga 16ths | snare 2a 4", "1 1& 2& 4",
                      "2 2& 4", "upright organ brass", bars_per_chord=2),
    "marimba minimal": Genre((112, 160), "shaker 4ths", "1 3:5", "8ths", "upright marimba -", arpeggio=True,
                             bars_per_chord=2),
    "stomp": Genre((92, 138), "kick 1! 2 3! 4 | clap 2! 4!", "1 3", "", "upright - choir"),
    "brass chorale": Genre((72, 104), "", "4ths", "4ths", "brass brass flute", 3, "3/4"),
}  # fmt: skip

_TURNS = {
    "major": ("1 5 6m 3m 4 1 4 5", "1 6m 2m 5", "1 4 1 5 1 4 5 1", "1 1 4 4m 1 6m 2m 57", "2m 57 1 6m",
              "17 17 47 17 57 47 17 17", "1 3m 4 5", "1 2m 3m 4"),
    "minor": ("1m 4m 5 1m", "1m b7 b6 5", "1m 4m b7 b3 b6 4m 57 1m", "1m b6 4m 5", "1m 5m b6 b7", "1m b3 b7 4m",
              "1m 1m 4m 1m b6 57 1m 1m"),
}  # fmt: skip
_KEY_TURNS = {
    "major": (
        "1 4 5 1 6m 2m 57 1",
        "1 5 6m 3m 4 1 57 1",
        "1 6m 4 5 1 3m 4 5",
        "1 17 4 4m 1 67 27 57",
        "1 4 1 5 1 4 57 1",
    ),
    "minor": ("1m 4m 57 1m b6 4m 5 1m", "1m b7 b6 5 1m 4m 5 1m", "1m 5 1m 4m b6 b3 57 1m", "1m 4m b7 b3 b6 4m 57 1m"),
}
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
Chord = tuple[int, str]
"""Semitones of the root above the tonic; "maj", "min" or "7"."""


def _turn(text: str) -> list[Chord]:
    chords = []
    for word in text.split():
        degree = int(word.lstrip("b")[0])
        quality = "min" if word.endswith("m") else "7" if word.endswith("7") and len(word.lstrip("b")) > 1 else "maj"
        chords.append(((_MAJOR[degree - 1] - word.startswith("b")) % 12, quality))
    return chords


def _tones(chord: Chord) -> list[int]:
    root, quality = chord
    return [root, root + (3 if quality == "min" else 4), root + 7, *([root + 10] if quality == "7" else [])]


def _counted(text: str, genre: Genre) -> list[tuple[float, float, int]]:
    """(beat from 0, loudness, degree) of what is counted."""
    words = []
    for word in text.split():
        words += [f"{beat}{letter}" for beat in range(1, genre.beats + 1) for letter in _ALL[word]] if word in _ALL else [word]  # fmt: skip  # noqa: E501
    counted = []
    for word in words:
        place, _, degree = word.partition(":")
        letter = place.rstrip("!").lstrip("12345678")
        part = _LETTERS[letter]
        if letter in ("e", "&", "a"):
            part = 2 * part * genre.swing if part <= 0.5 else genre.swing + (1 - genre.swing) / 2
        loud = 1.0 if "!" in place else 0.85 if not letter else 0.6
        counted.append((int(place[0]) - 1 + part, loud, int(degree or 1)))
    return counted


class _Piece:
    """A recording in the making: a clock of beats, a palette, and a tape of two tracks."""

    def __init__(self, rng: Rng, clock: Array, kit: str, key: tuple[int, str], cents: float = 0.0) -> None:
        self.rng, self.clock, self.key, self.cents = rng, clock, key, cents
        self.palette, self.drums = Palette(rng), drum_set(rng, kit)
        self.tape = np.zeros((2, round((clock[-1] + 3.0) * RATE)), np.float32)
        self.kicks: list[float] = []
        self._push = rng.normal(0, 0.004, 3)  # the habit of drummer, bass and chords to be early or late
        self._haas = {name: int(rng.integers(-25, 26)) for name in ("chords", "lead")}
        self._mix = dict(zip(("drums", "bass", "chords", "lead"), rng.uniform((0.7, 0.8, 0.35, 0.35), (1.2, 1.2, 0.6, 0.6)), strict=True))  # fmt: skip  # noqa: E501

    def second(self, beat: float) -> float:
        whole = min(int(beat), len(self.clock) - 2)
        return float(self.clock[whole] + (beat - whole) * (self.clock[whole + 1] - self.clock[whole]))

    def _record(self, sound: Array, second: float, loud: float, shift: int = 0) -> None:
        for channel in (0, 1):
            start = max(0, round(second * RATE) + (shift if channel else 0))
            part = sound[: max(0, self.tape.shape[1] - start)]
            self.tape[channel, start : start + len(part)] += np.float32(loud) * part

    def drum(self, name: str, beat: float, loud: float) -> None:
        second = self.second(beat) + self._push[0] + self.rng.uniform(-0.003, 0.003)
        if name == "kick":
            self.kicks.append(second)
        self._record(self.drums[name], second, loud * self._mix["drums"] * self.rng.uniform(0.8, 1.1))

    def tone(self, part: str, voice: str, midi: int, beat: float, beats: float, loud: float) -> None:
        habit = {"bass": self._push[1], "chords": self._push[2]}.get(part, 0.0)
        start, end = self.second(beat), self.second(beat + beats)
        sound = self.palette.note(voice, midi + self.cents / 100, end - start)
        second = start + habit + self.rng.uniform(-0.006, 0.006)
        self._record(sound, second, loud * self._mix[part] * self.rng.uniform(0.8, 1.1), self._haas.get(part, 0))

    def bar(self, genre: Genre, at: int, chord: Chord, *, parts: frozenset[str], loud: float = 1.0, busy: float = 1.0,
            higher: int = 0, last: bool = False) -> None:  # fmt: skip
        """One bar from beat `at`; `busy` below 1 leaves out what is not accented now and then; `last` turns around."""
        tonic = self.key[0]
        bass, chords, _ = genre.voices.split()
        for drum in genre.drums.split(" | ") if genre.drums and "drums" in parts else []:
            name, _, count = drum.partition(" ")
            for beat, velocity, _ in _counted(count, genre):
                if velocity > 0.8 or self.rng.random() < busy:
                    self.drum(name, at + beat, loud * velocity)
        if last and "drums" in parts and genre.drums:
            for sixth in range(0, 6, int(self.rng.integers(1, 3))):
                self.drum("tom", at + genre.beats - 1 + sixth / 6, 0.7 * loud)
        if bass != "-" and "bass" in parts:
            counted = _counted(genre.bass, genre)
            for (beat, velocity, degree), following in zip(counted, [*counted[1:], (genre.beats, 0, 0)], strict=True):
                third = _tones(chord)[1] - chord[0]
                midi = 31 + (tonic + chord[0] - 31) % 12 + {1: 0, 3: third, 5: -5, 6: 9, 8: 12}[degree]
                self.tone("bass", bass, midi, at + beat, 0.95 * (following[0] - beat), loud * velocity)
        if chords != "-" and "chords" in parts:
            counted = _counted(genre.chords, genre)
            spread = [48 + (tonic + tone - 48) % 12 for tone in _tones(chord)]
            spread = sorted(spread[:1] + [n + 12 if n < 54 else n for n in spread[1:]])
            for number, ((beat, velocity, _), following) in enumerate(zip(counted, [*counted[1:], (genre.beats, 0, 0)], strict=True)):  # fmt: skip  # noqa: E501
                ladder = spread + [note + 12 for note in spread]
                notes = [ladder[(0, 2, 1, 3, 2, 4, 3, 1)[number % 8]]] if genre.arpeggio else spread
                for note in notes:
                    length = (following[0] - beat) * (1.6 if genre.arpeggio else 0.92)
                    self.tone("chords", chords, note + higher, at + beat, length, loud * velocity * (1.5 if genre.arpeggio else 1))  # fmt: skip  # noqa: E501

    def tune(self, genre: Genre, at: int, chords: list[Chord], loud: float = 1.0, higher: int = 0) -> None:
        """A line in arches of two bars, breathing at the end of each; chord notes where they count."""
        voice, beats = genre.voices.split()[2], genre.beats
        if voice == "-":
            return
        tonic, mode = self.key
        scale = _MAJOR if mode == "major" else (0, 2, 3, 5, 7, 8, 10)
        choice = ("1 2 3", "1 1& 2", "1 2& 3", "2 2& 3 4") if beats == 4 else ("1 2 3", "1 1& 2", "1 3") if beats == 3 else ("1 1l 2", "1 2", "trips")  # fmt: skip  # noqa: E501
        if genre.meter == "2/4":
            choice = ("1 1& 2", "1 2", "1 2 2&")
        motif = [str(self.rng.choice(choice)) for _ in range(2)]
        for pair in range(0, len(chords), 2):
            top, bottom = self.rng.uniform(8, 14), self.rng.uniform(-2, 3)
            events = []
            for half, chord in enumerate(chords[pair : pair + 2]):
                counted = [c for c in _counted(motif[half], genre) if c[0] < beats]
                events += [((pair + half) * beats + beat, chord) for beat, _, _ in (counted[:2] if half else counted)]
            for number, (beat, chord) in enumerate(events):
                aim = bottom + (top - bottom) * np.sin(np.pi * (number + 0.5) / len(events)) + self.rng.uniform(-2, 2)
                tones = {tone % 12 for tone in _tones(chord)}
                pool = tones if beat % 1 == 0 else tones | set(scale) - {(t + s) % 12 for t in tones for s in (1, 11)}
                pitch = min((p for p in range(-6, 20) if p % 12 in pool), key=lambda p, aim=aim: abs(p - aim))
                length = (events[number + 1][0] if number + 1 < len(events) else beat + 1.5) - beat
                self.tone(
                    "lead",
                    voice,
                    62 + (tonic - 62) % 12 + pitch + higher,
                    at + beat,
                    min(2, 0.9 * length),
                    loud,
                )

    def song(self, name: str, genre: Genre, changes: list[tuple[int, Chord | None]], tags: set[str],
             starts: list[tuple[int, str]] | None = None) -> Song:  # fmt: skip
        """Master the tape; `changes` are (beat, chord or None for silence), `starts` (beat, label) of sections."""
        samples = master(self.rng, self.tape, self.kicks if genre.pumping else [], room=self.rng.random() < 0.7)
        end, chords, sections = samples.shape[1] / RATE, [(0.0, "N")], []
        for beat, chord in changes:
            label = "N" if chord is None else f"{_PITCHES[(self.key[0] + chord[0]) % 12]}:{chord[1]}"
            if label != chords[-1][1]:
                chords.append((self.second(beat), label))
        if starts:
            borders = [0.0, *(self.second(beat) for beat, _ in starts[1:]), end]
            sections = [(a, b, label) for a, b, (_, label) in zip(borders, borders[1:], starts, strict=False)]
        spans = [(a, b, label) for (a, label), (b, _) in zip(chords, [*chords[1:], (end, "")], strict=True)]
        key = f"{_PITCHES[self.key[0]]} {self.key[1]}" if genre.bass else None
        return Song(name, samples, float(60 / np.diff(self.clock).mean()), self.clock, self.clock[:: genre.beats],
                    genre.meter, spans, key, sections, self.cents, frozenset(tags))  # fmt: skip


def _clock(rng: Rng, bpm: float, beats: int, wander: float = 0.0) -> Array:
    """Beats of a tempo, or of one that goes up to `wander` either way, point by point."""
    points = rng.uniform(-wander, wander, 3 + beats // 24)
    tempo = bpm * (1 + np.interp(np.arange(beats), np.linspace(0, beats, len(points)), points))
    return np.concatenate([[0], np.cumsum(60 / tempo)]) + rng.uniform(0, 1.5)


_EVERYBODY = frozenset({"drums", "bass", "chords"})


def _finish(piece: _Piece, genre: Genre, beat: int) -> tuple[int, Chord | None]:
    """Play the tonic chord to end with, and return the change of chords that it is."""
    home: Chord = (0, "maj" if piece.key[1] == "major" else "min")
    for drum in ("kick", "crash") if genre.drums else ():
        piece.drum(drum, beat, 1.0)
    bass, chords, _ = genre.voices.split()
    if bass != "-":
        piece.tone("bass", bass, 31 + (piece.key[0] - 31) % 12, beat, 3, 0.9)
    for tone in _tones(home) if chords != "-" else ():
        piece.tone("chords", chords, 48 + (piece.key[0] + tone) % 12, beat, 3, 0.9)
    return beat, None if bass == "-" else home


def _chords(turn: str, bars: int, bars_per_chord: int = 1) -> list[Chord]:
    chords = _turn(turn)
    return [chords[bar // bars_per_chord % len(chords)] for bar in range(bars)]


def tempo_song(index: int, seconds: float = 60.0) -> Song:
    """A song of genre index % 24; every fifth wanders by up to 5 %, every sixth is played sparsely and with rests."""
    rng = np.random.default_rng([77, index])
    name = list(GENRES)[index * 7 % len(GENRES)]
    genre = GENRES[name]
    tags, sparse = {name}, index % 6 == 4 and genre.bass
    bpm = rng.uniform(*genre.tempo)
    bars = max(4, round(seconds * bpm / 60 / genre.beats))
    wandering = index % 5 == 2
    clock = _clock(rng, bpm, bars * genre.beats, 0.05 if wandering else 0.0)
    mode = str(rng.choice(["major", "minor"]))
    piece = _Piece(rng, clock, genre.kit, (int(rng.integers(12)), mode))
    chords = _chords(str(rng.choice(_TURNS[mode])), bars, genre.bars_per_chord)
    changes: list[tuple[int, Chord | None]] = []
    for bar, chord in enumerate(chords):
        resting = sparse and bar % 8 == 6
        changes.append((bar * genre.beats, None if resting or not genre.bass else chord))
        if not resting:
            parts = _EVERYBODY - {"drums"} if bar < 4 and index % 4 == 1 and genre.bass else _EVERYBODY
            busy = 0.5 if sparse else 1.0
            piece.bar(genre, bar * genre.beats, chord, parts=parts, busy=busy, last=bar % 8 == 7 and not sparse)
    if not sparse:
        piece.tune(genre, 0, chords)
    changes.append(_finish(piece, genre, bars * genre.beats))
    tags |= {tag for tag, given in (("drift", wandering), ("sparse", sparse), ("drumless", not genre.drums)) if given}
    return piece.song(f"held-out tempo {index}", genre, changes, tags)


def tempo_songs(count: int, first_seed: int = 0, seconds: float = 60.0) -> Iterator[Song]:
    return (tempo_song(index, seconds) for index in range(first_seed, first_seed + count))


_KEY_STYLES = {
    "gospel": (("soul ballad", "upright organ choir"), ("hymn", "organ choir -")),
    "synth": (("disco", "reese synth square"), ("chip tune", "square square flute")),
    "folk": (("guitar arpeggio", "guitar guitar flute"), ("train beat", "upright banjo flute"),
             ("folk waltz", "upright guitar flute")),
    "band": (("swing", "upright keys brass"), ("reggae", "sub organ brass"), ("brass chorale", "brass brass flute")),
}  # fmt: skip


def key_song(index: int, seconds: float = 45.0) -> Song:
    """A song in one of 24 keys; 96 in a row are every key in every style; every third is out of tune."""
    rng = np.random.default_rng([78, index])
    key = 5 * index % 12, ("major", "minor")[(index + index // 12) % 2]
    style = list(_KEY_STYLES)[(index + index // 24) % 4]
    name, voices = _KEY_STYLES[style][rng.integers(len(_KEY_STYLES[style]))]
    genre = replace(GENRES[name], voices=voices)
    bpm = rng.uniform(*genre.tempo)
    bars = max(8, 8 * round(seconds * bpm / 60 / genre.beats / 8))
    cents = float(rng.uniform(-40, 40)) if index % 3 == 1 else 0.0
    piece = _Piece(rng, _clock(rng, bpm, bars * genre.beats), genre.kit, key, cents)
    chords = _chords(str(rng.choice(_KEY_TURNS[key[1]])), bars)
    for bar, chord in enumerate(chords):
        piece.bar(genre, bar * genre.beats, chord, parts=_EVERYBODY, loud=0.8, last=bar % 8 == 7)
    piece.tune(genre, 0, chords)
    changes: list[tuple[int, Chord | None]] = [(bar * genre.beats, chord) for bar, chord in enumerate(chords)]
    changes.append(_finish(piece, genre, bars * genre.beats))
    return piece.song(f"held-out key {index}", genre, changes, {style, name, "detuned" if cents else "in tune"})


FORMS = ("ABCBCDC", "AABA", "ABACADA", "ABCD", "ABACB", "A", "ABCDCBA", "AABBCC")
_SCENES = (
    (_EVERYBODY, 0.8, False, 0), (_EVERYBODY, 1.0, True, 12), (frozenset({"bass", "chords"}), 0.6, True, 0),
    (frozenset({"drums", "bass"}), 0.8, True, -12), (frozenset({"drums", "chords"}), 0.7, False, 12),
    (frozenset({"chords"}), 0.5, True, 0),
)  # fmt: skip
"""Who plays, how loud, whether there is a tune, and how much higher the tune or, without one, the chords lie."""


def form_song(seed: int) -> Song:
    """A song of form seed % 8, 95 to 215 s long; in every fourth a bar of silence may precede a section."""
    rng = np.random.default_rng([79, seed])
    form = FORMS[seed % len(FORMS)]
    labels = sorted(set(form))
    while True:  # until everything is as long as it should be
        name = str(rng.choice(["reggae", "disco", "bossa", "hip-hop", "funk", "train beat", "soul ballad", "afrobeat"]))
        genre = GENRES[name]
        bpm = rng.uniform(*genre.tempo)
        bars = {label: int(rng.choice([4, 8, 16])) if len(form) > 1 else 48 for label in labels}
        lengths = [bars[label] * 240 / bpm for label in form]
        if 95 < sum(lengths) < 205 and (len(form) == 1 or 10 < min(lengths) <= max(lengths) < 30):
            break
    mode = str(rng.choice(["major", "minor"]))
    turns, scenes = rng.permutation(_TURNS[mode]), rng.permutation(len(_SCENES))
    voices = rng.permutation(["organ", "keys", "guitar", "synth", "choir", "brass"])
    plan: list[tuple[str, int]] = []  # what begins at which bar
    total = 0
    for place, label in enumerate(form):
        plan.append((label, total))
        total += bars[label] + int(seed % 4 == 2 and place + 1 < len(form) and rng.random() < 0.5)
    piece = _Piece(rng, _clock(rng, bpm, 4 * total), genre.kit, (int(rng.integers(12)), mode))
    changes: list[tuple[int, Chord | None]] = []
    for label, start in plan:
        index = labels.index(label)
        parts, loud, tuneful, higher = _SCENES[scenes[index] if len(form) > 1 else 1]
        bass, _, lead = genre.voices.split()
        lead = "flute" if lead == "-" else lead
        played = replace(genre, voices=f"{bass} {voices[index // 2]} {lead}")  # neighbours may share an instrument
        chords = _chords(str(turns[index]), bars[label])
        for bar, chord in enumerate(chords):
            changes.append((4 * (start + bar), chord))
            raised = 0 if tuneful else higher
            last = bar == bars[label] - 1 and len(form) > 1
            piece.bar(played, 4 * (start + bar), chord, parts=parts, loud=loud, higher=raised, last=last)
        changes.append((4 * (start + bars[label]), None))
        if tuneful:
            piece.tune(played, 4 * start, chords, loud, higher)
    changes = [c for c, following in zip(changes, [*changes[1:], (-1, None)], strict=True) if c[0] != following[0]]
    changes[-1:] = [_finish(piece, genre, 4 * total)]
    tags = {form, name, "gaps" if total > sum(bars[label] for label in form) else "no gaps"}
    return piece.song(f"held-out form {seed}", genre, changes, tags, [(4 * start, label) for label, start in plan])
