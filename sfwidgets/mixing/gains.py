"""How loud each lane is on either side. The player in the page goes by the same rule."""

from __future__ import annotations

from collections.abc import Iterable

from sfwidgets.models import MIXTURE, Lane, Mix

Gains = dict[str, tuple[float, float]]
"""The left and the right gain of each lane that is heard, by name."""


def gains(mix: Mix, lanes: Iterable[str]) -> Gains:
    """Return the gains of those of these lanes that are heard, the master's in them.

    Where the mixture is the source, it alone is heard, at the master's volume. Else a lane is heard that is not muted,
    and is soloed where any is. The balance lowers one side and leaves the other.
    """
    names = list(lanes)
    if mix.source == "mixture":
        return {MIXTURE: (mix.volume, mix.volume)} if MIXTURE in names else {}
    settings = {name: mix.lanes.get(name, Lane()) for name in names if name != MIXTURE}
    any_soloed = any(lane.soloed for lane in settings.values())
    return {
        name: _balance(lane, mix.volume)
        for name, lane in settings.items()
        if not lane.muted and (lane.soloed or not any_soloed)
    }


def _balance(lane: Lane, master: float) -> tuple[float, float]:
    gain = lane.volume * master
    return gain * min(1.0, 1.0 - lane.pan), gain * min(1.0, 1.0 + lane.pan)
