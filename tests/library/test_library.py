"""Tracks in the library: added, found, edited, deleted, and kept apart by owner."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from sfwidgets import Workbench
from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from sfwidgets.library import Shared
from sfwidgets.library.database import HEAD, MIGRATIONS
from sfwidgets.settings import Settings

Song = Callable[..., Path]


def files(root: Path) -> set[str]:
    areas = ("audio", "stems", "tmp")
    return {str(f.relative_to(root)) for area in areas for f in (root / area).rglob("*") if f.is_file()}


def test_a_track_gets_its_id_from_its_content(wb: Workbench, song: Song) -> None:
    path = song(1)
    track = wb.add(path)
    assert track.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert track.id == track.content_hash[:16]
    assert (track.title, track.sample_rate, track.channels) == ("song", 44100, 2)
    assert track.duration == pytest.approx(1.0, abs=1e-3)


def test_the_same_file_twice_is_one_track(wb: Workbench, song: Song, tmp_path: Path) -> None:
    first = wb.add(song(1))
    shutil.copy(tmp_path / "song.wav", tmp_path / "again.wav")
    assert wb.add(tmp_path / "again.wav") == first
    assert wb.tracks().total == 1


def test_a_track_takes_the_id_it_is_given(wb: Workbench, song: Song) -> None:
    assert wb.add(song(1), id="4uLU6hMCjMI75M1A2tKUQC").id == "4uLU6hMCjMI75M1A2tKUQC"
    with pytest.raises(ConflictError, match="other audio"):
        wb.add(song(1, seed=1, name="b.wav"), id="4uLU6hMCjMI75M1A2tKUQC")
    assert len(files(wb.settings.library)) == 1


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a\0b", "ä", "x" * 65, "a b", "../../etc/passwd"])
def test_a_malformed_id_is_turned_away_and_writes_nothing(wb: Workbench, song: Song, bad: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        wb.add(song(1), id=bad)
    assert caught.value.code == "invalid_id"
    assert not files(wb.settings.library)


def test_the_added_file_is_a_copy(wb: Workbench, song: Song) -> None:
    path = song(1)
    content = path.read_bytes()
    track = wb.add(path)
    path.unlink()
    assert wb.path(track).read_bytes() == content


def test_tracks_are_searched_sorted_and_paged(wb: Workbench, song: Song) -> None:
    for number, title in enumerate(["Beta 100%", "alpha_1", "Gamma"]):
        wb.add(song(1, seed=number, name=f"{number}.wav"), title=title, artist="Ünïcode" if number == 2 else "")
    assert [t.title for t in wb.tracks(sort="title")] == ["alpha_1", "Beta 100%", "Gamma"]
    assert [t.title for t in wb.tracks("ALPHA")] == ["alpha_1"]
    assert [t.title for t in wb.tracks("%")] == ["Beta 100%"]
    assert [t.title for t in wb.tracks("_")] == ["alpha_1"]
    page = wb.tracks(sort="-title", limit=1, offset=1)
    assert (page.total, [t.title for t in page]) == (3, ["Beta 100%"])
    with pytest.raises(InvalidInputError):
        wb.tracks(sort="loudness; DROP TABLE tracks")


def test_title_and_artist_can_be_edited(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    wb.edit(track, title="Neu", artist="Wer")
    assert (wb.track(track).title, wb.track(track).artist) == ("Neu", "Wer")
    with pytest.raises(InvalidInputError, match="empty"):
        wb.edit(track, title="  ")


def test_a_deleted_track_leaves_no_files(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    assert wb.usage(track).audio > 0
    wb.delete(track)
    assert not files(wb.settings.library)
    with pytest.raises(NotFoundError):
        wb.track(track)


def test_audio_that_two_tracks_share_stays_until_the_last_has_gone(wb: Workbench, song: Song) -> None:
    path = song(1)
    first, second = wb.add(path, id="one"), wb.add(path, id="two")
    wb.delete(first)
    assert wb.path(second).exists()
    wb.delete(second)
    assert not files(wb.settings.library)


def test_two_owners_may_use_the_same_id_and_never_notice(wb: Workbench, song: Song) -> None:
    other = Workbench(wb.settings.library, owner="somebody-else")
    mine, theirs = wb.add(song(1), id="same"), other.add(song(1, seed=5, name="o.wav"), id="same", title="Theirs")
    assert mine.content_hash != theirs.content_hash
    assert wb.track("same").title == "song"
    other.delete("same")
    assert wb.path("same").exists()
    with pytest.raises(NotFoundError):
        other.track("same")
    other.close()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p: p / "nowhere.wav", "file_missing"),
        (lambda p: p, "is_a_folder"),
        (lambda p: _written(p / "empty.wav", b""), "audio_empty"),
        (lambda p: _written(p / "text.mp3", b"this is not music\n" * 100), "audio_undecodable"),
    ],
)
def test_what_is_not_audio_is_turned_away_and_leaves_nothing(
    wb: Workbench, tmp_path: Path, make: Callable[[Path], Path], code: str
) -> None:
    with pytest.raises(Exception) as caught:
        wb.add(make(tmp_path))
    assert caught.value.code == code
    assert wb.tracks().total == 0
    assert not files(wb.settings.library)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_two_processes_may_open_a_new_library_at_once(tmp_path: Path, song: Song) -> None:
    program = "import sys; from sfwidgets import Workbench; wb = Workbench(sys.argv[1]); print(wb.add(sys.argv[2]).id)"
    command = [sys.executable, "-c", program, str(tmp_path / "library"), str(song(1))]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({p.communicate(timeout=60)[0] for p in both}) == 1
    assert [p.returncode for p in both] == [0, 0, 0]


def test_what_a_dead_process_left_half_made_is_swept_away(tmp_path: Path, song: Song) -> None:
    shared = Shared(Settings(library=tmp_path / "library"))
    shared.of("local").add(song(1), track_id=None, fields={})
    new, old = shared.store.workspace("add-new"), shared.store.workspace("add-old")
    stray = shared.store.path("audio/local/ab/abcd.wav")
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.touch()
    ended, running = shared.store.workspace("gone-1"), None
    job, _ = shared.jobs.submit("local", "processing", "t", {}, settings={})
    claim = shared.jobs.claim(job.id, "holder")
    assert claim is not None
    running = shared.store.workspace(f"{job.id}-1")
    earlier = shared.store.workspace(f"{job.id}-0")
    for path in (old, stray, ended):
        os.utime(path, (time.time() - 7200,) * 2)
    shared.sweep()
    assert new.exists()
    assert running.exists()
    assert not any(path.exists() for path in (old, stray, ended, earlier))


def test_the_sweep_with_another_librarys_database_removes_nothing(
    tmp_path: Path, song: Song, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(library=tmp_path / "library")
    shared = Shared(settings)
    for seed in range(2):
        shared.of("local").add(song(1, seed=seed), track_id=None, fields={})
    made = shared.store.path(shared.store.stems_name("local", "ab" * 32, "0123-1"))
    made.mkdir(parents=True)
    shared.close()
    kept = [made, *(settings.library / "audio").glob("*/*/*")]
    for path in kept:
        os.utime(path, (time.time() - 7200,) * 2)
    other = Shared(settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{tmp_path}/other.db")}))
    assert other.sweep() == []
    assert all(path.exists() for path in kept)
    assert "another library's" in caplog.text


def test_the_newest_migration_is_the_one_that_opening_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_the_schema_that_the_code_speaks(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sfwidgets.library.schema import SEARCH_INDEXES, metadata

    def but_for_search(name: str | None, kind: str, _of: Any) -> bool:
        return kind != "index" or name not in SEARCH_INDEXES

    shared = Shared(Settings(library=tmp_path / "library"))
    with shared.database.read() as connection:
        assert (
            compare_metadata(MigrationContext.configure(connection, opts={"include_name": but_for_search}), metadata)
            == []
        )


def test_the_same_audio_under_two_suffixes_is_kept_once(wb: Workbench, song: Song, tmp_path: Path) -> None:
    first = wb.add(song(1))
    shutil.copy(tmp_path / "song.wav", tmp_path / "song.wave")
    assert wb.add(tmp_path / "song.wave", title="Renamed").id == first.id
    assert wb.track(first).title == "Renamed"
    assert len(files(wb.settings.library)) == 1


def test_no_suffix_of_audio_collides_with_its_peaks(wb: Workbench, song: Song, tmp_path: Path) -> None:
    shutil.copy(song(1), tmp_path / "song.dat")
    track = wb.add(tmp_path / "song.dat")
    store = wb._library.store
    assert wb.path(track) != store.path(store.peaks_name(track.owner, str(track.content_hash)))


def test_a_library_that_cannot_be_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="AUDIO_DATA_PATH"):
        Workbench(tmp_path / "file")
    with pytest.raises(InvalidInputError, match="DATABASE_URL"):
        Shared(Settings(library=tmp_path / "library", database_url="garbage"))
