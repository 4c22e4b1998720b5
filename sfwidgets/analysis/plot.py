"""Pictures of tracks, with matplotlib."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure

from sfwidgets.audio import Peaks

STEM_COLOURS = {
    "mixture": "#4d4d4d", "vocals": "#0072b2", "drums": "#d55e00", "bass": "#009e73", "other": "#cc79a7",
    "guitar": "#e69f00", "piano": "#56b4e9",
}  # fmt: skip
"""Okabe and Ito's palette, which the colour-blind can tell apart."""


class Picture(Figure):
    """A figure that shows itself in a notebook, whether or not matplotlib's inline mode is on."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def stems(lanes: dict[str, Peaks], *, title: str = "", columns: int = 1200) -> Picture:
    """Return a figure with a lane for each of `lanes`, drawn from precomputed peaks, over time in seconds.

    Each lane shows the smallest and the largest sample of each moment, full scale at ±1; at most `columns` moments.
    """
    figure = Picture(figsize=(10, 0.6 + 1.1 * len(lanes)), layout="constrained")
    axes = figure.subplots(len(lanes), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, (name, peaks) in zip(axes, lanes.items(), strict=True):
        drawn = peaks.zoom(max(1, -(-len(peaks.minima) // columns)))
        times = np.arange(len(drawn.minima)) * drawn.samples_per_pixel / drawn.sample_rate
        axis.fill_between(
            times, drawn.minima, drawn.maxima, step="mid", linewidth=0.3, color=STEM_COLOURS.get(name, "#666666")
        )
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.set_yticks([])
        axis.margins(x=0)
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[-1].set_xlabel("Time (s)")
    if title:
        figure.suptitle(title)
    return figure
