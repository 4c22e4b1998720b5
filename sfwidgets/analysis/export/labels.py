"""Labels: where does what begin and end, for a spreadsheet or an audio editor?"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable

from sfwidgets.analysis.export.entry import positions
from sfwidgets.errors import InvalidInputError
from sfwidgets.models import Analysis, one_line

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"; ASVS 5.0, 1.2.10)."""


def unformulated(text: str) -> str:
    """Return `text`, with an apostrophe before it where a spreadsheet would take it for a formula (CWE-1236)."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def cue_csv(analysis: Analysis) -> str:
    """Return the cue points as CSV (RFC 4180, CRLF): a header, then time in seconds, label and type.

    A label or type that a spreadsheet would take for a formula has an apostrophe before it, which spreadsheets hide.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", "label", "type"])
    for cue in analysis.cue_points:
        writer.writerow([f"{cue.time:.6f}", unformulated(cue.label), unformulated(cue.type)])
    return text.getvalue()


Label = tuple[float, float, str]


def _cue_points(analysis: Analysis) -> Iterable[Label]:
    return ((cue.time, cue.time, cue.label) for cue in analysis.cue_points)


def _beats(analysis: Analysis) -> Iterable[Label]:
    counted = zip(analysis.beats, positions(analysis.beats, analysis.downbeats), strict=True)
    return ((time, time, "" if position is None else str(position)) for time, position in counted)


def _sections(analysis: Analysis) -> Iterable[Label]:
    return ((s.start, s.end, f"{s.label} ({s.role})" if s.role else s.label) for s in analysis.sections)


def _chords(analysis: Analysis) -> Iterable[Label]:
    return ((chord.start, chord.end, chord.label) for chord in analysis.chords)


_LABELS: dict[str, Callable[[Analysis], Iterable[Label]]] = {
    "cue_points": _cue_points,
    "beats": _beats,
    "sections": _sections,
    "chords": _chords,
}


def audacity(analysis: Analysis, what: str = "cue_points") -> str:
    """Return an Audacity label track: start, end (both in seconds) and text, separated by tabs, one label a line.

    `what` is `cue_points`, `beats` (points that say their place in the bar), `sections` or `chords` (regions). Tabs and
    line ends in a text become spaces. Format: "Importing and Exporting Labels" in the Audacity manual.

    Raises `InvalidInputError` for any other `what`.
    """
    if what not in _LABELS:
        raise InvalidInputError(f"There are no labels for {what!r}; choose one of {', '.join(_LABELS)}.")
    return "".join(f"{start:.6f}\t{end:.6f}\t{one_line(text)}\n" for start, end, text in _LABELS[what](analysis))
