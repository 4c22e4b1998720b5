"""The library browser, as its page speaks to it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.widgets.browser import COVER_SIDE, LibraryBrowser


def _with_cover(path: Path, size: tuple[int, int]) -> Path:
    """Write an MP3 that carries a red picture."""
    picture = io.BytesIO()
    Image.new("RGB", size, (200, 20, 20)).save(picture, "PNG")
    with av.open(str(path), "w") as container:
        audio = container.add_stream("mp3", rate=44100)
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height = size
        cover.pix_fmt = "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_image(Image.open(picture))
        for packet in [*cover.encode(frame), *cover.encode(None)]:
            container.mux(packet)
        for _ in range(40):
            silence = av.AudioFrame(format="fltp", layout="stereo", samples=1152)
            silence.sample_rate = 44100
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            for packet in audio.encode(silence):
                container.mux(packet)
        for packet in audio.encode(None):
            container.mux(packet)
    return path


def test_tracks_come_in_pages_with_what_their_row_shows(wb: Workbench, song: Callable[..., Path]) -> None:
    for number in range(5):
        wb.add(song(1, seed=number), id=f"t{number}", title=f"Song {number}", artist="Ada")
    browser = LibraryBrowser(wb)
    page = browser.answer_tracks(sort="-title", offset=1, limit=2)
    assert page["total"] == 5
    assert [row["title"] for row in page["rows"]] == ["Song 3", "Song 2"]
    assert page["rows"][0]["duration"] == pytest.approx(1.0)
    assert page["rows"][0]["hasStems"] is False
    assert browser.answer_tracks(search="song 4")["total"] == 1
    assert browser.answer_tracks(search="nothing like it") == {"total": 0, "rows": []}


@pytest.mark.parametrize("bad", [{"offset": "1"}, {"offset": -1}, {"sort": "hash"}, {"search": 7}, {"limit": True}])
def test_a_question_that_makes_no_sense_is_refused(shared_wb: Workbench, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        LibraryBrowser(shared_wb).answer_tracks(**bad)


def test_what_is_deleted_can_be_had_back(wb: Workbench, song: Callable[..., Path]) -> None:
    track = wb.add(song(1), title="Gone")
    browser, opened, removed, restored = LibraryBrowser(wb), [], [], []
    assert not browser.can_open
    browser.on_open(opened.append)
    browser.on_remove(removed.append)
    browser.on_restore(restored.append)
    assert browser.can_open
    browser.answer_open(track.id)
    assert (opened, browser.selected) == ([track.id], track.id)
    assert browser.answer_trash(track.id) == {"id": track.id, "title": "Gone"}
    assert (removed, browser.selected) == ([track.id], "")
    assert browser.answer_tracks()["total"] == 0
    with pytest.raises(NotFoundError):
        browser.answer_open(track.id)
    browser.answer_restore([track.id])
    assert browser.answer_tracks()["total"] == 1
    assert restored == [track.id]


def test_a_track_that_somebody_else_deletes_is_chosen_no_more(wb: Workbench, song: Callable[..., Path]) -> None:
    gone, kept = (wb.add(song(1, seed=seed)) for seed in (1, 2))
    browser = LibraryBrowser(wb)
    browser.selected = gone.id
    browser.answer_tracks(search="nothing like it")
    assert browser.selected == gone.id, "it is only out of sight"
    wb.trash(gone)
    assert [row["id"] for row in browser.answer_tracks()["rows"]] == [kept.id]
    assert browser.selected == ""


def test_a_track_is_renamed_and_a_title_can_not_be_empty(wb: Workbench, song: Callable[..., Path]) -> None:
    track, browser = wb.add(song(1)), LibraryBrowser(wb)
    browser.answer_edit(track.id, "New", "Someone", "Debut")
    assert (wb.track(track).title, wb.track(track).artist, wb.track(track).album) == ("New", "Someone", "Debut")
    with pytest.raises(InvalidInputError):
        browser.answer_edit(track.id, " ", "", "")


def test_tempo_and_key_follow_what_a_person_says(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track, browser = shared_wb.add(song(10, seed=91)), LibraryBrowser(shared_wb)
    bare = shared_wb.add(song(1, seed=92))
    shared_wb.analyze(track).wait()
    facts = browser.answer_facts([track.id, bare.id])
    assert facts[track.id]["tempo"] == pytest.approx(120, rel=0.02)
    assert facts[bare.id] == {"tempo": None, "key": None}
    shared_wb.correct(track, tempo=60.0, key="A minor")
    assert browser.answer_facts([track.id], fresh=True) == {track.id: {"tempo": 60.0, "key": "A minor"}}
    with pytest.raises(InvalidInputError):
        browser.answer_facts([track.id] * 101)


def test_covers_are_small_squares(shared_wb: Workbench, song: Callable[..., Path], tmp_path: Path) -> None:
    having = shared_wb.add(_with_cover(tmp_path / "cover.mp3", (600, 400)))
    bare = shared_wb.add(song(1, seed=93))
    ids, pictures = LibraryBrowser(shared_wb).answer_artwork([bare.id, having.id, "nonsense"])
    assert ids == [having.id]
    picture = Image.open(io.BytesIO(pictures[0]))
    assert picture.size == (COVER_SIDE, COVER_SIDE)
    red, green, blue = picture.getpixel((COVER_SIDE // 2, COVER_SIDE // 2))
    assert red > 150 > 60 > max(green, blue)
    assert len(pictures[0]) < 10_000


def test_the_pulse_tells_of_running_jobs_and_changes_when_they_end(wb: Workbench, song: Callable[..., Path]) -> None:
    track, browser = wb.add(song(3)), LibraryBrowser(wb)
    before = browser.answer_pulse()
    assert before == browser.answer_pulse()
    job = wb.separate(track, "embedded")
    assert browser.answer_pulse()["running"][track.id]["what"] == "Separation"
    job.wait()
    after = browser.answer_pulse()
    assert after["running"] == {}
    assert after["stamp"] != before["stamp"]


def test_a_saved_notebook_keeps_the_first_tracks(wb: Workbench, song: Callable[..., Path]) -> None:
    browser = LibraryBrowser(wb)
    assert "No tracks" in browser.still()
    for number in range(12):
        wb.add(song(1, seed=number), title=f"<i>{number}</i>")
    still = browser.still()
    assert still.count("<tr>") == 11
    assert "10 of 12" in still
    assert "<i>" not in still
