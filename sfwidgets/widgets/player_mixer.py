"""The mixer of a player, from Python: what is set is checked, and goes to the page at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from sfwidgets.errors import InvalidInputError
from sfwidgets.models import Lane, Value

if TYPE_CHECKING:
    from sfwidgets.widgets.player import StemPlayer

Kind = TypeVar("Kind", bound=Value)


def checked(kind: type[Kind], values: Any) -> Kind:
    """Return `values` as a value of that kind; raises `InvalidInputError` for what can't be so."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or kind.__name__.lower()
        told = first["msg"].removeprefix("Value error, ")
        raise InvalidInputError(f"The {where} is not right: {told}.", code="bad_mix") from None


def moment(value: Any, duration: float) -> float:
    """Return a moment of a track that is so long, in seconds; raises `InvalidInputError`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInputError(f"A time is a number of seconds, not {value!r}.", code="bad_time")
    if not 0 <= value <= duration + 0.01:
        raise InvalidInputError(
            f"{value:g} s is not within the track: choose a time from 0 to {duration:.2f} s.", code="bad_time"
        )
    return min(float(value), duration)


class Strip:
    """One stem's strip; what is set here is set on the page."""

    __slots__ = ("_name", "_player")

    def __init__(self, player: StemPlayer, name: str) -> None:
        self._player = player
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name}: {self._lane}>"

    @property
    def _lane(self) -> Lane:
        found: Lane = self._player.mix.lanes.get(self._name, Lane())
        return found

    def _set(self, **settings: Any) -> None:
        lane = checked(Lane, {**dict(self._lane), **settings})
        self._player.change(lanes={**self._player.mix.lanes, self._name: lane})

    @property
    def volume(self) -> float:
        """0 to 2, linear."""
        return self._lane.volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._set(volume=value)

    @property
    def pan(self) -> float:
        """-1 (left) to 1 (right)."""
        return self._lane.pan

    @pan.setter
    def pan(self, value: float) -> None:
        self._set(pan=value)

    @property
    def muted(self) -> bool:
        """Whether it is not heard."""
        return self._lane.muted

    @muted.setter
    def muted(self, value: bool) -> None:
        self._set(muted=value)

    @property
    def soloed(self) -> bool:
        """Whether only it, and others that are soloed, are heard."""
        return self._lane.soloed

    @soloed.setter
    def soloed(self, value: bool) -> None:
        self._set(soloed=value)


class Strips(Mapping[str, Strip]):
    """The strips of a player, by stem."""

    def __init__(self, player: StemPlayer, names: list[str]) -> None:
        self._player = player
        self._names = names

    def __getitem__(self, name: str) -> Strip:
        if name not in self._names:
            there = ", ".join(self._names) or "none; separate the track first"
            raise InvalidInputError(f"There is no stem {name!r} in this player. There are: {there}.", code="no_stems")
        return Strip(self._player, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names
