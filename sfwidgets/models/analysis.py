"""What a recording was measured to be, and what a person said instead.

Times are seconds from the start of the audio. None, or an empty list, means that no honest answer could be given.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, computed_field, field_validator, model_validator

from sfwidgets.models.base import Moment, Value, one_line

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def camelot(key: str) -> str:
    """Return the Camelot code (`8A` for A minor, `8B` for C major) of a key like "C# minor"."""
    number, minor = _fifths(key)
    return f"{(number + 7) % 12 + 1}{'A' if minor else 'B'}"


def open_key(key: str) -> str:
    """Return the Open Key code (`1m` for A minor, `1d` for C major) of a key like "C# minor"."""
    number, minor = _fifths(key)
    return f"{number + 1}{'m' if minor else 'd'}"


def _fifths(key: str) -> tuple[int, bool]:
    """Return how many fifths (0 to 11) the key, or its relative major, lies above C, and whether it is minor."""
    tonic, mode = key.split()
    minor = mode == "minor"
    return (PITCH_CLASSES.index(tonic) + (3 if minor else 0)) * 7 % 12, minor


def _key(value: str) -> str:
    said = re.fullmatch(
        r"([A-Ga-g])([#b]?) ?(m|min|minor|maj|major|)", value.strip().replace("♯", "#").replace("♭", "b")
    )
    if said is None:
        raise ValueError(f"{value!r} is not a key; write it like 'C# minor', 'Bb major' or 'Am'")
    letter, accidental, mode = said.groups()
    tonic = PITCH_CLASSES.index(letter.upper()) + {"#": 1, "b": -1, "": 0}[accidental]
    return f"{PITCH_CLASSES[tonic % 12]} {'minor' if mode in ('m', 'min', 'minor') else 'major'}"


KeyName = Annotated[str, AfterValidator(_key)]
"""Like "C# minor"; flats are spelled as sharps."""
TimeSignature = Literal["2/4", "3/4", "4/4", "5/4", "6/8", "9/8", "12/8"]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


_CONTRACT = frozenset({
    "trackId", "analyzedAt", "duration", "bpm", "tempo", "key", "keyStrength", "loudness", "spectralCentroid",
    "spectralContrast", "waveformEnvelope", "frequencySpectrum", "cuePoints",
})  # fmt: skip


class CuePoint(Value):
    """A place in a track worth jumping to."""

    time: Seconds
    """Seconds."""
    label: str = Field(max_length=200)
    """For people."""
    type: str = Field(max_length=40)
    """What it marks: `start`, `section`, `drop`, `break`, `end`, or a person's own word."""


class Span(Value):
    """A stretch of time in which something sounds."""

    start: Seconds
    """Seconds."""
    end: Seconds
    """Seconds."""

    @model_validator(mode="after")
    def _forwards(self) -> Span:
        if self.end < self.start:
            raise ValueError(f"it ends at {self.end:g} s, before it starts at {self.start:g} s")
        return self


class TempoPoint(Value):
    """The tempo at one moment."""

    time: float
    """Seconds."""
    bpm: float
    """Beats a minute."""


class KeySpan(Span):
    """A stretch of a recording in one key."""

    key: str
    """Like "C# minor"."""
    strength: float
    """0 to 1."""


class Chord(Span):
    """A chord in Harte's notation: `C:maj`, `A:min`, `G:7`, or `N` where none sounds."""

    label: str
    """Like `A:min`."""
    confidence: float
    """0 to 1."""


class Section(Span):
    """A part of the form; the same label means the same music."""

    label: str = Field(max_length=200)
    """`A`, `B`, … in order of appearance."""
    role: str | None = Field(default=None, max_length=40)
    """`intro`, `verse`, `chorus`, `bridge`, `break`, `outro`, where there is evidence for it."""
    confidence: float = Field(default=1.0, ge=0, le=1)
    """How sure the role is; without a role, how sure the boundaries and the label are."""


class Note(Span):
    """One note of a line."""

    pitch: int
    """MIDI note number; 60 is middle C."""
    name: str
    """Like `E1`; C4 is middle C."""
    cents: float
    """How far it is from equal temperament on A4 = 440 Hz, -50 to 50."""


