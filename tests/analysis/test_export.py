import csv as csv_module
import io
import json
import math
import subprocess
import sys
import typing
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jams as jams_library
import mir_eval
import numpy as np
import pandas as pd
import pytest

from sfwidgets.analysis.export import FORMATS, TABLES, UNITS, Entry, audacity, cue_csv, jams, rekordbox, table
from sfwidgets.analysis.export.entry import positions
from sfwidgets.analysis.export.rekordbox_xml import grid, location, tonality
from sfwidgets.errors import InvalidInputError
from sfwidgets.models import (
    Analysis,
    Chord,
    Corrections,
    CuePoint,
    EnergyCurve,
    KeySpan,
    LoudnessCurve,
    Measurements,
    Note,
    Section,
    Span,
    StemAnalysis,
    TempoPoint,
    Track,
)
from sfwidgets.models.analysis import PITCH_CLASSES

NOW = datetime(2026, 5, 4, 3, 2, 1, 123000, tzinfo=UTC)
ODD = [
    'say "hi", ok',
    "tab\there",
    "two\r\nlines",
    "🎛️ drop é",
    "=cmd()",
    "+1",
    "-1",
    "@SUM(A1)",
    " =1",
    "",
    "a\x00\x1b",
]
BEATS = [0.25 + 0.5 * beat for beat in range(40)]  # 120 BPM; the first two are a pickup
TRACK = Track(
    id="song-1", owner="me", title='A "Song" & <more>\x07', artist="=Artist", album="Ünïcode 🎵", duration=21.0,
    sample_rate=48000, created_at=NOW, updated_at=NOW,
)  # fmt: skip
EMPTY = Analysis(track_id="empty", analyzed_at=NOW, duration=0.0)
FULL = Analysis(
    track_id="song-1", analyzed_at=NOW, duration=21.0, bpm=120, tempo=120.0, tempo_confidence=0.9, time_signature="4/4",
    key="C# minor", key_strength=0.8, loudness=-9.5, true_peak=-0.3, beats=BEATS, downbeats=BEATS[2::4],
    onsets=[0.25, 0.5, 0.75], tempo_curve=[TempoPoint(time=0.25, bpm=120.0), TempoPoint(time=10.25, bpm=121.0)],
    key_changes=[
        KeySpan(start=0, end=10, key="C# minor", strength=0.8), KeySpan(start=10, end=21, key="E major", strength=0.6),
    ],
    chords=[
        Chord(start=0, end=1.25, label="N", confidence=0.9), Chord(start=1.25, end=9.25, label="C#:min", confidence=0.7),
        Chord(start=9.25, end=21, label="G:7", confidence=0.6),
    ],
    sections=[
        Section(start=0, end=9.25, label="A", role="intro", confidence=0.5), Section(start=9.25, end=21, label="B"),
    ],
    cue_points=[CuePoint(time=1.25 + i, label=label, type="section") for i, label in enumerate(ODD)],
    loudness_curve=LoudnessCurve(interval=0.1, momentary=[None, -12.0], short_term=[None, None]),
    energy_curve=EnergyCurve(interval=0.5, values=[0.1, 1.0]), mfcc=[float(i) for i in range(20)],
    chroma=[i / 11 for i in range(12)], spectral_contrast=[float(i) for i in range(7)],
    stems={
        "bass": StemAnalysis(
            stem="bass", duration=21.0, loudness=-20.0, active=[Span(start=1, end=2)],
            notes=[Note(start=1.25, end=1.5, pitch=28, name="E1", cents=-10.0)],
        ),
        "vocals": StemAnalysis(stem="vocals", duration=21.0),
    },
)  # fmt: skip


# --- Bars


@pytest.mark.parametrize(
    ("downbeats", "expected"),
    [
        ([], [None] * 8),
        ([2.0], [None, None, 1, 2, 3, 4, 5, 6]),  # one bar does not tell how long bars are
        ([0.0, 4.0], [1, 2, 3, 4, 1, 2, 3, 4]),
        ([2.0, 5.0], [2, 3, 1, 2, 3, 1, 2, 3]),  # three in a bar, two before the first
        ([3.01, 4.98], [2, 1, 2, 1, 2, 1, 2, 3]),  # not quite on the beats
    ],
)
def test_beats_are_counted_from_the_downbeats(downbeats: list[float], expected: list[int | None]) -> None:
    assert positions([float(beat) for beat in range(8)], downbeats) == expected


