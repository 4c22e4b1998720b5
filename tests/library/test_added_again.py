"""Audio that is added again while a track with it is being deleted: whoever was told that it is there finds it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfwidgets.library import Library, Shared
from sfwidgets.settings import Settings

Song = Callable[..., Path]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    shared = Shared(Settings(library=tmp_path / "library"))
    yield shared.of("ann")
    shared.close()


def add(library: Library, song: Path) -> None:
    library.add(song, track_id="one", fields={})


def test_between_the_row_s_end_and_the_file_s(library: Library, song: Song, monkeypatch: pytest.MonkeyPatch) -> None:
    file = song(0.2)
    add(library, file)
    delete = library.tracks.delete

    def delete_and_lose_the_race(track_id: str) -> Any:
        gone = delete(track_id)
        add(library, file)
        return gone

    monkeypatch.setattr(library.tracks, "delete", delete_and_lose_the_race)
    library.delete("one")
    assert library.audio_path("one").read_bytes() == file.read_bytes()
    monkeypatch.undo()
    library.delete("one")
    assert not list((library.store.root / "audio").rglob("*.wav"))


def test_between_the_file_s_beginning_and_the_row_s(
    library: Library, song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = song(0.2)
    add(library, file)
    published, deleted = threading.Event(), threading.Event()
    publish, delete = library.store.publish, library.tracks.delete

    def publish_and_wait(temporary: Path, name: Path) -> None:
        publish(temporary, name)
        published.set()
        assert deleted.wait(30)

    def delete_and_tell(track_id: str) -> Any:
        try:
            return delete(track_id)
        finally:
            deleted.set()

    monkeypatch.setattr(library.store, "publish", publish_and_wait)
    monkeypatch.setattr(library.tracks, "delete", delete_and_tell)
    adding = threading.Thread(target=add, args=(library, file))
    adding.start()
    assert published.wait(30)
    library.delete("one")
    adding.join(30)
    assert library.audio_path("one").read_bytes() == file.read_bytes()
