"""How a track is heard is kept with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import Lane, Loop, Mix

Song = Callable[..., Path]

WIRE = {
    "lanes": {"vocals": {"volume": 0.5, "pan": -0.25, "muted": False, "soloed": True}},
    "volume": 1.5,
    "speed": 0.75,
    "pitch": -2.0,
    "source": "mixture",
    "click": True,
    "clickVolume": 0.25,
    "loop": {"start": 1.0, "end": 2.5, "label": "Refrain"},
    "loops": [{"start": 1.0, "end": 2.5, "label": "Refrain"}, {"start": 0.0, "end": 4.0, "label": ""}],
}


def test_without_a_word_every_lane_is_as_it_is(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    assert wb.mix(track) == Mix()
    assert wb.mix(track).to_json()["lanes"] == {}


def test_what_is_saved_is_read_by_whoever_opens_the_library(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    saved = wb.save_mix(track, WIRE)
    assert saved.lanes["vocals"] == Lane(volume=0.5, pan=-0.25, soloed=True)
    assert saved.loop == Loop(start=1.0, end=2.5, label="Refrain")
    with Workbench(wb.settings.library) as other:
        assert other.mix(track.id) == saved
        assert other.mix(track.id).to_json() == WIRE
    assert wb.save_mix(track, Mix(speed=2.0)).lanes == {}
    assert wb.mix(track) == Mix(speed=2.0)


@pytest.mark.parametrize(
    "bad",
    [
        {"speed": 0.1},
        {"speed": 2.1},
        {"pitch": 13},
        {"volume": -0.1},
        {"volume": float("nan")},
        {"speed": float("inf")},
        {"clickVolume": 3},
        {"source": "radio"},
        {"lanes": {"vocals": {"pan": 1.5}}},
        {"lanes": {"vocals": {"colour": "red"}}},
        {"lanes": {"": {}}},
        {"lanes": {str(n): {} for n in range(65)}},
        {"loop": {"start": 2, "end": 2}},
        {"loop": {"start": -1, "end": 2}},
        {"loops": [{"start": 0, "end": 1, "label": "x" * 201}]},
        {"unknown": 1},
        [],
        None,
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(wb: Workbench, song: Song, bad: object) -> None:
    track = wb.add(song(1))
    with pytest.raises(InvalidInputError) as caught:
        wb.save_mix(track, bad)
    assert caught.value.code == "bad_mix"
    assert wb.mix(track) == Mix()


def test_a_loop_s_name_is_one_line() -> None:
    assert Loop(start=0, end=1, label=" a\n\tb ").label == "a b"


def test_a_mix_goes_with_its_track(wb: Workbench, song: Song) -> None:
    track = wb.add(song(1))
    wb.save_mix(track, WIRE)
    wb.delete(track)
    with pytest.raises(NotFoundError):
        wb.mix(track)
    assert wb.mix(wb.add(song(1))) == Mix()


def test_owners_have_their_own(wb: Workbench, song: Song) -> None:
    other = Workbench(wb.settings.library, owner="somebody-else")
    mine, theirs = wb.add(song(1), id="same"), other.add(song(1), id="same")
    wb.save_mix(mine, {"speed": 0.5})
    assert other.mix(theirs) == Mix()
    other.close()
