"""What a person says of a track is kept beside what was measured, and nothing but the person changes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.everywhere import empty
from sqlalchemy import create_engine, inspect

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.library.database import Database, migrate
from sfwidgets.models import Corrections
from sfwidgets.settings import Settings
from sfwidgets.workbench import Workbench


def test_what_is_said_is_kept_field_by_field_and_can_be_taken_back(wb: Workbench, song) -> None:
    track = wb.add(song(2.0))
    wb.correct(track, tempo=88, key="a minor")
    said = wb.correct(track, sections=[{"start": 0, "end": 1, "label": "A"}], tempo=90.5)
    assert (said.tempo, said.key, said.sections[0].label) == (90.5, "A minor", "A")
    assert wb.correct(track, key=None) == said.model_copy(update={"key": None})
    assert wb.correct(track, tempo=None, sections=None) == Corrections()


def test_nobody_else_sees_it(wb: Workbench, song) -> None:
    track = wb.add(song(2.0))
    wb.correct(track, tempo=88)
    with Workbench(settings=wb.settings, owner="another") as other:
        with pytest.raises(NotFoundError):
            other.correct(track, tempo=90)
        other.add(song(2.0))
        assert other.correct(track.id, key="C major").tempo is None
    assert wb.correct(track) == Corrections(tempo=88)


@pytest.mark.parametrize(
    ("said", "word"),
    [({"tempo": 0}, "tempo"), ({"tempo": "fast"}, "tempo"), ({"key": "H minor"}, "is not a key"),
     ({"time_signature": "4/5"}, "time_signature"), ({"bpm": 120}, "bpm"), ({"downbeat": -1}, "downbeat"),
     ({"downbeat": 99}, "beyond the end"), ({"downbeat": float("nan")}, "downbeat"),
     ({"cue_points": [{"time": 99, "label": "x", "type": "y"}]}, "beyond the end"),
     ({"sections": [{"start": 1, "end": 0, "label": "x"}]}, "before it starts"),
     ({"sections": [{"start": 0, "end": 2, "label": "x"}, {"start": 1, "end": 2, "label": "y"}]}, "begins before")],
)  # fmt: skip
def test_what_cannot_be_so_is_turned_away_with_a_reason(wb: Workbench, song, said: dict, word: str) -> None:
    track = wb.add(song(2.0))
    with pytest.raises(InvalidInputError, match=word):
        wb.correct(track, **said)
    assert wb.correct(track) == Corrections()


def test_it_goes_with_its_track(wb: Workbench, song) -> None:
    track = wb.add(song(2.0))
    wb.correct(track, tempo=88)
    wb.delete(track)
    again = wb.add(song(2.0))
    assert wb.correct(again) == Corrections()


def test_a_library_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    empty(settings := Settings(library=tmp_path / "library"))
    engine = create_engine(settings.sqlalchemy_url)
    with engine.begin() as connection:
        migrate(connection, "0001")
    assert not inspect(engine).has_table("corrections")
    Database(settings).close()
    assert inspect(engine).has_table("corrections")
    engine.dispose()