class LoudnessCurve(Value):
    """Loudness over time, as EBU R 128 meters show it. None is silence."""

    interval: float
    """Seconds between two values; the first is at 0, and each stands for what was heard up to its time."""
    momentary: list[float | None]
    """LUFS over the last 400 ms."""
    short_term: list[float | None]
    """LUFS over the last 3 s."""


class EnergyCurve(Value):
    """How energetic the music is over time, relative to its own loudest part."""

    interval: float
    """Seconds between two values; the first stands for the first interval."""
    values: list[float]
    """0 to 1."""


class Measurements(Value):
    """Everything that is measured of a piece of audio, be it a recording or one stem of it."""

    model_config = ConfigDict(extra="ignore")  # a newer version may have stored more

    duration: float
    """Seconds."""
    bpm: int | None = None
    """The tempo as a whole number, beats a minute."""
    tempo: float | None = None
    """Beats a minute, exactly."""
    key: str | None = None
    """Like "C# minor"."""
    key_strength: float = 0.0
    """0 to 1."""
    loudness: float | None = None
    """Integrated loudness, LUFS."""
    spectral_centroid: float | None = None
    """Hz."""
    spectral_contrast: list[float] = Field(default_factory=list)
    """dB in each of 7 octave bands."""
    waveform_envelope: list[float] = Field(default_factory=list)
    """At most 1000 points, 0 to 1 (full scale)."""
    frequency_spectrum: list[float] = Field(default_factory=list)
    """At most 100 points, evenly spaced from 0 Hz to half the sample rate; amplitude, full scale at 1."""
    cue_points: list[CuePoint] = Field(default_factory=list)
    """Places worth jumping to, in order of time."""

    tempo_confidence: float = 0.0
    """0 to 1."""
    tempo_alternative: float | None = None
    """The tempo that a listener might count instead, mostly half or double."""
    time_signature: str | None = None
    """Like `4/4`."""
    time_signature_confidence: float = 0.0
    """0 to 1."""
    beats: list[float] = Field(default_factory=list)
    """Seconds."""
    downbeats: list[float] = Field(default_factory=list)
    """Seconds: the beats at which a bar begins."""
    tempo_curve: list[TempoPoint] = Field(default_factory=list)
    """How the tempo changes."""
    onsets: list[float] = Field(default_factory=list)
    """Seconds: where notes and hits begin."""

    key_alternative: str | None = None
    """The runner-up."""
    key_alternative_strength: float = 0.0
    """0 to 1."""
    tuning: float | None = None
    """Cents from A4 = 440 Hz, -50 to 50."""
    key_changes: list[KeySpan] = Field(default_factory=list)
    """The keys in order of time; one where the key never changes."""
    chords: list[Chord] = Field(default_factory=list)
    """In order of time."""

    loudness_range: float | None = None
    """LRA, LU."""
    loudness_curve: LoudnessCurve | None = None
    true_peak: float | None = None
    """dBTP; None for digital silence, as the next two."""
    sample_peak: float | None = None
    """dBFS."""
    rms: float | None = None
    """dBFS; a full-scale square wave has 0, a full-scale sine -3.01."""
    crest_factor: float | None = None
    """dB from RMS to sample peak."""
    stereo_width: float | None = None
    """Side's share of the power, 0 (mono) to 1 (all side); None for mono files and silence, as the next."""
    stereo_correlation: float | None = None
    """-1 to 1."""

    spectral_bandwidth: float | None = None
    """Hz."""
    spectral_rolloff: float | None = None
    """Hz below which 85 % of the magnitude lies."""
    spectral_flatness: float | None = None
    """Geometric over arithmetic mean of the power spectrum: 0 for a tone, 0.56 for white noise, at most 1."""
    mfcc: list[float] = Field(default_factory=list)
    """The mean of 20 mel-frequency cepstral coefficients."""
    chroma: list[float] = Field(default_factory=list)
    """How much each pitch class sounds, C first, the largest 1."""

    sections: list[Section] = Field(default_factory=list)
    """The form, in order of time."""
    energy_curve: EnergyCurve | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def camelot(self) -> str | None:
        """The key's Camelot code."""
        return None if self.key is None else camelot(self.key)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def open_key(self) -> str | None:
        """The key's Open Key code."""
        return None if self.key is None else open_key(self.key)


