"""Tables: what do many tracks have in common, and where do they differ?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sfwidgets.analysis.export.entry import Entry, positions
from sfwidgets.analysis.export.labels import unformulated
from sfwidgets.errors import InvalidInputError
from sfwidgets.models import Analysis, Measurements, Track
from sfwidgets.models.analysis import PITCH_CLASSES

if TYPE_CHECKING:
    import pandas as pd

_TEXT, _NUMBER, _COUNT, _MOMENT = "string", "float64", "Int64", "datetime64[us, UTC]"
Row = dict[str, Any]

_SCALARS = {
    "duration": (_NUMBER, "s"),
    "bpm": (_COUNT, "beats/min"),
    "tempo": (_NUMBER, "beats/min"),
    "tempo_confidence": (_NUMBER, "0 to 1"),
    "tempo_alternative": (_NUMBER, "beats/min"),
    "time_signature": (_TEXT, ""),
    "time_signature_confidence": (_NUMBER, "0 to 1"),
    "key": (_TEXT, ""),
    "key_strength": (_NUMBER, "0 to 1"),
    "key_alternative": (_TEXT, ""),
    "key_alternative_strength": (_NUMBER, "0 to 1"),
    "camelot": (_TEXT, ""),
    "open_key": (_TEXT, ""),
    "tuning": (_NUMBER, "cents from A4 = 440 Hz"),
    "loudness": (_NUMBER, "LUFS"),
    "loudness_range": (_NUMBER, "LU"),
    "true_peak": (_NUMBER, "dBTP"),
    "sample_peak": (_NUMBER, "dBFS"),
    "rms": (_NUMBER, "dBFS"),
    "crest_factor": (_NUMBER, "dB"),
    "stereo_width": (_NUMBER, "0 to 1"),
    "stereo_correlation": (_NUMBER, "-1 to 1"),
    "spectral_centroid": (_NUMBER, "Hz"),
    "spectral_bandwidth": (_NUMBER, "Hz"),
    "spectral_rolloff": (_NUMBER, "Hz"),
    "spectral_flatness": (_NUMBER, "0 to 1"),
}
"""A pandas type and a unit for each field of `Measurements` that is one value."""
_VECTORS = {
    "spectral_contrast": ([f"spectral_contrast_{band}" for band in range(1, 8)], "dB"),
    "mfcc": ([f"mfcc_{coefficient}" for coefficient in range(20)], ""),
    "chroma": ([f"chroma_{pitch_class}" for pitch_class in PITCH_CLASSES], "0 to 1"),
}
"""The names of their values, and a unit, for each field that is a few values of fixed number."""
_MEASURED = {name: dtype for name, (dtype, _) in _SCALARS.items()} | {
    name: _NUMBER for names, _ in _VECTORS.values() for name in names
}

UNITS = {name: unit for name, (_, unit) in _SCALARS.items() if unit} | {
    name: unit for names, unit in _VECTORS.values() for name in names if unit
}
"""The units of the columns of `table(analyses)`, where they have one; also in the frame's `attrs["units"]`."""


def _measured(values: Measurements) -> Row:
    row = {name: getattr(values, name) for name in _SCALARS}
    for field, (names, _) in _VECTORS.items():
        row |= dict(zip(names, getattr(values, field), strict=False))
    return row


def _tracks(analysis: Analysis) -> Iterable[Row]:
    about = {"analyzed_at": analysis.analyzed_at, "notices": "; ".join(analysis.notices)}
    yield about | _measured(analysis)


def _stems(analysis: Analysis) -> Iterable[Row]:
    return ({"stem": name} | _measured(stem) for name, stem in analysis.stems.items())


def _beats(analysis: Analysis) -> Iterable[Row]:
    counted = zip(analysis.beats, positions(analysis.beats, analysis.downbeats), strict=True)
    return ({"time": time, "position": position} for time, position in counted)


def _loudness(analysis: Analysis) -> Iterable[Row]:
    if (curve := analysis.loudness_curve) is None:
        return
    for index, (momentary, short_term) in enumerate(zip(curve.momentary, curve.short_term, strict=True)):
        yield {"time": index * curve.interval, "momentary": momentary, "short_term": short_term}


def _energy(analysis: Analysis) -> Iterable[Row]:
    if (curve := analysis.energy_curve) is None:
        return
    yield from ({"time": index * curve.interval, "energy": value} for index, value in enumerate(curve.values))


def _times(field: str) -> Callable[[Analysis], Iterable[Row]]:
    return lambda analysis: ({"time": time} for time in getattr(analysis, field))


