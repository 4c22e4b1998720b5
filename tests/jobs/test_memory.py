"""Twelve minutes need no more memory than four."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cloudpickle

from sfwidgets import Workbench

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import the tests


def test_the_worker_that_separates_six_minutes_needs_what_two_need(wb: Workbench, song: Callable[..., Path]) -> None:
    peaks = []
    for minutes in (2, 6):
        wb.separate(wb.add(song(minutes * 60, seed=minutes, name=f"{minutes}.wav")), "embedded").wait(200)
        peaks.append(max(wb._jobs.client().run(_peak).values()))
    assert peaks[1] <= 1.15 * peaks[0]
    assert peaks[1] <= 1.5e6


def _peak() -> int:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
