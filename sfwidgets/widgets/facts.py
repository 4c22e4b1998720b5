"""What an analysis says, as a person reads it: each number with its unit, and how sure it is in plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sfwidgets.models import Corrections
from sfwidgets.models.analysis import Measurements

Sureness = Literal["sure", "likely", "a guess"]

_SURE, _LIKELY = 0.85, 0.45
"""From which confidence on, 0 to 1, a thing is sure, and likely."""
_CLEAR, _CLOSE = 0.15, 0.05
"""By how much the best key's strength leads the runner-up's where it is sure, and where it is likely."""
_CHORDS = {"maj": "", "min": "m", "min7": "m7", "hdim7": "m7♭5"}
_TIMES = {2.0: "twice as fast", 0.5: "half as fast", 3.0: "three times as fast", 1 / 3: "a third as fast"}


@dataclass(frozen=True)
class Fact:
    """One thing that was measured."""

    name: str
    value: str | None
    """None: it could not be told."""
    unit: str = ""
    note: str = ""
    """What else belongs to it: the runner-up, what the number means."""
    confidence: float | None = None
    """0 to 1; None for what is measured rather than judged."""
    sureness: str = ""
    """`sure`, `likely`, `a guess`, or `you said so`."""
    meaning: str = ""
    """What the name means, for whoever does not know the word."""


def groups(found: Measurements, said: Corrections | None = None) -> list[dict[str, Any]]:
    """Return what is worth reading of a recording or a stem, as JSON-ready groups of facts.

    `found` has been corrected by what a person `said`.
    """
    said = said or Corrections()
    whole = {
        "Rhythm": _rhythm(found, said),
        "Tonality": _tonality(found, said),
        "Loudness": _loudness(found),
        "Stereo": _stereo(found),
        "Timbre": _timbre(found),
    }
    return [{"title": title, "facts": [asdict(fact) for fact in facts]} for title, facts in whole.items()]


def sureness(confidence: float) -> Sureness:
    """Return a confidence in words."""
    return "sure" if confidence >= _SURE else "likely" if confidence >= _LIKELY else "a guess"


def key_sureness(strength: float, runner_up: float) -> Sureness:
    """Return how sure a key is: it must fit well, and clearly better than the next."""
    lead = strength - runner_up
    by_lead: Sureness = "sure" if lead >= _CLEAR else "likely" if lead >= _CLOSE else "a guess"
    order: tuple[Sureness, ...] = ("sure", "likely", "a guess")
    return max(sureness(strength), by_lead, key=order.index)


def chord_name(label: str) -> str:
    """Return a chord in Harte's notation as musicians write it, "" for none: `D#:min` is `D#m`."""
    root, _, quality = label.partition(":")
    if root in ("N", "X", ""):
        return ""
    quality, _, _ = quality.partition("/")
    return root + _CHORDS.get(quality, quality)


def _rhythm(found: Measurements, said: Corrections) -> list[Fact]:
    by_hand = said.tempo is not None
    note = ""
    if found.tempo is not None and found.tempo_alternative is not None:
        ratio = found.tempo_alternative / found.tempo
        near = next((words for times, words in _TIMES.items() if abs(ratio / times - 1) < 0.02), "")
        note = f"or {found.tempo_alternative:.1f}" + (f", {near}" if near else "")
    facts = [
        Fact(
            "Tempo", _number(found.tempo, 1), "BPM", note, meaning="Beats a minute.",
            **_how_sure(found.tempo, found.tempo_confidence, by_hand),
        ),
        Fact(
            "Metre", found.time_signature, meaning="Beats in a bar.",
            **_how_sure(found.time_signature, found.time_signature_confidence, said.time_signature is not None),
        ),
    ]  # fmt: skip
    bars = f"in {len(found.downbeats)} bars" if found.downbeats else ""
    return [*facts, Fact("Beats", str(len(found.beats)) if found.beats else None, note=bars)]


