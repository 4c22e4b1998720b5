"""Tracks that were deleted and can be had back for a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from services.everywhere import empty
from sqlalchemy import create_engine, text, update

from sfwidgets import Workbench
from sfwidgets.errors import ConflictError, NotFoundError
from sfwidgets.library import Shared
from sfwidgets.library.database import migrate
from sfwidgets.library.schema import tracks
from sfwidgets.settings import Settings

Song = Callable[..., Path]


def files(root: Path) -> set[str]:
    return {str(f.relative_to(root)) for area in ("audio", "stems") for f in (root / area).rglob("*") if f.is_file()}


def trashed_days_ago(wb: Workbench, days: float) -> None:
    with wb._shared.database.write() as connection:
        past = time.time() - days * 24 * 3600
        connection.execute(update(tracks).where(tracks.c.trashed_at.is_not(None)).values(trashed_at=past))


def sweep(wb: Workbench) -> list[str]:
    shared = Shared(wb.settings)
    try:
        return shared.sweep()
    finally:
        shared.close()


def test_a_trashed_track_is_not_there_for_anybody_who_asks(wb: Workbench, song: Song, tmp_path: Path) -> None:
    track = wb.add(song(1))
    wb.trash(track)
    asked = [
        lambda: wb.track(track),
        lambda: wb.edit(track, title="b"),
        lambda: wb.trash(track),
        lambda: wb.delete(track),
        lambda: wb.delete_stems(track),
        lambda: wb.usage(track),
        lambda: wb.path(track),
        lambda: wb.artwork(track),
        lambda: wb.peaks(track),
        lambda: wb.stem_sets(track),
        lambda: wb.separate(track),
        lambda: wb.analyze(track),
        lambda: wb.analysis(track),
        lambda: wb.correct(track, tempo=90.0),
        lambda: wb.mix(track),
        lambda: wb.save_mix(track, {}),
        lambda: wb.reader(track, "mixture"),
        lambda: wb.render(track, tmp_path / "out.wav"),
    ]
    for ask in asked:
        with pytest.raises(NotFoundError):
            ask()
    assert (wb.tracks().total, list(wb.tracks()), wb.tracks("song").total) == (0, [], 0)
    assert wb.jobs(track) == []


def test_it_comes_back_as_it_was(wb: Workbench, song: Song) -> None:
    track = wb.edit(wb.add(song(1)), title="Mine")
    wb.save_mix(track, {"speed": 0.5})
    wb.correct(track, tempo=90.0)
    wb.trash(track)
    assert wb.restore(track.id) == track
    assert wb.path(track).exists()
    assert wb.mix(track).speed == 0.5
    assert [t.id for t in wb.tracks()] == [track.id]
    assert wb.restore(track.id) == track, "restoring what is not in the trash changes nothing"


def test_restoring_what_never_was_is_told(wb: Workbench) -> None:
    with pytest.raises(NotFoundError):
        wb.restore("nothing")


def test_adding_the_same_file_again_restores_it(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1), title="Mine")
    wb.trash(track)
    again = wb.add(song(1))
    assert (again.id, again.title) == (track.id, "Mine")
    assert wb.tracks().total == 1


def test_adding_the_same_audio_restores_a_track_whose_id_was_chosen(wb: Workbench, song: Song) -> None:
    wb.trash(wb.add(song(1), id="chosen"))
    assert wb.add(song(1)).id == "chosen"
    assert wb.add(song(1)).id != "chosen", "while it is there, an id from the content is another track, as ever"


def test_adding_the_same_id_restores_it_and_other_audio_under_it_is_refused(wb: Workbench, song: Song) -> None:
    wb.trash(wb.add(song(1), id="chosen"))
    with pytest.raises(ConflictError, match="trash"):
        wb.add(song(1, seed=3, name="other.wav"), id="chosen")
    assert wb.add(song(1), id="chosen", title="Now").title == "Now"
    assert wb.track("chosen").title == "Now"


def test_the_trash_is_emptied_after_a_day(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    kept = wb.add(song(1, seed=1, name="b.wav"))
    wb.trash(track)
    trashed_days_ago(wb, 0.9)
    assert sweep(wb) == []
    trashed_days_ago(wb, 1.1)
    assert len(sweep(wb)) == 1
    assert len(files(wb.settings.library)) == 1
    assert wb.path(kept).exists()
    with pytest.raises(NotFoundError):
        wb.restore(track.id)


def test_audio_that_another_track_shares_outlives_the_trash(wb: Workbench, song: Song) -> None:
    first, second = wb.add(song(1), id="one"), wb.add(song(1), id="two")
    wb.trash(first)
    trashed_days_ago(wb, 2)
    sweep(wb)
    assert wb.path(second).exists()
    wb.trash(second)
    wb.delete(wb.restore(second.id))
    assert files(wb.settings.library) == set()


def test_a_track_that_a_job_works_on_is_not_purged(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    job, _ = wb._shared.jobs.submit(wb.owner, "analysis", track.id, {}, settings={})
    wb.trash(track)
    trashed_days_ago(wb, 2)
    assert sweep(wb) == []
    wb._shared.jobs.cancel(wb.owner, job.id)
    assert len(sweep(wb)) == 1


def test_another_owner_s_trash_is_their_own(wb: Workbench, song: Song) -> None:
    other = Workbench(wb.settings.library, owner="somebody-else")
    mine, theirs = wb.add(song(1), id="same"), other.add(song(1, seed=5, name="o.wav"), id="same")
    other.trash(theirs)
    assert wb.track(mine).id == "same"
    with pytest.raises(NotFoundError):
        other.track("same")
    trashed_days_ago(wb, 2)
    sweep(wb)
    assert wb.path(mine).exists()
    with pytest.raises(NotFoundError):
        other.restore("same")
    other.close()


def test_a_library_of_the_earlier_schema_is_opened_with_its_tracks(tmp_path: Path, song: Song) -> None:
    empty(settings := Settings(library=tmp_path / "library"))
    with create_engine(settings.sqlalchemy_url).begin() as connection:
        migrate(connection, "0002")
        connection.execute(
            text(
                "INSERT INTO tracks (owner, id, title, artist, album, source, created_at, updated_at)"
                " VALUES ('local', 'old', 'Old', '', '', 'file', 1, 1)"
            )
        )
    with Workbench(tmp_path / "library") as wb:
        assert [track.title for track in wb.tracks()] == ["Old"]
        wb.trash("old")
        assert wb.tracks().total == 0
        assert wb.restore("old").title == "Old"
        assert wb.save_mix("old", {"speed": 0.5}) == wb.mix("old")
