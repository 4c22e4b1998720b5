"""Export: in which file formats do other people's programs read what was found?

Everything here writes just what the `Analysis` at hand holds; hand in the corrected one where a person's word shall count.
Functions return text. Where it goes into a file, write it as UTF-8 and leave its line ends alone (`newline=""`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sfwidgets.analysis.export.entry import Entry
from sfwidgets.analysis.export.jams_file import jams
from sfwidgets.analysis.export.labels import audacity, cue_csv
from sfwidgets.analysis.export.rekordbox_xml import rekordbox
from sfwidgets.analysis.export.tables import TABLES, UNITS, csv, table
from sfwidgets.errors import InvalidInputError

__all__ = ["FORMATS", "TABLES", "UNITS", "Entry", "Format", "audacity", "csv", "cue_csv", "jams", "rekordbox", "table"]


class Format(NamedTuple):
    """One file format."""

    suffix: str
    """Of its files, with the dot."""
    write: Callable[[Sequence[Entry]], str]
    """Returns the document; raises `InvalidInputError` where it gets several tracks and holds but one."""
    many: bool
    """Whether one document can hold many tracks."""


def _single(write: Callable[[Entry], str]) -> Callable[[Sequence[Entry]], str]:
    def write_one(entries: Sequence[Entry]) -> str:
        if len(entries) != 1:
            raise InvalidInputError(f"This format holds one track a file, not {len(entries)}; write a file for each.")
        return write(entries[0])

    return write_one


def _json(entry: Entry) -> str:
    return json.dumps(entry.analysis.to_json(), indent=2, ensure_ascii=False) + "\n"


FORMATS = {
    "json": Format(".json", _single(_json), many=False),
    "csv": Format(".csv", csv, many=True),
    "jams": Format(".jams", _single(lambda entry: jams(entry.analysis, entry.track)), many=False),
    "cues": Format(".cues.csv", _single(lambda entry: cue_csv(entry.analysis)), many=False),
    "audacity": Format(".txt", _single(lambda entry: audacity(entry.analysis)), many=False),
    "rekordbox": Format(".xml", rekordbox, many=True),
}
"""The formats by name."""
