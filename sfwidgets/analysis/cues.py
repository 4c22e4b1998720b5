"""Cues: which places in a track are worth jumping to?

Every one of them is where something was measured: the first beat, a section's beginning, a drop, a break, the last sound.
"""

from __future__ import annotations

import numpy as np

from sfwidgets.models import CuePoint, Section

_LEAD = 4.0
"""Seconds after the first sound within which the first downbeat is where a track starts."""
_TOGETHER = 0.5
"""Seconds within which two cues are one, where there is no beat to tell."""


def cue_points(
    sections: list[Section],
    drops: list[float],
    breaks: list[float],
    beats: list[float],
    downbeats: list[float],
    sounding: tuple[float, float] | None,
    duration: float,
) -> list[CuePoint]:
    """Return the cue points in order of time, of which no two are within a beat; [] where no music was found.

    `sounding` is when the first sound begins and the last one ends. Where several fall together, start and end come
    before drops and breaks, and these before sections.
    """
    if not sections or sounding is None:
        return []
    first, last = sounding
    start = next(
        (t for times in (downbeats, beats) for t in times if first - 0.1 <= t <= min(first + _LEAD, last)), first
    )
    found = [(start, "Start", "start"), (min(last, duration), "End", "end")]
    found += [(t, "Drop", "drop") for t in drops] + [(t, "Break", "break") for t in breaks]
    found += [(section.start, _name(section), "section") for section in sections[1:]]
    apart = float(np.median(np.diff(beats))) if len(beats) > 1 else _TOGETHER
    kept: list[tuple[float, str, str]] = []
    for time, label, kind in found:
        beside = [cue for cue in kept if abs(cue[0] - time) < apart]
        if not beside and 0 <= time <= duration:
            kept.append((time, label, kind))
        elif kind == "section" and beside and beside[0][2] in ("drop", "break"):
            kept[kept.index(beside[0])] = (beside[0][0], f"{beside[0][1]}, {label}", beside[0][2])
    return [CuePoint(time=min(round(time, 3), duration), label=label, type=kind) for time, label, kind in sorted(kept)]


def _name(section: Section) -> str:
    return section.label if section.role is None else f"{section.label} ({section.role}?)"
