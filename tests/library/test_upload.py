"""Files that arrive in parts."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sfwidgets import Workbench
from sfwidgets.audio import trial
from sfwidgets.errors import AudioError, ConflictError, DiskFullError, InvalidInputError
from sfwidgets.library import Shared, uploads
from sfwidgets.library.uploads import TooLargeError

Song = Callable[..., Path]


def files(root: Path) -> set[str]:
    return {str(f.relative_to(root)) for area in ("audio", "tmp") for f in (root / area).rglob("*") if f.is_file()}


def send(upload, data: bytes, part: int = 50_000) -> None:
    for offset in range(0, len(data), part):
        upload.write(offset, data[offset : offset + part])


def test_a_file_in_parts_is_the_track_that_the_file_would_be(wb: Workbench, song: Song) -> None:
    path = song(1)
    data = path.read_bytes()
    upload = wb.upload("song.wav", len(data))
    send(upload, data)
    assert upload.received == len(data)
    track = upload.finish()
    assert track.content_hash == hashlib.sha256(data).hexdigest()
    assert (track.title, track.id) == ("song", track.content_hash[:16])
    assert wb.path(track).read_bytes() == data
    assert wb.add(path) == track
    assert len(files(wb.settings.library)) == 1


def test_a_title_may_be_given(wb: Workbench, song: Song) -> None:
    data = song(1).read_bytes()
    upload = wb.upload("song.wav", len(data))
    upload.write(0, memoryview(data))
    with pytest.raises(InvalidInputError, match="empty"):
        upload.finish(title=" ")
    assert upload.finish(title="Mine").title == "Mine"


@pytest.mark.parametrize(
    ("name", "title", "suffix"),
    [
        ("../../etc/pass wd.wav", "pass wd", ".wav"),
        ("C:\\Music\\Lied.WAV", "Lied", ".wav"),
        ("/absolute/x", "x", ""),
        ("a.w/../b.w\0v", "b", ""),
        ("", "upload", ""),
        ("..", "..", ""),
        ("Ünï\ncode 日本.flac", "Ünï code 日本", ".flac"),
        ("x" * 5000 + ".wav", "x" * 200, ".wav"),
    ],
)
def test_a_name_gives_a_title_and_a_plain_suffix_and_nothing_else(
    wb: Workbench, song: Song, name: str, title: str, suffix: str
) -> None:
    data = song(1).read_bytes()
    upload = wb.upload(name, len(data))
    upload.write(0, data)
    track = upload.finish()
    assert track.title == title
    stored = wb.path(track)
    assert stored.name == f"{track.content_hash}{suffix}"
    assert stored.is_relative_to(wb.settings.library / "audio")


@pytest.mark.parametrize("size", [0, -1, 4 * 2**30 + 1])
def test_nothing_and_too_much_are_refused_at_once(wb: Workbench, size: int) -> None:
    with pytest.raises(InvalidInputError):
        wb.upload("a.wav", size)
    with pytest.raises(InvalidInputError):
        wb.upload("a.wav", "many")
    assert list((wb.settings.library / "tmp").iterdir()) == []


def test_no_room_is_told_before_anything_is_sent(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(wb.settings.library)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=70 * 2**20))
    with pytest.raises(DiskFullError, match="room"):
        wb.upload("a.wav", 10 * 2**20)
    wb.upload("a.wav", 5 * 2**20)


def test_parts_come_in_order_and_there_is_none_too_many(wb: Workbench, song: Song) -> None:
    data = song(1).read_bytes()
    upload = wb.upload("song.wav", len(data))
    upload.write(0, data[:1000])
    for offset in (0, 999, 1001, -1):
        with pytest.raises(InvalidInputError, match="order"):
            upload.write(offset, data[offset : offset + 10])
    with pytest.raises(InvalidInputError, match="order"):
        upload.write(1000, data[1000:] + b"x")
    with pytest.raises(InvalidInputError, match="Only 1000 of"):
        upload.finish()
    upload.write(1000, data[1000:])
    assert wb.path(upload.finish()).read_bytes() == data


def test_an_upload_that_was_broken_off_leaves_nothing(wb: Workbench) -> None:
    upload = wb.upload("song.wav", 100)
    upload.write(0, b"x" * 50)
    upload.abort()
    upload.abort()
    assert files(wb.settings.library) == set()
    for late in (lambda: upload.write(50, b"x"), upload.finish):
        with pytest.raises(ConflictError, match="ended"):
            late()


def test_what_is_not_audio_is_told_by_its_own_name_and_leaves_nothing(wb: Workbench) -> None:
    text = b"this is not music\n" * 100
    upload = wb.upload("My notes.mp3", len(text))
    upload.write(0, text)
    with pytest.raises(AudioError, match=r"My notes\.mp3"):
        upload.finish()
    assert files(wb.settings.library) == set()
    assert wb.tracks().total == 0


def test_the_sweep_takes_an_upload_that_nobody_adds_to_and_leaves_others(wb: Workbench) -> None:
    old, busy = wb.upload("a.wav", 100), wb.upload("b.wav", 100)
    for folder in (wb.settings.library / "tmp").iterdir():
        os.utime(folder, (time.time() - 7200,) * 2)
    busy.write(0, b"x" * 10)
    shared = Shared(wb.settings)
    shared.sweep()
    shared.close()
    with pytest.raises(ConflictError):
        old.write(0, b"x")
    busy.write(10, b"x")


def test_the_end_of_a_file_of_unknown_size_is_where_it_is_finished(wb: Workbench, song: Song) -> None:
    data = song(1).read_bytes()
    upload = wb.upload("song.wav")
    send(upload, data)
    track = upload.finish("T", track_id="mine", artist="A", album="B")
    assert (track.id, track.title, track.artist, track.album) == ("mine", "T", "A", "B")
    assert wb.path(track).read_bytes() == data
    empty = wb.upload("nothing.wav")
    with pytest.raises(AudioError, match=r"nothing\.wav is empty"):
        empty.finish()


def test_an_id_is_looked_at_and_is_for_one_audio(wb: Workbench, song: Song) -> None:
    wb.add(song(1, seed=1, name="a.wav"), id="mine")
    upload = wb.upload("b.wav")
    upload.write(0, song(1, seed=2).read_bytes())
    with pytest.raises(InvalidInputError, match="1 to 64"):
        upload.finish(track_id="../mine")
    with pytest.raises(ConflictError, match="other audio"):
        upload.finish(track_id="mine")
    assert len(files(wb.settings.library)) == 1


def test_the_limits_hold_while_a_file_grows(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    upload = wb.upload("a.wav")
    upload.write(0, b"x" * 1000)
    with pytest.raises(TooLargeError, match="4 GiB") as told:
        upload.write(1000, b"x")
    assert told.value.status == 413
    usage = shutil.disk_usage(wb.settings.library)
    other = wb.upload("b.wav")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=uploads.SPARE_BYTES + 10))
    other.write(0, b"x" * 10)
    with pytest.raises(DiskFullError, match=r"b\.wav"):
        other.write(10, b"x" * 11)


def test_a_file_that_takes_too_long_to_open_is_refused(
    wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.001)
    upload = wb.upload("song.wav")
    upload.write(0, song(1).read_bytes())
    with pytest.raises(AudioError, match=r"song\.wav can't be read"):
        upload.finish()
    assert files(wb.settings.library) == set()


def test_a_file_that_crashes_the_reader_is_refused(
    wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))
    upload = wb.upload("song.wav")
    upload.write(0, song(1).read_bytes())
    with pytest.raises(AudioError, match=r"song\.wav can't be read"):
        upload.finish()