def _values(field: str) -> Callable[[Analysis], Iterable[Row]]:
    return lambda analysis: (value.model_dump() for value in getattr(analysis, field))


def _of_stems(field: str) -> Callable[[Analysis], Iterable[Row]]:
    return lambda analysis: (
        {"stem": name} | value.model_dump() for name, stem in analysis.stems.items() for value in getattr(stem, field)
    )


_TIME = {"time": _NUMBER}
_SPAN = {"start": _NUMBER, "end": _NUMBER}
_STEM = {"stem": _TEXT}
TABLES: dict[str, tuple[Callable[[Analysis], Iterable[Row]], dict[str, str]]] = {
    "tracks": (_tracks, {"analyzed_at": _MOMENT, "notices": _TEXT} | _MEASURED),
    "stems": (_stems, _STEM | _MEASURED),
    "beats": (_beats, _TIME | {"position": _COUNT}),
    "downbeats": (_times("downbeats"), _TIME),
    "onsets": (_times("onsets"), _TIME),
    "tempo_curve": (_values("tempo_curve"), _TIME | {"bpm": _NUMBER}),
    "key_changes": (_values("key_changes"), _SPAN | {"key": _TEXT, "strength": _NUMBER}),
    "chords": (_values("chords"), _SPAN | {"label": _TEXT, "confidence": _NUMBER}),
    "sections": (_values("sections"), _SPAN | {"label": _TEXT, "role": _TEXT, "confidence": _NUMBER}),
    "cue_points": (_values("cue_points"), _TIME | {"label": _TEXT, "type": _TEXT}),
    "loudness": (_loudness, _TIME | {"momentary": _NUMBER, "short_term": _NUMBER}),
    "energy": (_energy, _TIME | {"energy": _NUMBER}),
    "active": (_of_stems("active"), _STEM | _SPAN),
    "notes": (_of_stems("notes"), _STEM | _SPAN | {"pitch": _COUNT, "name": _TEXT, "cents": _NUMBER}),
}
"""What `table` can show: how the rows are made, and the columns' types."""


def table(
    analyses: Analysis | Iterable[Analysis], what: str = "tracks", *, tracks: Iterable[Track] = ()
) -> pd.DataFrame:
    """Return one analysis or many as a tidy frame; the first column is always `track_id`, so that frames can be joined.

    `what` is `tracks` (one row a track, one column a measured value, in the units of `UNITS`), `stems` (the same, one
    row a stem), or one row each of `beats` (with their `position` in the bar, from 1), `downbeats`, `onsets`,
    `tempo_curve`, `key_changes`, `chords`, `sections`, `cue_points`, `loudness` (LUFS), `energy`, and of the stems'
    `notes` and `active` stretches. Times are seconds, tempi beats a minute. Where `tracks` are given, the columns `title`,
    `artist` and `album` follow `track_id`. What could not be measured is missing (`isna()`). Columns and their types
    (`float64`, `Int64`, `string`, UTC `datetime64`) are the same whatever was measured, for no analysis at all too.

    Raises `InvalidInputError` for any other `what`.
    """
    import pandas as pd

    if what not in TABLES:
        raise InvalidInputError(f"There is no table of {what!r}; choose one of {', '.join(TABLES)}.")
    rows_of, columns = TABLES[what]
    names = {track.id: {"title": track.title, "artist": track.artist, "album": track.album} for track in tracks}
    about = dict.fromkeys(["track_id", *(["title", "artist", "album"] if names else [])], _TEXT)
    rows = [
        {"track_id": analysis.track_id} | names.get(analysis.track_id, {}) | row
        for analysis in ([analyses] if isinstance(analyses, Analysis) else analyses)
        for row in rows_of(analysis)
    ]
    frame = pd.DataFrame(rows, columns=[*about, *columns], dtype=object).astype(about | columns)
    if what in ("tracks", "stems"):
        frame.attrs["units"] = dict(UNITS)
    return frame


def csv(entries: Sequence[Entry]) -> str:
    """Return the table of tracks as CSV (RFC 4180, CRLF), with a header; what could not be measured is empty.

    A text that a spreadsheet would take for a formula has an apostrophe before it; ids, which hold nothing but letters,
    digits, `_` and `-`, are left as they are.
    """
    tracks = [entry.track for entry in entries if entry.track is not None]
    frame = table([entry.analysis for entry in entries], tracks=tracks)
    for name in (name for name, dtype in frame.dtypes.items() if dtype == _TEXT and name != "track_id"):
        frame[name] = frame[name].map(unformulated, na_action="ignore")
    return frame.to_csv(index=False, lineterminator="\r\n")