def test_no_beats_have_no_positions() -> None:
    assert positions([], []) == positions([], [1.0]) == []


# --- JAMS


def loaded(analysis: Analysis, track: Track | None = None) -> jams_library.JAMS:
    return jams_library.load(io.StringIO(jams(analysis, track)), validate=True, strict=True)


def test_a_jams_document_is_valid_and_holds_everything() -> None:
    document = loaded(FULL, TRACK)
    assert [annotation.namespace for annotation in document.annotations] == [
        "beat", "tempo", "tempo", "key_mode", "key_mode", "chord", "segment_open", "segment_open", "onset", "blob",
        "note_midi",
    ]  # fmt: skip
    about = document.file_metadata
    assert (about.title, about.artist, about.release, about.duration) == (TRACK.title, "=Artist", "Ünïcode 🎵", 21.0)
    assert about.identifiers.track_id == "song-1"
    for annotation in document.annotations:
        assert (annotation.time, annotation.duration) == (0, 21)
        assert annotation.annotation_metadata.curator.name == "Sound Forge Alchemy"
        assert annotation.annotation_metadata.annotation_tools.startswith("Sound Forge Alchemy ")

    beats = document.search(namespace="beat")[0].to_dataframe()
    assert beats["time"].tolist() == BEATS
    assert beats["value"].tolist() == [3, 4] + [1, 2, 3, 4] * 9 + [1, 2]
    tempo, curve = document.search(namespace="tempo")
    assert [(o.time, o.duration, o.value, o.confidence) for o in tempo.data] == [(0, 21, 120, 0.9)]
    assert [(o.time, o.duration, o.value) for o in curve.data] == [(0.25, 10, 120), (10.25, 10.75, 121)]
    key, changes = document.search(namespace="key_mode")
    assert [o.value for o in key.data] == ["C#:minor"]
    assert [(o.time, o.value) for o in changes.data] == [(0, "C#:minor"), (10, "E:major")]
    labels, roles = document.search(namespace="segment_open")
    assert [o.value for o in labels.data] == ["A", "B"]
    assert [(o.time, o.duration, o.value) for o in roles.data] == [(0, 9.25, "intro")]
    onsets = document.search(namespace="onset")[0]
    assert [o.time for o in onsets.data] == FULL.onsets
    cues = document.search(namespace="blob")[0]
    assert [(o.time, o.value) for o in cues.data] == [
        (cue.time, {"label": cue.label, "type": cue.type}) for cue in FULL.cue_points
    ]
    (notes,) = document.search(namespace="note_midi")
    assert [(o.time, o.duration, o.value) for o in notes.data] == [(1.25, 0.25, 27.9)]
    assert notes.sandbox.stem == "bass"


def test_jams_annotations_can_be_scored_against_references() -> None:
    document = loaded(FULL)
    chords = document.search(namespace="chord")[0]
    assert jams_library.eval.chord(chords, chords)["mirex"] == 1.0
    beats = document.search(namespace="beat")[0]
    assert jams_library.eval.beat(beats, beats)["F-measure"] == 1.0
    intervals, keys = document.search(namespace="key_mode")[0].to_interval_values()
    assert intervals.tolist() == [[0, 21]]
    assert mir_eval.key.weighted_score("C# minor", keys[0].replace(":", " ")) == 1.0


def test_nothing_measured_gives_a_valid_jams_document_without_annotations() -> None:
    document = loaded(EMPTY)
    assert len(document.annotations) == 0
    assert document.file_metadata.duration == 0


def test_jams_tells_what_a_person_said_from_what_was_measured() -> None:
    said = Corrections(key="C# minor", tempo=140, cue_points=[CuePoint(time=9, label="b", type="x")])
    held = {"corrections": said, "cue_points": said.cue_points}
    document = loaded(FULL.model_copy(update=held))
    sources = {a.namespace: a.annotation_metadata.data_source for a in reversed(document.annotations)}
    assert sources["key_mode"] == sources["blob"] == "manual"
    assert sources["tempo"] == sources["segment_open"] == sources["beat"] == "program"  # 140 is not what it holds


