"""An analysis takes the stems along where there are any, leaves a person's word alone, and goes out in every format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import Track
from sfwidgets.workbench import Workbench

Song = Callable[..., Path]


@pytest.fixture
def analysed(shared_wb: Workbench, song: Song) -> Track:
    """Sixteen seconds at 120 BPM, over a bass that holds A1."""
    track = shared_wb.add(song(16.0, seed=31))
    shared_wb.analyze(track).wait(120)
    return shared_wb.track(track)


def test_stems_are_measured_with_the_track(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(6.0, seed=32))
    shared_wb.analyze(track).wait(120)
    assert shared_wb.analysis(track).stems == {}
    shared_wb.separate(track, "embedded", analyze=True).wait(120)
    shared_wb.jobs(track, kind="analysis")[0].wait(120)
    analysis = shared_wb.analysis(track)
    assert set(analysis.stems) == {"vocals", "drums", "bass", "other"}
    bass, drums = analysis.stems["bass"], analysis.stems["drums"]
    assert {note.name for note in bass.notes} == {"A1"} and abs(bass.notes[0].cents) < 10
    assert drums.notes == [] and drums.active[0].start < 0.1
    assert bass.duration == pytest.approx(6.0, abs=0.01)
    shared_wb.delete_stems(track)
    assert shared_wb.analysis(track).stems == {}


def test_surround_is_measured_channel_by_channel(shared_wb: Workbench, tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(5 * 48000) / 48000)
    levels = np.array([-28.0, -28.0, -24.0, -10.0, -30.0, -30.0])  # L R C LFE Ls Rs; EBU Tech 3341, case 6, with an LFE
    soundfile.write(tmp_path / "surround.wav", tone[:, None] * 10 ** (levels / 20), 48000, "PCM_24")
    track = shared_wb.add(tmp_path / "surround.wav")
    shared_wb.analyze(track).wait(120)
    analysis = shared_wb.analysis(track)
    assert analysis.loudness == pytest.approx(-23.0, abs=0.1)
    assert analysis.sample_peak == pytest.approx(-10.0, abs=0.1)


def test_a_new_analysis_leaves_alone_what_a_person_said(shared_wb: Workbench, analysed: Track) -> None:
    shared_wb.correct(analysed, tempo=60.0, key="F# minor")
    shared_wb.analyze(analysed).wait(120)
    measured, held = shared_wb.analysis(analysed), shared_wb.analysis(analysed, corrected=True)
    assert measured.corrections is not None and measured.corrections.tempo == 60.0
    assert (measured.bpm, held.bpm, held.key, held.camelot) == (120, 60, "F# minor", "11A")
    assert "by hand" in measured._repr_html_().lower()


def test_an_analysis_by_an_earlier_version_says_so_until_it_is_made_anew(
    shared_wb: Workbench, analysed: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfwidgets.library.results.VERSION", 10**6)
    assert any("Analyse it again" in notice for notice in shared_wb.analysis(analysed).notices)
    monkeypatch.undo()
    assert shared_wb.analysis(analysed).notices == []


def test_an_analysis_is_written_in_every_format(shared_wb: Workbench, analysed: Track, tmp_path: Path) -> None:
    shared_wb.correct(analysed, tempo=60.0)
    written = {
        format: shared_wb.export_analysis(analysed, tmp_path / f"analysis{suffix}", format=format)
        for format, suffix in shared_wb.check_export(
            ["json", "csv", "jams", "cues", "audacity", "rekordbox", "png"]
        ).items()
    }
    assert json.loads(written["json"].read_text())["tempo"] == 60.0
    (row,) = csv.DictReader(written["csv"].open(newline=""))
    assert float(row["tempo"]) == 60.0 and row["title"] == analysed.title
    assert json.loads(written["jams"].read_text())["file_metadata"]["duration"] == pytest.approx(16.0, abs=0.01)
    (node,) = ElementTree.parse(written["rekordbox"]).iter("TEMPO")
    assert float(node.get("Bpm", "0")) == pytest.approx(60.0, abs=0.3)
    assert written["png"].read_bytes().startswith(b"\x89PNG")
    assert written["cues"].read_text().startswith("time,")
    assert "\t" in written["audacity"].read_text()
    shared_wb.correct(analysed, tempo=None)


def test_a_collection_is_one_file_and_a_table_has_a_row_a_track(
    shared_wb: Workbench, analysed: Track, song: Song, tmp_path: Path
) -> None:
    other = shared_wb.add(song(8.0, seed=33), title="Other")
    with pytest.raises(NotFoundError):
        shared_wb.export_analysis(other, tmp_path / "x.json")
    shared_wb.analyze(other).wait(120)
    file = shared_wb.export_analysis([analysed, other], tmp_path / "all.xml", format="rekordbox")
    assert len(list(ElementTree.parse(file).getroot().iter("TEMPO"))) >= 1
    names = [node.get("Name") for node in ElementTree.parse(file).getroot().iter("TRACK") if node.get("Name")]
    assert names == [analysed.title, "Other"]
    table = shared_wb.table(tracks=[analysed, other])
    assert list(table["track_id"]) == [analysed.id, other.id]
    assert {analysed.id, other.id} <= set(shared_wb.table()["track_id"])
    assert len(shared_wb.table("beats", tracks=[analysed])) == len(shared_wb.analysis(analysed).beats)
    with pytest.raises(InvalidInputError, match="one track"):
        shared_wb.export_analysis([analysed, other], tmp_path / "x.json", format="json")
    with pytest.raises(InvalidInputError, match="jams"):
        shared_wb.export_analysis(analysed, tmp_path / "x.docx", format="docx")
    assert not list(tmp_path.glob("x.*"))


def test_a_picture_of_the_spectrum_over_time_is_made_of_the_file(shared_wb: Workbench, analysed: Track) -> None:
    picture = shared_wb.spectrogram(analysed)
    assert picture.frequencies[picture.levels.mean(axis=1).argmax()] == pytest.approx(55, abs=25)
