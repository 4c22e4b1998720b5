"""Roles: which section is the chorus, which the verse, and which begins or ends the song?

Nothing in the signal says so for certain. A role is given only where how often a section returns, where it stands and how
loud it is all agree, and is None elsewhere.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sfwidgets.analysis.energy import Bands
from sfwidgets.models import Section

_LOUDER = 1.5
"""dB by which a chorus is louder than whatever else returns."""
_QUIETER = 3.0
"""dB by which an intro or outro is quieter than the others' median."""
_BROKEN = 6.0
"""dB by which a break is quieter than both its neighbours."""
_SURE = 6.0
"""dB of difference at which a role is as sure as it gets."""
_SUREST = 0.9


def roles(form: list[Section], bands: Bands) -> list[Section]:
    """Return the sections with their roles, where there is evidence for them; confidence is then that of the role."""
    if len(form) < 3:
        return form
    level = np.array([_level(section, bands) for section in form])
    count = Counter(section.label for section in form)
    given: dict[int, tuple[str, float]] = {}
    for place, name in ((0, "intro"), (len(form) - 1, "outro")):
        length = form[place].end - form[place].start
        below = float(np.median(np.delete(level, place)) - level[place])
        shorter = length <= np.median([section.end - section.start for section in form])
        if count[form[place].label] == 1 and shorter and below >= _QUIETER:
            given[place] = name, below
    for place in range(1, len(form) - 1):
        below = float(min(level[place - 1], level[place + 1]) - level[place])
        if count[form[place].label] == 1 and below >= _BROKEN:
            given[place] = "break", below
    given |= _refrains(form, level, count, given)
    return [
        section.model_copy(update={"role": given[i][0], "confidence": round(_confidence(given[i][1]), 2)})
        if i in given
        else section
        for i, section in enumerate(form)
    ]


def _refrains(
    form: list[Section], level: NDArray[np.float64], count: Counter[str], taken: dict[int, tuple[str, float]]
) -> dict[int, tuple[str, float]]:
    """Return chorus, verse and bridge by place: the chorus is louder than what else returns, the verse leads to it."""
    labels = [section.label for section in form]
    returning = [label for label in count if _returns(labels, label)]
    if len(returning) < 2:
        return {}
    loudness = {
        label: float(np.mean([level[i] for i, name in enumerate(labels) if name == label])) for label in returning
    }
    chorus, second = sorted(returning, key=lambda label: -loudness[label])[:2]
    above = loudness[chorus] - loudness[second]
    verses = [label for label in returning if labels.index(label) < labels.index(chorus)]
    if above < _LOUDER or not verses:
        return {}
    verse = max(verses, key=lambda label: count[label])
    given = {i: ("chorus", above) for i, name in enumerate(labels) if name == chorus}
    given |= {i: ("verse", above) for i, name in enumerate(labels) if name == verse}
    for i in range(2, len(form) - 1):
        alone = count[labels[i]] == 1 and i not in taken
        if alone and labels[:i].count(chorus) >= 2 and labels[i + 1] == chorus:
            given[i] = "bridge", above
    return given


def _returns(labels: list[str], label: str) -> bool:
    """Return whether a label comes back after something else; twice in a row is one long section."""
    places = [place for place, name in enumerate(labels) if name == label]
    return any(after - before > 1 for before, after in pairwise(places))


def _level(section: Section, bands: Bands) -> float:
    """Return the section's mean level in dB."""
    first, end = round(section.start * bands.frame_rate), round(section.end * bands.frame_rate)
    power = bands.power[first : max(end, first + 1)].sum(axis=1, dtype=np.float64)
    return float(10 * np.log10(power.mean() + 1e-12)) if len(power) else -120.0


def _confidence(difference: float) -> float:
    return _SUREST * min(1.0, difference / _SURE)