@pytest.mark.parametrize("said", [{"downbeat": 1.25}, {"time_signature": "4/4"}])
def test_beats_that_follow_a_persons_word_are_theirs_in_jams(said: dict[str, object]) -> None:
    held = FULL.model_copy(update={"corrections": Corrections.model_validate(said)})
    document = loaded(held)
    assert {a.namespace: a.annotation_metadata.data_source for a in document.annotations}["beat"] == "manual"


# --- Labels


def test_cue_points_come_back_from_csv() -> None:
    text = cue_csv(FULL)
    assert text.startswith("time,label,type\r\n")
    header, *rows = csv_module.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["time", "label", "type"]
    assert [float(row[0]) for row in rows] == [cue.time for cue in FULL.cue_points]
    assert [row[1] for row in rows] == [
        'say "hi", ok', "tab\there", "two\r\nlines", "🎛️ drop é", "'=cmd()", "'+1", "'-1", "'@SUM(A1)", "' =1", "",
        "a\x00\x1b",
    ]  # fmt: skip
    assert {row[2] for row in rows} == {"section"}
    frame = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert frame["label"].tolist()[:4] == ODD[:4]


def test_a_persons_own_type_is_no_formula_either() -> None:
    cue = CuePoint(time=0.1, label="\t=1", type='=HYPERLINK("http://x")')
    row = list(csv_module.reader(io.StringIO(cue_csv(EMPTY.model_copy(update={"cue_points": [cue]})), newline="")))[1]
    assert row == ["0.100000", "'\t=1", '\'=HYPERLINK("http://x")']


def test_no_cue_points_are_a_header_only() -> None:
    assert cue_csv(EMPTY) == "time,label,type\r\n"


