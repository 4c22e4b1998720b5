"""Rekordbox: what does a DJ's program need to know of a track before it is played?

The format is Pioneer DJ's "rekordbox XML format list" (https://rekordbox.com/en/support/developer/), version 1.0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sfwidgets import __version__
from sfwidgets.analysis.export.entry import Entry, positions
from sfwidgets.errors import InvalidInputError
from sfwidgets.models import Analysis, one_line

_PRODUCT = "Sound Forge Alchemy"
_HOT_CUES = 8
"""The pads A to H."""
_TOLERANCE = 0.02
"""Seconds that the grid may be off a beat; two sounds closer than that are hard to tell apart in time (Hirsh 1959)."""
_FLATS = {"C#": "Db", "D#": "Eb", "G#": "Ab", "A#": "Bb"}
"""Rekordbox' own spelling of keys has flats, but for F#."""


def rekordbox(entries: Sequence[Entry], *, hot_cues: bool = False) -> str:
    """Return a collection of tracks as Rekordbox XML, with a playlist that holds them all, in the order given.

    Every entry needs its `audio` path, for Rekordbox knows tracks by their file. The beat grid (`TEMPO`) follows the
    beats: where one constant tempo would leave them by more than 20 ms, a new node begins. Cue points
    become memory cues, or with `hot_cues` the first eight of them the pads A to H. Without beats there is no grid.

    Raises `InvalidInputError` where an entry has no `audio`.
    """
    root = Element("DJ_PLAYLISTS", Version="1.0.0")
    SubElement(root, "PRODUCT", Name=_PRODUCT, Version=__version__, Company=_PRODUCT)
    collection = SubElement(root, "COLLECTION", Entries=str(len(entries)))
    folder = SubElement(SubElement(root, "PLAYLISTS"), "NODE", Type="0", Name="ROOT", Count="1")
    playlist = SubElement(folder, "NODE", Name=_PRODUCT, Type="1", KeyType="0", Entries=str(len(entries)))
    for number, entry in enumerate(entries, start=1):
        element = SubElement(collection, "TRACK", {"TrackID": str(number)} | _attributes(entry))
        _add_grid(element, entry.analysis)
        _add_cues(element, entry.analysis, hot_cues)
        SubElement(playlist, "TRACK", Key=str(number))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _attributes(entry: Entry) -> dict[str, str]:
    analysis, track, audio = entry
    if audio is None:
        raise InvalidInputError(
            f"Track {analysis.track_id} has no audio file here, and Rekordbox knows tracks by their file."
        )
    attributes = {
        "Name": one_line(track.title) if track else audio.stem,
        "Artist": one_line(track.artist) if track else "",
        "Album": one_line(track.album) if track else "",
        "TotalTime": str(round(analysis.duration)),
        "AverageBpm": f"{analysis.tempo or 0:.2f}",
        "Tonality": "" if analysis.key is None else tonality(analysis.key),
        "Location": location(audio),
    }
    if track and track.sample_rate:
        attributes["SampleRate"] = str(track.sample_rate)
    return attributes


def tonality(key: str) -> str:
    """Return a key like "C# minor" as Rekordbox writes it, like "Dbm"."""
    tonic, mode = key.split()
    return _FLATS.get(tonic, tonic) + ("m" if mode == "minor" else "")


def location(audio: Path) -> str:
    """Return a path as Rekordbox writes it, like `file://localhost/C:/Music/A%20song.mp3`."""
    path = audio.absolute().as_posix().encode("utf-8", "surrogateescape")
    return "file://localhost/" + quote(path, safe="/:").removeprefix("/")


def _add_grid(element: Element, analysis: Analysis) -> None:
    metre = analysis.time_signature or "4/4"
    beats_a_bar = int(metre.split("/")[0])
    counted = positions(analysis.beats, analysis.downbeats)
    for beat, time, bpm in grid(analysis.beats, analysis.tempo):
        position = counted[beat] or beat + 1  # a grid must be counted somehow
        battito = str((position - 1) % beats_a_bar + 1)
        SubElement(element, "TEMPO", Inizio=f"{time:.3f}", Bpm=f"{bpm:.2f}", Metro=metre, Battito=battito)


def grid(beats: Sequence[float], tempo: float | None) -> list[tuple[int, float, float]]:
    """Return stretches of constant tempo that pass every beat within 20 ms, as (beat, its time in the grid, BPM).

    Each stretch holds as many beats as a least-squares fit can. Tempi are whole hundredths of a BPM, as Rekordbox keeps
    them. `tempo` is for a single beat, which tells none.
    """
    if len(beats) < 2:
        return [(0, time, tempo) for time in beats if tempo is not None]
    stretches: list[tuple[int, float, float]] = []
    start = 0
    while start < len(beats) - 1:
        size, step = 2, 1
        first, bpm, _ = _fit(beats[start : start + size])
        while step:
            longer = beats[start : start + size + step]
            fit = _fit(longer)
            if len(longer) == size + step and fit[2] <= _TOLERANCE:
                first, bpm, _ = fit
                size, step = size + step, step * 2
            else:
                step //= 2
        # Before the start of the audio there is no place for a node, but the grid reaches back from the beat after.
        stretches.append((start, first, bpm) if first >= 0 else (start + 1, first + 60 / bpm, bpm))
        start += size
    if start == len(beats) - 1:
        stretches.append((start, beats[start], stretches[-1][2]))
    return stretches


def _fit(beats: Sequence[float]) -> tuple[float, float, float]:
    """Return the best even grid through the beats: its first beat, its BPM, and by how much it misses the worst beat."""
    import numpy as np

    steps, times = np.arange(len(beats)), np.asarray(beats)
    spread = steps - steps.mean()
    bpm = round(60 / max(float(spread @ times / (spread @ spread)), 1e-3), 2)
    firsts = times - steps * 60 / bpm
    first = float(firsts.mean())
    return first, bpm, float(np.abs(firsts - first).max())


def _add_cues(element: Element, analysis: Analysis, hot_cues: bool) -> None:
    numbers = count()
    for cue in sorted(analysis.cue_points, key=lambda cue: cue.time):
        number = next(numbers) if hot_cues else -1
        if number >= _HOT_CUES:
            number = -1
        SubElement(
            element, "POSITION_MARK", Name=one_line(cue.label), Type="0", Start=f"{cue.time:.3f}", Num=str(number)
        )
