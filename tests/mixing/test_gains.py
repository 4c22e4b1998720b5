"""Which lanes are heard, and how loud on either side."""

from __future__ import annotations

import pytest

from sfwidgets.mixing import gains
from sfwidgets.models import Lane, Mix

LANES = ["vocals", "drums", "bass", "mixture"]


def of(**lanes: Lane) -> dict[str, tuple[float, float]]:
    return gains(Mix(lanes=lanes), LANES)


def test_every_stem_is_heard_as_it_is_and_the_mixture_is_not() -> None:
    assert of() == {"vocals": (1, 1), "drums": (1, 1), "bass": (1, 1)}


def test_a_muted_lane_is_not_heard() -> None:
    assert set(of(vocals=Lane(muted=True))) == {"drums", "bass"}


def test_where_some_are_soloed_the_others_are_not_heard() -> None:
    assert set(of(vocals=Lane(soloed=True))) == {"vocals"}
    assert set(of(vocals=Lane(soloed=True), bass=Lane(soloed=True))) == {"vocals", "bass"}
    assert set(of(vocals=Lane(soloed=True, muted=True))) == set()


def test_a_solo_of_a_lane_that_is_not_there_silences_nothing() -> None:
    assert set(of(piano=Lane(soloed=True))) == {"vocals", "drums", "bass"}


@pytest.mark.parametrize(
    ("pan", "left", "right"), [(0, 0.5, 0.5), (-1, 0.5, 0), (1, 0, 0.5), (-0.5, 0.5, 0.25), (0.25, 0.375, 0.5)]
)
def test_the_balance_lowers_one_side(pan: float, left: float, right: float) -> None:
    assert of(vocals=Lane(volume=0.5, pan=pan))["vocals"] == (left, right)


def test_the_master_s_volume_is_in_every_gain() -> None:
    heard = gains(Mix(lanes={"bass": Lane(volume=0.5)}, volume=1.5), LANES)
    assert heard == {"vocals": (1.5, 1.5), "drums": (1.5, 1.5), "bass": (0.75, 0.75)}


def test_the_mixture_is_heard_alone_and_whatever_the_lanes_say() -> None:
    mix = Mix(source="mixture", volume=0.5, lanes={"mixture": Lane(muted=True), "vocals": Lane(soloed=True)})
    assert gains(mix, LANES) == {"mixture": (0.5, 0.5)}