@pytest.mark.parametrize("what", ["sections", "chords"])
def test_audacity_regions_are_read_by_mir_eval(what: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(audacity(FULL, what), encoding="utf-8", newline="")
    intervals, labels = mir_eval.io.load_labeled_intervals(str(path), delimiter="\t")
    truth = getattr(FULL, what)
    assert intervals.tolist() == [[span.start, span.end] for span in truth]
    assert labels == {"sections": ["A (intro)", "B"], "chords": ["N", "C#:min", "G:7"]}[what]


def test_audacity_points_are_one_line_each() -> None:
    lines = audacity(FULL).split("\n")
    assert lines.pop() == ""
    cells = [line.split("\t") for line in lines]
    assert [(float(start), float(end)) for start, end, _ in cells] == [(c.time, c.time) for c in FULL.cue_points]
    assert [label for _, _, label in cells][:5] == ['say "hi", ok', "tab here", "two lines", "🎛️ drop é", "=cmd()"]
    beats = [line.split("\t") for line in audacity(FULL, "beats").splitlines()]
    assert [float(start) for start, _, _ in beats] == BEATS
    assert [label for *_, label in beats][:4] == ["3", "4", "1", "2"]


def test_no_labels_are_no_text_and_unknown_ones_an_error() -> None:
    assert [audacity(EMPTY, what) for what in ("cue_points", "beats", "sections", "chords")] == [""] * 4
    with pytest.raises(InvalidInputError, match="cue_points, beats, sections, chords"):
        audacity(FULL, "lyrics")


# --- Rekordbox

AUDIO = Path("/music/Böhm & Co/50% #1 🎵 'x'.mp3")


def tracks_of(text: str) -> list[ET.Element]:
    root = ET.fromstring(text)
    assert (root.tag, root.get("Version")) == ("DJ_PLAYLISTS", "1.0.0")
    tracks = root.findall("COLLECTION/TRACK")
    assert root.find("COLLECTION").get("Entries") == str(len(tracks))
    return tracks


def test_a_track_as_rekordbox_reads_it() -> None:
    (track,) = tracks_of(rekordbox([Entry(FULL, TRACK, AUDIO)]))
    url = urlsplit(track.attrib.pop("Location"))
    assert (url.scheme, url.netloc, url.query, url.fragment) == ("file", "localhost", "", "")
    assert unquote(url.path) == str(AUDIO)
    assert track.attrib == {
        "TrackID": "1", "Name": 'A "Song" & <more>', "Artist": "=Artist", "Album": "Ünïcode 🎵", "TotalTime": "21",
        "SampleRate": "48000", "AverageBpm": "120.00", "Tonality": "Dbm",
    }  # fmt: skip
    assert [node.attrib for node in track.findall("TEMPO")] == [
        {"Inizio": "0.250", "Bpm": "120.00", "Metro": "4/4", "Battito": "3"}
    ]
    marks = [node.attrib for node in track.findall("POSITION_MARK")]
    assert [float(mark["Start"]) for mark in marks] == [cue.time for cue in FULL.cue_points]
    assert {(mark["Type"], mark["Num"]) for mark in marks} == {("0", "-1")}
    assert [mark["Name"] for mark in marks][:5] == ['say "hi", ok', "tab here", "two lines", "🎛️ drop é", "=cmd()"]
    assert marks[-1]["Name"] == "a"


def test_hot_cues_are_the_first_eight() -> None:
    (track,) = tracks_of(rekordbox([Entry(FULL, TRACK, AUDIO)], hot_cues=True))
    assert [int(mark.get("Num")) for mark in track.findall("POSITION_MARK")] == [*range(8), -1, -1, -1]


def off_the_grid(beats: list[float], tempi: list[ET.Element]) -> float:
    """How far the beat grid that Rekordbox draws misses the worst beat, in seconds; each node reigns until the next."""
    nodes = [(float(node.get("Inizio")), float(node.get("Bpm"))) for node in tempi]
    worst = 0.0
    for beat in beats:
        start, bpm = max((node for node in nodes if node[0] <= beat + 0.1), default=nodes[0])
        worst = max(worst, abs((beat - start) * bpm / 60 - round((beat - start) * bpm / 60)) * 60 / bpm)
    return worst


GENERATOR = np.random.default_rng(7)
DRIFTS = {
    "constant, an odd tempo": (np.full(600, 60 / 127.937), 1, 1),
    "as a frame-wise tracker sees it": (np.diff(np.round(np.arange(601) * 60 / 93.7 * 86) / 86), 1, 1),
    "a drummer": (60 / (110 + 3 * np.sin(np.arange(400) / 30)), 2, 40),
    "accelerando": (60 / np.linspace(90, 130, 300), 2, 40),
    "two tempi": (np.r_[np.full(100, 60 / 100), np.full(100, 60 / 140)], 2, 3),
    "a break without beats": (np.r_[np.full(50, 0.5), 7.3, np.full(50, 0.5)], 2, 3),
    "no tempo at all": (GENERATOR.uniform(0.3, 1.2, 100), 30, 100),
}


@pytest.mark.parametrize(("intervals", "fewest", "most"), DRIFTS.values(), ids=DRIFTS.keys())
def test_the_grid_follows_the_beats(intervals: np.ndarray, fewest: int, most: int) -> None:
    beats = (0.01 + np.cumsum(intervals)).tolist()
    analysis = EMPTY.model_copy(update={"beats": beats, "downbeats": beats[1::4], "duration": beats[-1]})
    tempi = tracks_of(rekordbox([Entry(analysis, None, AUDIO)]))[0].findall("TEMPO")
    assert fewest <= len(tempi) <= most
    assert off_the_grid(beats, tempi) < 0.0211
    for node in tempi:  # it counts the beats as the analysis does
        nearest = int(np.abs(np.array(beats) - float(node.get("Inizio"))).argmin())
        assert int(node.get("Battito")) == (nearest + 3) % 4 + 1


def test_no_grid_is_made_up() -> None:
    assert grid([], 120.0) == grid([1.0], None) == []
    assert grid([1.0], 120.0) == [(0, 1.0, 120.0)]
    assert len(grid([1.0, 1.0, 1.0], None)) > 0  # nonsense, but no crash
    (track,) = tracks_of(rekordbox([Entry(EMPTY, None, AUDIO)]))
    assert list(track) == []
    assert (track.get("AverageBpm"), track.get("Tonality"), track.get("TotalTime")) == ("0.00", "", "0")


def test_a_grid_never_starts_before_the_audio() -> None:
    ((beat, time, bpm),) = grid([0.01, *(0.49 + 0.5 * i for i in range(50))], None)  # evenly, the first is at -0.01
    assert beat == 1
    assert bpm == pytest.approx(120, abs=0.011)
    assert time == pytest.approx(0.49, abs=0.003)


def test_beats_are_counted_within_the_metre() -> None:
    beats = [0.5 * beat for beat in range(20)] + [10 + 0.7 * beat for beat in range(20)]
    analysis = FULL.model_copy(update={"time_signature": "3/4", "beats": beats, "downbeats": []})
    (track,) = tracks_of(rekordbox([Entry(analysis, None, AUDIO)]))
    assert [(n.get("Metro"), n.get("Battito")) for n in track.findall("TEMPO")] == [("3/4", "1"), ("3/4", "1")]


def test_rekordbox_needs_the_file() -> None:
    with pytest.raises(InvalidInputError, match="song-1 has no audio file"):
        rekordbox([Entry(FULL, TRACK)])


def test_many_tracks_or_none_are_one_collection() -> None:
    text = rekordbox([Entry(FULL, TRACK, Path(f"/{i}.mp3")) for i in range(3)])
    assert [track.get("TrackID") for track in tracks_of(text)] == ["1", "2", "3"]
    keys = ET.fromstring(text).findall("PLAYLISTS/NODE/NODE/TRACK")
    assert [key.get("Key") for key in keys] == ["1", "2", "3"]
    assert tracks_of(rekordbox([])) == []


def test_keys_and_paths_are_spelled_as_rekordbox_does() -> None:
    keys = ["C major", "C# minor", "D# major", "F# minor", "F# major", "G# minor", "A# major"]
    assert [tonality(key) for key in keys] == ["C", "Dbm", "Eb", "F#m", "F#", "Abm", "Bb"]
    assert location(Path("/a b/ü?.mp3")) == "file://localhost/a%20b/%C3%BC%3F.mp3"
    assert location(Path("/not utf-8 \udcff.mp3")) == "file://localhost/not%20utf-8%20%FF.mp3"


# --- Tables


def test_every_measured_scalar_is_a_column() -> None:
    frame = table(FULL)
    scalars = set(Measurements.model_computed_fields) | {
        name
        for name, field in Measurements.model_fields.items()
        if field.annotation in (float, str, int) or {float, str, int} & set(typing.get_args(field.annotation))
    }
    scalars -= {name for name in scalars if isinstance(getattr(FULL, name), list)}
    assert {"tempo", "key_strength", "camelot"} <= scalars
    assert scalars <= set(frame.columns)
    row = frame.iloc[0]
    for name in scalars:
        value = getattr(FULL, name)
        assert (pd.isna(row[name]) and value is None) or row[name] == value
    assert [row[f"chroma_{name}"] for name in PITCH_CLASSES] == FULL.chroma
    assert [row[f"mfcc_{i}"] for i in range(20)] == FULL.mfcc
    assert [row[f"spectral_contrast_{i}"] for i in range(1, 8)] == FULL.spectral_contrast
    assert row["analyzed_at"] == pd.Timestamp(NOW)
    assert frame.attrs["units"] == UNITS
    assert set(UNITS) <= set(frame.columns)


@pytest.mark.parametrize("what", TABLES)
def test_types_do_not_depend_on_what_was_measured(what: str) -> None:
    full, empty, none, both = (table(analyses, what) for analyses in (FULL, EMPTY, [], [EMPTY, FULL]))
    pd.testing.assert_series_equal(full.dtypes, empty.dtypes)
    pd.testing.assert_series_equal(full.dtypes, none.dtypes)
    pd.testing.assert_series_equal(full.dtypes, both.dtypes)
    assert object not in set(full.dtypes)
    assert full.columns[0] == "track_id"
    assert len(none) == 0
    assert len(full) > 0
    assert len(both) == len(full) + len(empty)
    assert both.index.is_unique


def test_events_are_rows() -> None:
    beats = table(FULL, "beats")
    assert beats["time"].tolist() == BEATS
    assert beats["position"].tolist()[:4] == [3, 4, 1, 2]
    chords = table([EMPTY, FULL], "chords")
    assert chords[["track_id", "start", "end", "label"]].to_numpy().tolist()[1] == ["song-1", 1.25, 9.25, "C#:min"]
    assert table(FULL, "sections")["role"].isna().tolist() == [False, True]
    assert table(FULL, "loudness")["time"].tolist() == [0, 0.1]
    assert math.isnan(table(FULL, "loudness")["momentary"][0])
    assert table(FULL, "energy")["energy"].tolist() == [0.1, 1.0]
    assert table(FULL, "stems")[["stem", "loudness"]].to_numpy().tolist()[0] == ["bass", -20]
    assert table(FULL, "notes").iloc[0].to_dict() == {
        "track_id": "song-1", "stem": "bass", "start": 1.25, "end": 1.5, "pitch": 28, "name": "E1", "cents": -10.0,
    }  # fmt: skip
    with pytest.raises(InvalidInputError, match="lyrics"):
        table(FULL, "lyrics")


def test_titles_join_by_id() -> None:
    frame = table([EMPTY, FULL], "chords", tracks=[TRACK])
    assert frame["title"].tolist() == [TRACK.title] * 3
    frame = table([EMPTY, FULL], tracks=[TRACK])
    assert frame["artist"].isna().tolist() == [True, False]


def test_the_table_comes_back_from_csv() -> None:
    dashed = EMPTY.model_copy(update={"track_id": "-1", "notices": ["=1+1"]})
    text = FORMATS["csv"].write([Entry(FULL, TRACK), Entry(dashed)])
    assert text.count("\r\n") == 3
    frame = pd.read_csv(io.StringIO(text), index_col="track_id")
    assert frame.index.tolist() == ["song-1", "-1"]
    assert frame.loc["song-1", "artist"] == "'=Artist"
    assert frame.loc["-1", "notices"] == "'=1+1"
    assert frame.loc["song-1", "loudness"] == -9.5
    assert frame.loc["song-1", "bpm"] == 120
    assert frame.loc["-1", ["tempo", "key", "title"]].isna().all()


# --- Formats


def test_every_format_writes_what_its_readers_read() -> None:
    written = {name: form.write([Entry(FULL, TRACK, AUDIO)]) for name, form in FORMATS.items()}
    assert list(written) == ["json", "csv", "jams", "cues", "audacity", "rekordbox"]
    for text in written.values():
        text.encode("utf-8")
    assert Analysis.model_validate(_without_computed(json.loads(written["json"]))) == FULL
    assert written["jams"] == jams(FULL, TRACK)
    assert written["cues"] == cue_csv(FULL)
    assert written["audacity"] == audacity(FULL)
    assert written["rekordbox"] == rekordbox([Entry(FULL, TRACK, AUDIO)])
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)


def _without_computed(values: dict) -> dict:
    values = {name: value for name, value in values.items() if name not in ("camelot", "openKey")}
    return values | {"stems": {name: _without_computed(s) for name, s in values.get("stems", {}).items()}}


@pytest.mark.parametrize("name", FORMATS)
def test_many_tracks_go_where_there_is_room(name: str) -> None:
    entries = [Entry(FULL, TRACK, AUDIO), Entry(EMPTY, None, Path("/b.wav"))]
    if FORMATS[name].many:
        rows = {"csv": "\r\n", "rekordbox": "<TRACK TrackID="}[name]
        assert FORMATS[name].write(entries).count(rows) == 2 + (name == "csv")  # and the header
    else:
        with pytest.raises(InvalidInputError, match="not 2"):
            FORMATS[name].write(entries)


def test_importing_it_is_light() -> None:
    code = "import sys, sfwidgets.analysis.export; print(' '.join(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(said.stdout.split()) & {"pandas", "jams", "numpy", "scipy"}