def _tonality(found: Measurements, said: Corrections) -> list[Fact]:
    note = ""
    if found.key is not None and found.key_alternative is not None:
        note = f"or {found.key_alternative}"
    sure: dict[str, Any] = {}
    if found.key is not None:
        words = key_sureness(found.key_strength, found.key_alternative_strength)
        sure = {"confidence": found.key_strength, "sureness": "you said so" if said.key is not None else words}
    concert = "" if found.tuning is None else f"A4 = {440 * 2 ** (found.tuning / 1200):.1f} Hz"
    chords = [chord for chord in found.chords if chord.label != "N"]
    different = len({chord.label for chord in chords})
    changes = max(0, len(found.key_changes) - 1)
    mixing = "A code for mixing in key: neighbours on the wheel go together."
    return [
        Fact("Key", found.key, note=note, **sure),
        Fact("Camelot", found.camelot, meaning=mixing),
        Fact("Open Key", found.open_key, meaning=mixing),
        Fact("Key changes", None if found.key is None else str(changes)),
        Fact("Tuning", _number(found.tuning, 0, signed=True), "cents", concert, meaning="How far from A4 = 440 Hz."),
        Fact(
            "Chords", str(len(chords)) if chords else None, note=f"{different} different" if chords else "",
            **_how_sure(chords or None, sum(c.confidence for c in chords) / max(1, len(chords)), False),
        ),
    ]  # fmt: skip


def _loudness(found: Measurements) -> list[Fact]:
    peak = found.true_peak
    return [
        Fact("Integrated", _number(found.loudness, 1), "LUFS", meaning="How loud the whole is (ITU-R BS.1770-4)."),
        Fact("Range", _number(found.loudness_range, 1), "LU", meaning="From its quiet parts to its loud ones (LRA)."),
        Fact(
            "True peak", _number(peak, 1), "dBTP", "may clip where it is played" if peak is not None and peak > 0 else "",
            meaning="The highest level between the samples.",
        ),
        Fact("RMS", _number(found.rms, 1), "dBFS", meaning="The mean power."),
        Fact("Crest", _number(found.crest_factor, 1), "dB", meaning="From the mean power to the highest sample."),
    ]  # fmt: skip


def _stereo(found: Measurements) -> list[Fact]:
    width, correlation = found.stereo_width, found.stereo_correlation
    heard = ""
    if correlation is not None:
        heard = "nearly mono" if correlation > 0.95 else "loses in mono" if correlation < 0 else ""
    return [
        Fact(
            "Width", None if width is None else f"{100 * width:.0f}", "%", meaning="The side signal's share of the power."
        ),
        Fact(
            "Correlation", _number(correlation, 2, signed=True), "", heard, meaning="Of left and right: 1 is mono, "
            "below 0 they cancel each other out in mono.",
        ),
    ]  # fmt: skip


def _timbre(found: Measurements) -> list[Fact]:
    flatness = _number(found.spectral_flatness, 3)
    if flatness == "0.000":
        flatness = "under 0.001"
    return [
        Fact("Brightness", _number(found.spectral_centroid, 0), "Hz", meaning="The spectrum's centre (centroid)."),
        Fact("Bandwidth", _number(found.spectral_bandwidth, 0), "Hz", meaning="How far it spreads around its centre."),
        Fact("Roll-off", _number(found.spectral_rolloff, 0), "Hz", meaning="85 % of the sound lies below."),
        Fact("Flatness", flatness, meaning="0 is a tone, 0.56 is white noise."),
    ]


def _how_sure(value: object, confidence: float, by_hand: bool) -> dict[str, Any]:
    if by_hand:
        return {"confidence": 1.0, "sureness": "you said so"}
    return {} if value is None else {"confidence": confidence, "sureness": sureness(confidence)}


def _number(value: float | None, decimals: int, *, signed: bool = False) -> str | None:
    if value is None:
        return None
    value = round(value, decimals) + 0.0  # without the sign of a negative zero
    return f"{value:{'+' if signed and value else ''}.{decimals}f}".replace("-", "\N{MINUS SIGN}")
