"""The analysis view says what was measured, how sure it is, takes a person's word, and hands over files."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import Analysis, Chord, Corrections, Track, utc_now
from sfwidgets.widgets import facts
from sfwidgets.widgets.analysis import AnalysisView
from sfwidgets.widgets.handover import KEPT, PIECE, file_name


@pytest.fixture
def analysed(shared_wb: Workbench, song: Callable[..., Path]) -> Track:
    track = shared_wb.add(song(12), title="Song: <b>one</b>", artist="A & B")
    shared_wb.analyze(track).wait()
    return shared_wb.track(track)


def fact(groups: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(fact for group in groups for fact in group["facts"] if fact["name"] == name)


def fetched(view: AnalysisView, handed: dict[str, Any]) -> bytes:
    content = b""
    while len(content) < handed["size"]:
        _, pieces = view.answer_handed(handed["token"], len(content))
        content += pieces[0]
    return content


def test_the_page_gets_numbers_with_units_and_confidence(shared_wb: Workbench, analysed: Track) -> None:
    shown = AnalysisView(shared_wb, analysed).answer_analysis()
    assert shown["state"] == "ready"
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    tempo = fact(shown["groups"], "Tempo")
    assert float(tempo["value"]) == pytest.approx(120, rel=0.02)
    assert tempo["unit"] == "BPM"
    assert tempo["sureness"] in ("sure", "likely", "a guess")
    measured = shared_wb.analysis(analysed)
    assert fact(shown["groups"], "Integrated")["value"] == f"{measured.loudness:.1f}".replace("-", "\N{MINUS SIGN}")
    assert fact(shown["groups"], "Integrated")["confidence"] is None


def test_what_could_not_be_told_has_no_value() -> None:
    nothing = Analysis(track_id="t", analyzed_at=utc_now(), duration=1.0)
    values = {fact["name"]: fact["value"] for group in facts.groups(nothing) for fact in group["facts"]}
    assert len(values) > 15
    assert set(values.values()) == {None}


@pytest.mark.parametrize(("confidence", "words"), [(0.95, "sure"), (0.6, "likely"), (0.2, "a guess")])
def test_confidence_is_said_in_words(confidence: float, words: str) -> None:
    made = Analysis(track_id="t", analyzed_at=utc_now(), duration=1.0, tempo=100.0, tempo_confidence=confidence,
                    tempo_alternative=50.0)  # fmt: skip
    tempo = fact(facts.groups(made), "Tempo")
    assert tempo["sureness"] == words
    assert tempo["note"] == "or 50.0, half as fast"
    said = fact(facts.groups(made, Corrections(tempo=100.0)), "Tempo")
    assert said["sureness"] == "you said so"


def test_a_key_that_barely_leads_is_a_guess() -> None:
    assert facts.key_sureness(0.95, 0.5) == "sure"
    assert facts.key_sureness(0.95, 0.85) == "likely"
    assert facts.key_sureness(0.95, 0.93) == "a guess"
    assert facts.key_sureness(0.3, 0.0) == "a guess"


@pytest.mark.parametrize(
    ("label", "name"), [("D#:min", "D#m"), ("C:maj", "C"), ("G:7", "G7"), ("N", ""), ("E:min/b3", "Em"), ("A", "A")]
)
def test_chords_are_written_as_musicians_do(label: str, name: str) -> None:
    assert facts.chord_name(label) == name


def test_no_chord_is_not_counted() -> None:
    chords = [Chord(start=0, end=1, label=label, confidence=0.9) for label in ("N", "C:maj", "N", "C:maj", "G:7")]
    made = Analysis(track_id="t", analyzed_at=utc_now(), duration=3.0, chords=chords)
    found = fact(facts.groups(made), "Chords")
    assert (found["value"], found["note"]) == ("3", "2 different")


def test_the_overview_is_a_picture_in_the_pages_colours_with_words(shared_wb: Workbench, analysed: Track) -> None:
    view = AnalysisView(shared_wb, analysed)
    for theme, corner in (("light", (255, 255, 255)), ("dark", (20, 23, 26))):
        told, (png,) = view.answer_overview(theme)
        assert Image.open(BytesIO(png)).convert("RGB").getpixel((0, 0)) == corner
    assert "A & B – Song: <b>one</b>" in told["alt"]
    assert "BPM" in told["alt"]
    with pytest.raises(InvalidInputError):
        view.answer_overview("pink")


def test_a_notebook_keeps_a_small_picture_with_words(shared_wb: Workbench, analysed: Track) -> None:
    still = AnalysisView(shared_wb, analysed).still()
    assert len(still) < 160_000
    assert "&lt;b&gt;" in still
    assert "<b>" not in still
    found = re.search(r"data:image/png;base64,([^\"]+)", still)
    assert found is not None
    png = b64decode(found[1])
    assert len(png) < 120_000
    assert Image.open(BytesIO(png)).width <= 900


def test_a_person_s_word_counts_until_it_is_taken_back(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track = shared_wb.add(song(12, seed=1))
    shared_wb.analyze(track).wait()
    view = AnalysisView(shared_wb, track)
    told: list[str] = []
    view.on_change(told.append)
    before = view.revision
    view.answer_correct({"tempo": 60.0, "timeSignature": "3/4"})
    assert told == [track.id]
    assert view.revision > before
    shown = view.answer_analysis()
    assert fact(shown["groups"], "Tempo")["value"] == "60.0"
    assert shown["corrections"]["tempo"]["said"] == 60.0
    assert shown["corrections"]["tempo"]["measured"] == pytest.approx(120, rel=0.02)
    assert shown["corrections"]["timeSignature"]["said"] == "3/4"
    view.answer_correct({"tempo": None})
    shown = view.answer_analysis()
    assert shown["corrections"]["tempo"]["said"] is None
    assert shown["corrections"]["timeSignature"]["said"] == "3/4"


@pytest.mark.parametrize(
    "said", [{}, {"sections": []}, {"tempo": "fast"}, {"tempo": 3}, {"key": "H"}, {"downbeat": 1e9}, "tempo", None]
)
def test_what_can_t_be_so_is_refused(shared_wb: Workbench, analysed: Track, said: Any) -> None:
    with pytest.raises(InvalidInputError):
        AnalysisView(shared_wb, analysed).answer_correct(said)


@pytest.mark.parametrize("format", ["json", "csv", "jams", "cues", "audacity", "rekordbox", "png"])
def test_files_are_handed_over_whole(shared_wb: Workbench, analysed: Track, tmp_path: Path, format: str) -> None:
    view = AnalysisView(shared_wb, analysed)
    handed = view.answer_export(format)
    written = shared_wb.export_analysis(analysed, tmp_path / "file", format=format).read_bytes()
    got = fetched(view, handed)
    assert len(got) == handed["size"]
    if format == "png":
        assert got[:4] == b"\x89PNG"
    else:
        assert got == written
    assert handed["name"].startswith("A & B – Song_ _b_one_b_.")
    assert "/" not in handed["name"]
    assert view.answer_taken(handed["token"])
    with pytest.raises(NotFoundError):
        view.answer_handed(handed["token"], 0)


def test_a_large_file_comes_in_pieces_and_old_ones_make_room(shared_wb: Workbench, analysed: Track) -> None:
    view = AnalysisView(shared_wb, analysed)
    content = bytes(range(256)) * 10_000
    handed = view.hand_over("large.bin", lambda path: path.write_bytes(content))
    assert len(view.answer_handed(handed["token"], 0)[1][0]) == PIECE
    assert fetched(view, handed) == content
    for _ in range(KEPT):
        view.hand_over("next.bin", lambda path: path.write_bytes(b"x"))
    with pytest.raises(NotFoundError):
        view.answer_handed(handed["token"], 0)
    for token, offset in (("../../etc/passwd", 0), ("", 0)):
        with pytest.raises(NotFoundError):
            view.answer_handed(token, offset)
    for offset in (-1, 1.5, True, "0"):
        with pytest.raises(InvalidInputError):
            view.answer_handed(handed["token"], offset)  # type: ignore[arg-type]


def test_nothing_stays_on_the_disk_when_a_view_is_closed(shared_wb: Workbench, analysed: Track) -> None:
    view = AnalysisView(shared_wb, analysed)
    paths: list[Path] = []
    view.hand_over("a.txt", lambda path: (paths.append(path), path.write_text("a")))
    with pytest.raises(ZeroDivisionError):
        view.hand_over("b.txt", lambda path: (paths.append(path), 1 / 0))
    assert paths[0].exists()
    view.close()
    assert [path.parent.exists() for path in paths] == [False, False]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b\\c.json", "a_b_c.json"),
        ("..", "sound-forge"),
        ("", "sound-forge"),
        ("x" * 300 + ".csv", "x" * 100 + ".csv"),
    ],
)
def test_names_of_files_are_safe(name: str, safe: str) -> None:
    assert file_name(name) == safe


def test_a_track_without_an_analysis_is_analysed_from_the_view(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track = shared_wb.add(song(8, seed=2))
    view = AnalysisView(shared_wb, track)
    assert view.answer_analysis()["state"] == "missing"
    assert "no analysis yet" in view.still()
    seen: list[str] = []
    ready = Event()
    view.observe(lambda change: seen.append(change["new"].get("status", "none")), "job")
    view.on_change(lambda _track: ready.set())
    view.answer_analyze()
    assert ready.wait(60)
    assert seen[0] in ("queued", "processing")
    assert seen[-1] == "none"
    assert view.answer_analysis()["state"] == "ready"


def test_a_view_that_is_opened_later_shows_the_work_that_goes_on(
    shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    track = shared_wb.add(song(60, seed=3))
    job = shared_wb.analyze(track)
    view = AnalysisView(shared_wb, track)
    assert view.job.get("id") == job.id or job.status == "completed"
    view.answer_cancel()
    view.answer_dismiss()
    assert view.job == {}


def test_without_a_track_the_view_says_so(shared_wb: Workbench) -> None:
    view = AnalysisView(shared_wb)
    assert view.answer_analysis() == {"state": "none"}
    assert view.still() == ""
    for answer in (view.answer_analyze, lambda: view.answer_export("json"), lambda: view.answer_correct({"tempo": 90})):
        with pytest.raises(InvalidInputError, match="No track is open"):
            answer()


def test_a_deleted_track_is_told_as_a_sentence(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track = shared_wb.add(song(3, seed=4))
    view = AnalysisView(shared_wb, track)
    shared_wb.delete(track)
    with pytest.raises(NotFoundError):
        view.answer_analysis()