class StemAnalysis(Measurements):
    """One stem, measured as a recording is, and what only a stem can tell."""

    stem: str
    """Like `vocals`."""
    active: list[Span] = Field(default_factory=list)
    """Where it sounds: where there are vocals, where the drums come in."""
    notes: list[Note] = Field(default_factory=list)
    """The line it plays; of a bass."""


class Corrections(Value):
    """What a person says instead of what was measured. None, field by field: nothing is said."""

    tempo: Annotated[float, Field(ge=20, le=400)] | None = None
    """Beats a minute."""
    time_signature: TimeSignature | None = None
    downbeat: Seconds | None = None
    """A moment at which a bar begins."""
    key: KeyName | None = None
    sections: Annotated[list[Section], Field(max_length=1000)] | None = None
    cue_points: Annotated[list[CuePoint], Field(max_length=1000)] | None = None

    @field_validator("sections", "cue_points")
    @classmethod
    def _labelled(cls, places: list[Any] | None) -> list[Any] | None:
        """Make every label one line; raises `ValueError` where one is empty."""
        cleaned = [place.model_copy(update={"label": one_line(place.label)}) for place in places or []]
        if not all(place.label for place in cleaned):
            raise ValueError("every label needs at least one letter")
        return None if places is None else cleaned

    @field_validator("sections")
    @classmethod
    def _one_after_another(cls, sections: list[Section] | None) -> list[Section] | None:
        for before, after in pairwise(sections or []):
            if after.start < before.end:
                raise ValueError(
                    f"the section at {after.start:g} s begins before the one at {before.start:g} s has ended"
                )
        return sections


class Analysis(Measurements):
    """What a track was measured to be: the HTTP contract's fields, and more beside them."""

    track_id: str
    analyzed_at: Moment
    """When it was measured."""
    stems: dict[str, StemAnalysis] = Field(default_factory=dict)
    """The newest stems, by name."""
    corrections: Corrections | None = None
    """What a person said instead; nothing above follows it. `Workbench.analysis(track, corrected=True)` does."""
    notices: list[str] = Field(default_factory=list)
    """What a person should know about how it was measured: that the file ends early, for one."""

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON-ready objects, the HTTP contract's fields first."""
        fields = super().to_json()
        return {name: fields.pop(name) for name in ("trackId", "analyzedAt")} | fields

    def brief(self) -> dict[str, Any]:
        """Return the HTTP contract's fields alone, as JSON-ready objects."""
        return {name: value for name, value in self.to_json().items() if name in _CONTRACT}

    def _repr_html_(self) -> str:
        from html import escape

        other = f", or {self.tempo_alternative:.1f}" if self.tempo_alternative else ""
        tempo = f"{self.tempo or 0:.1f} BPM{other} (confidence {self.tempo_confidence:.2f})"
        facts = {
            "Duration": f"{self.duration:.1f} s",
            "Tempo": "–" if self.tempo is None else tempo,
            "Time signature": self.time_signature or "–",
            "Key": "–" if self.key is None else f"{self.key} (strength {self.key_strength:.2f})",
            "Camelot, Open Key": "–" if self.key is None else f"{self.camelot}, {self.open_key}",
            "Loudness": "–" if self.loudness is None else f"{self.loudness:.1f} LUFS",
            "True peak": "–" if self.true_peak is None else f"{self.true_peak:.1f} dBTP",
            "Sections": " ".join(section.label for section in self.sections) or "–",
        }
        if self.corrections is not None:
            facts["By hand"] = ", ".join(
                name.replace("_", " ") + ("" if isinstance(value, list) else f" {value}")
                for name, value in self.corrections.model_dump(exclude_none=True).items()
            )
        rows = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in facts.items())
        return f"<table>{rows}</table>" + "".join(f"<p><small>{escape(n)}</small></p>" for n in self.notices)
