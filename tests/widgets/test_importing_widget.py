"""The import panel, as its page speaks to it."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfwidgets import Workbench
from sfwidgets.errors import AudioError, ConflictError, InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.widgets.importing import LARGEST_CHUNK, OPEN_UPLOADS, ImportPanel

ALL = {"model": "embedded", "separate": True, "analyze": True, "stems": None, "twoStems": None}
ONLY_ADD = {"separate": False, "analyze": False}


def _send(panel: ImportPanel, file: Path, settings: dict[str, Any], *, name: str = "", shuffle: int = 0) -> str:
    content = file.read_bytes()
    upload = panel.answer_begin(name or file.name, len(content), settings)["upload"]
    offsets = list(range(0, len(content), 100_000))
    if shuffle:
        random.Random(shuffle).shuffle(offsets)
    for offset in offsets:
        panel.answer_chunk(upload, offset, [memoryview(content[offset : offset + 100_000])])
    return upload


def test_one_press_uploads_adds_separates_and_analyses(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    panel, done, jobs = ImportPanel(shared_wb), threading.Event(), []
    finished: list[str] = []
    panel.on_jobs(jobs.append)
    panel.on_done(lambda track_id: (finished.append(track_id), done.set()))
    file = song(3, seed=81, name="My Song.wav")
    item = panel.answer_finish(_send(panel, file, ALL, shuffle=4))
    assert item["title"] == "My Song"
    assert done.wait(120)
    track = shared_wb.track(finished[0])
    assert hashlib.sha256(shared_wb.path(track).read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()
    assert track.has_stems
    assert track.has_analysis
    assert [job.kind for job in jobs] == ["processing"]
    shown = panel.answer_state()[0]
    assert (shown["state"], [job["status"] for job in shown["jobs"]]) == ("done", ["completed", "completed"])
    assert finished == [track.id], "told once"


def test_a_track_is_told_of_once_it_is_added_before_anything_is_made_of_it(
    shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    panel, told = ImportPanel(shared_wb), threading.Event()
    added: list[tuple[str, bool]] = []
    panel.on_added(lambda track_id: (added.append((track_id, shared_wb.track(track_id).has_stems)), told.set()))
    item = panel.answer_finish(_send(panel, song(3, seed=86), ALL))
    assert told.wait(30)
    assert added == [(item["trackId"], False)]


def test_what_was_added_first_is_the_first_on_the_list_and_is_made_first(
    shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    panel, all_asked, jobs = ImportPanel(shared_wb), threading.Event(), []
    panel.on_jobs(lambda job: (jobs.append(job), len(jobs) == 3 and all_asked.set()))
    only_analyse = {"separate": False, "analyze": True}
    uploads = [_send(panel, song(1, seed=seed, name=f"{seed}.wav"), only_analyse) for seed in (871, 872, 873)]
    for upload in reversed(uploads):
        panel.answer_finish(upload)
    assert all_asked.wait(60)
    assert [item["key"] for item in panel.answer_state()] == uploads
    asked = sorted(jobs, key=lambda job: job.value.created_at)
    assert [job.track.title for job in asked] == ["871", "872", "873"]


def test_a_file_does_not_wait_long_for_one_that_was_added_before_it(
    shared_wb: Workbench, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfwidgets.widgets.importing.HELD_SECONDS", 0.1)
    panel, asked = ImportPanel(shared_wb), threading.Event()
    panel.on_jobs(lambda _: asked.set())
    panel.answer_begin("endless.wav", 1 << 30, ALL)
    panel.answer_finish(_send(panel, song(1, seed=874), {"separate": False, "analyze": True}))
    assert asked.wait(30)
    panel.close()


def test_those_that_are_done_are_taken_off_the_list_and_others_stay(
    wb: Workbench, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, failed = ImportPanel(wb), threading.Event()
    panel.observe(lambda change: any(item["state"] == "failed" for item in change.new) and failed.set(), "items")

    def refuse(*_: Any, **__: Any) -> None:
        raise ConflictError("Not now.")

    monkeypatch.setattr(wb, "analyze", refuse)
    for seed in (88, 89):
        panel.answer_finish(_send(panel, song(1, seed=seed), ONLY_ADD))
    bad = panel.answer_finish(_send(panel, song(1, seed=90), {"separate": False, "analyze": True}))
    assert failed.wait(30)
    panel.answer_forget_done()
    assert [item["key"] for item in panel.items] == [bad["key"]]
    assert wb.tracks().total == 3, "the tracks stay"


def test_two_stems_are_asked_for_as_the_page_says(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    panel, done = ImportPanel(shared_wb), threading.Event()
    panel.on_done(lambda _: done.set())
    settings = {**ALL, "analyze": False, "twoStems": "vocals"}
    item = panel.answer_finish(_send(panel, song(2, seed=82), settings))
    assert done.wait(60)
    assert {Path(stem.name).stem for stem in shared_wb.stems(item["trackId"]).stems} == {"vocals", "no_vocals"}


def test_a_file_that_is_not_audio_has_its_sentence_and_others_go_on(
    shared_wb: Workbench, song: Callable[..., Path], tmp_path: Path
) -> None:
    panel, before = ImportPanel(shared_wb), set(shared_wb.settings.library.glob("**/upload-*"))
    text = tmp_path / "notes.txt"
    text.write_text("These are notes. " * 1000)
    bad = _send(panel, text, ONLY_ADD)
    good = _send(panel, song(1, seed=83), ONLY_ADD)
    with pytest.raises(AudioError, match=r"notes\.txt"):
        panel.answer_finish(bad)
    assert panel.answer_finish(good)["trackId"]
    with pytest.raises(NotFoundError):
        panel.answer_finish(bad)
    assert set(shared_wb.settings.library.glob("**/upload-*")) <= before, "nothing is left behind"


def test_chunks_that_come_twice_are_no_fault_and_those_that_do_not_fit_are(
    shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    panel = ImportPanel(shared_wb)
    content = song(1, seed=84).read_bytes()
    upload = panel.answer_begin("song.wav", len(content), ONLY_ADD)["upload"]
    half = len(content) // 2
    second = [memoryview(content[half:])]
    assert panel.answer_chunk(upload, half, second)["received"] == 0, "it waits for the first half"
    with pytest.raises(ConflictError):
        panel.answer_finish(upload)
    upload = panel.answer_begin("song.wav", len(content), ONLY_ADD)["upload"]
    for _ in range(2):
        assert panel.answer_chunk(upload, 0, [memoryview(content[:half])])["received"] == half
    for offset, data in ((half - 1, second), (half, [memoryview(content[half:] + b"!")]), (half, [memoryview(b"")])):
        with pytest.raises(InvalidInputError):
            panel.answer_chunk(upload, offset, data)
    with pytest.raises(InvalidInputError):
        panel.answer_chunk(upload, half, [memoryview(bytes(LARGEST_CHUNK + 1))])
    assert panel.answer_chunk(upload, half, second)["received"] == len(content)
    assert panel.answer_finish(upload)["state"] == "done"
    panel.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "nonsense"},
        {**ALL, "twoStems": "kazoo"},
        {**ALL, "stems": []},
        {"model": 7},
        "embedded",
        {"stems": "x"},
    ],
)
def test_settings_that_can_not_be_met_are_refused_before_anything_is_sent(shared_wb: Workbench, settings: Any) -> None:
    with pytest.raises(SoundForgeError):
        ImportPanel(shared_wb).answer_begin("song.wav", 1000, settings)


@pytest.mark.parametrize("size", [0, -1, 2**40, "7", True])
def test_a_size_that_can_not_be_is_refused(shared_wb: Workbench, size: Any) -> None:
    with pytest.raises(InvalidInputError):
        ImportPanel(shared_wb).answer_begin("song.wav", size, ONLY_ADD)


def test_a_name_from_the_page_is_never_a_place_on_the_disk(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    panel = ImportPanel(shared_wb)
    upload = _send(panel, song(1, seed=85), ONLY_ADD, name="../../..\\etc/My\nsong.wav")
    item = panel.answer_finish(upload)
    assert item["title"] == "My song"
    assert shared_wb.path(item["trackId"]).is_relative_to(shared_wb.settings.library)


def test_a_page_can_not_open_uploads_without_end_and_an_abort_makes_room(shared_wb: Workbench) -> None:
    panel = ImportPanel(shared_wb)
    open_ones = [panel.answer_begin("song.wav", 1000, ONLY_ADD)["upload"] for _ in range(OPEN_UPLOADS)]
    with pytest.raises(ConflictError):
        panel.answer_begin("song.wav", 1000, ONLY_ADD)
    panel.answer_abort(open_ones[0])
    panel.answer_begin("song.wav", 1000, ONLY_ADD)
    panel.close()
    with pytest.raises(NotFoundError):
        panel.answer_chunk(open_ones[1], 0, [memoryview(b"x")])
