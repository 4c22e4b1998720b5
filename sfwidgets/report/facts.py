"""The numbers of an analysis, as a page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from sfwidgets.models import Analysis, Corrections

NOTHING = "–"


@dataclass(frozen=True)
class Fact:
    """One thing that was measured."""

    name: str
    value: str
    note: str = ""
    """How sure it is, or what else it may be."""


def headline(analysis: Analysis) -> list[Fact]:
    """Return what somebody who opens a page wants to know first."""
    said = analysis.corrections or Corrections()
    return [
        Fact("Length", clock(analysis.duration)),
        _tempo(analysis, said.tempo is not None),
        _key(analysis, said.key is not None),
        Fact("Loudness", _number(analysis.loudness, "LUFS"), _true_peak(analysis)),
    ]


def groups(analysis: Analysis) -> dict[str, list[Fact]]:
    """Return everything else that is one number, by what it is about."""
    said = analysis.corrections or Corrections()
    metre = "by hand" if said.time_signature else _sure(analysis.time_signature_confidence)
    by_code = {} if analysis.key is None else {"Camelot": analysis.camelot, "Open Key": analysis.open_key}
    return {
        "Rhythm": [
            Fact("Time signature", analysis.time_signature or NOTHING, metre if analysis.time_signature else ""),
            Fact("Beats", str(len(analysis.beats)) if analysis.beats else NOTHING),
            Fact("Bars", str(len(analysis.downbeats)) if analysis.downbeats else NOTHING),
            Fact("Onsets", str(len(analysis.onsets)) if analysis.onsets else NOTHING),
        ],
        "Tonality": [
            *(Fact(name, value or NOTHING) for name, value in by_code.items()),
            Fact("Tuning", _number(analysis.tuning, "cents", sign=True), "from A4 = 440 Hz" if analysis.tuning else ""),
            Fact("Keys", " → ".join(dict.fromkeys(span.key for span in analysis.key_changes)) or NOTHING),
        ],
        "Level": [
            Fact("Loudness range", _number(analysis.loudness_range, "LU")),
            Fact("Sample peak", _number(analysis.sample_peak, "dBFS")),
            Fact("RMS", _number(analysis.rms, "dBFS")),
            Fact("Crest factor", _number(analysis.crest_factor, "dB")),
        ],
        "Sound": [
            Fact("Stereo width", _number(analysis.stereo_width, "", 2), "0 mono, 1 all side"),
            Fact("Correlation", _number(analysis.stereo_correlation, "", 2)),
            Fact("Spectral centroid", _number(analysis.spectral_centroid, "Hz", 0)),
            Fact("Roll-off", _number(analysis.spectral_rolloff, "Hz", 0)),
        ],
    }


def clock(seconds: float, decimals: int = 0) -> str:
    """Return a time like `3:07`, `3:07.25` or `1:03:07`."""
    whole, part = divmod(round(seconds * 10**decimals), 10**decimals)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return (f"{hours}:{tail}" if hours else tail) + (f".{part:0{decimals}d}" if decimals else "")


def chord(label: str) -> str:
    """Return a chord as musicians write it: `Am` for `A:min`, `G7` for `G:7`."""
    root, _, kind = label.partition(":")
    return NOTHING if root == "N" else root + {"maj": "", "min": "m"}.get(kind, kind)


def _tempo(analysis: Analysis, by_hand: bool) -> Fact:
    if analysis.tempo is None:
        return Fact("Tempo", "not steady", "no pulse found")
    note = "by hand" if by_hand else _sure(analysis.tempo_confidence)
    if analysis.tempo_alternative and not by_hand:
        note += f", or {analysis.tempo_alternative:.1f}"
    return Fact("Tempo", f"{analysis.tempo:.1f} BPM", note)


def _key(analysis: Analysis, by_hand: bool) -> Fact:
    if analysis.key is None:
        return Fact("Key", "not clear")
    note = "by hand" if by_hand else f"strength {analysis.key_strength:.2f}"
    if analysis.key_alternative and not by_hand:
        note += f", or {analysis.key_alternative}"
    return Fact("Key", analysis.key, note)


def _true_peak(analysis: Analysis) -> str:
    return "" if analysis.true_peak is None else f"true peak {analysis.true_peak:.1f} dBTP".replace("-", "−")


def _sure(confidence: float) -> str:
    return f"confidence {confidence:.2f}"


def _number(value: float | None, unit: str, decimals: int = 1, *, sign: bool = False) -> str:
    if value is None:
        return NOTHING
    return f"{value:{'+' if sign else ''}.{decimals}f} {unit}".strip().replace("-", "−")
