"""Folders of one's own audio: everything in them that is audio, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sfwidgets import Workbench
from sfwidgets.audio.folder import audio_files
from sfwidgets.errors import DiskFullError, InvalidInputError
from sfwidgets.models import Track

Song = Callable[..., Path]


@pytest.fixture
def music(song: Song, tmp_path: Path) -> Path:
    """A collection such as people have: albums, a copy, a broken file, pictures, links, what a Mac leaves behind."""
    root = tmp_path / "music"
    for name in ("b album/01 one.wav", "b album/02 two.wav", "a.wav", "b album/.hidden.wav", ".trash/gone.wav"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        song(1, seed=sum(map(ord, name)), name=f"music/{name}")
    (root / "c").mkdir()
    (root / "c" / "Copy of One.WAV").write_bytes((root / "b album" / "01 one.wav").read_bytes())
    (root / "c" / "broken.mp3").write_text("not music")
    (root / "c" / "cover.jpg").write_text("a picture")
    (root / "c" / "._02 two.wav").write_text("a Mac's")
    (root / "c" / "round").symlink_to(root)
    return root


def test_a_folder_gives_its_audio_in_order_and_says_what_it_refused(wb: Workbench, music: Path) -> None:
    told: list[tuple[str, str]] = []
    found = wb.add_folder(music, lambda file, fate, _: told.append((file.name, fate)))
    assert [track.title for track in found.added] == ["a", "01 one", "02 two"]
    assert found.known == []
    assert [(file.name, "can't be decoded" in why) for file, why in found.refused.items()] == [("broken.mp3", True)]
    assert told == [
        ("a.wav", "added"), ("01 one.wav", "added"), ("02 two.wav", "added"), ("Copy of One.WAV", "known"),
        ("broken.mp3", "refused"),
    ]  # fmt: skip
    again = wb.add_folder(music)
    assert [track.id for track in again.known] == [track.id for track in found.added]
    assert again.added == []
    assert str(again) == "0 added, 3 there already, 1 refused"
    assert wb.tracks().total == 3


def test_a_link_to_a_folder_is_followed_but_never_round_and_round(song: Song, tmp_path: Path) -> None:
    song(1, name="else.wav")
    (tmp_path / "music" / "deep").mkdir(parents=True)
    (tmp_path / "music" / "elsewhere").symlink_to(tmp_path)
    assert [str(file.relative_to(tmp_path / "music")) for file in audio_files(tmp_path / "music")] == [
        "elsewhere/else.wav"
    ]


def test_a_folder_that_may_not_be_read_is_told(wb: Workbench, song: Song, tmp_path: Path) -> None:
    song(1, name="song.wav")
    faults: list[OSError] = []
    assert list(audio_files(tmp_path / "nowhere", faults.append)) == []
    assert [fault.filename for fault in faults] == [str(tmp_path / "nowhere")]
    with pytest.raises(InvalidInputError, match="There is no folder"):
        wb.add_folder(tmp_path / "song.wav")


def test_names_that_no_text_can_hold_are_taken_too(wb: Workbench, song: Song, tmp_path: Path) -> None:
    song(1).rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    [track] = wb.add_folder(tmp_path).added
    assert track.title.startswith("caf")
    track.title.encode()


def test_the_library_is_not_added_to_itself(wb: Workbench, song: Song, tmp_path: Path) -> None:
    song(1)
    wb.add_folder(tmp_path)
    assert list(audio_files(wb.settings.library)), "it lies in that folder, and has audio in it"
    told: list[Path] = []
    wb.add_folder(tmp_path, lambda file, *_: told.append(file))
    assert told == [tmp_path / "song.wav"]


def test_a_disk_that_is_full_ends_it_and_keeps_what_was_added(
    wb: Workbench, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = wb.add

    def full(source: Path) -> Track:
        if source.name == "02 two.wav":
            raise DiskFullError("There is no room.")
        return add(source)

    monkeypatch.setattr(wb, "add", full)
    with pytest.raises(DiskFullError):
        wb.add_folder(music)
    assert sorted(track.title for track in wb.tracks()) == ["01 one", "a"]
