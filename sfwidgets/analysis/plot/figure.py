"""The figure: its colours, its time axis, and how much text fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

ThemeName = Literal["light", "dark"]

SMALL = 7.0
"""Points."""
DPI = 110

_AXES_SHARE = 0.84
"""The share of the figure's width that a lane gets, labels taken off; a little less than the least that is seen."""
_CHARACTER = 0.6
"""Width of a character over the size of its type; a little more than the sans-serif's mean."""
_TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True)
class Theme:
    """The colours of a picture."""

    background: str
    ink: str
    """Text, axes and the outline of the waveform."""
    faint: str
    """Grids, and what is of less importance."""
    colours: tuple[str, ...]
    """Seven that the colour-blind can tell apart, the palette of Okabe and Ito ("Color universal design", 2008)."""
    colour_map: str


THEMES: dict[str, Theme] = {
    "light": Theme(
        "#ffffff", "#222222", "#8a8a8a",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442"), "viridis",
    ),
    # Their dark blue is too dark on black; the sky blue stands in for it.
    "dark": Theme(
        "#14171a", "#e8e8e8", "#8b9097",
        ("#56b4e9", "#e8762c", "#1fbf92", "#d98bb6", "#e69f00", "#4a8fd0", "#f0e442"), "viridis",
    ),
}  # fmt: skip


class Picture(Figure):
    """A figure that shows itself in a notebook, whether or not matplotlib's inline mode is on."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=DPI)
        return buffer.getvalue()


def theme_named(name: str) -> Theme:
    """Return the theme "light" or "dark"; raise `ValueError` for any other."""
    if name not in THEMES:
        raise ValueError(f"{name!r} is not a theme; choose from {', '.join(map(repr, THEMES))}.")
    return THEMES[name]


def picture(theme: Theme, width: float, height: float, title: str) -> Picture:
    """Return an empty figure of `width` by `height` inches."""
    figure = Picture(figsize=(width, height), layout="constrained", facecolor=theme.background)
    if title:
        figure.suptitle(
            shortened(title, int(width * 72 / (12 * _CHARACTER))),
            color=theme.ink, fontsize=12, fontweight="bold", x=0.01, ha="left", parse_math=False,
        )  # fmt: skip
    return figure


def dressed(axes: Axes, theme: Theme, *, ylabel: str = "", lane: bool = False) -> Axes:
    """Give axes the theme's colours; a lane has no scale of its own, and its label stands upright beside it."""
    axes.set_facecolor(theme.background)
    axes.tick_params(colors=theme.ink, labelsize=SMALL + 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(theme.faint)
    if lane:
        axes.set_yticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False)
        axes.set_ylabel(ylabel, rotation=0, ha="right", va="center", color=theme.ink, fontsize=SMALL + 1)
    else:
        axes.set_ylabel(ylabel, color=theme.ink, fontsize=SMALL + 1)
    return axes


def time_axis(axes: Axes, theme: Theme, duration: float, *, labelled: bool) -> None:
    """Make the x axis one of time from 0 to `duration` seconds, in minutes and seconds; `labelled` in the last row."""
    axes.set_xlim(0, max(duration, 0.1))
    wanted = axes.get_figure(root=True).get_figwidth()  # type: ignore[union-attr]
    step = next((step for step in _TIME_STEPS if duration / step <= 1.2 * wanted), 7200.0)
    axes.xaxis.set_major_locator(FixedLocator(np.arange(0, max(duration, 0.1) + step / 100, step).tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, decimals=1 if step < 1 else 0)))
    axes.tick_params(axis="x", labelbottom=labelled)
    if labelled:
        unit = "h:mm:ss" if duration >= 3600 else "m:ss"
        axes.set_xlabel(f"Time ({unit})", color=theme.ink, fontsize=SMALL + 1)


def clock(seconds: float, decimals: int = 0) -> str:
    """Return a time like `3:07`, or `1:03:07` from an hour on."""
    seconds = round(seconds, decimals)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    digits = f"{rest:0{3 + decimals if decimals else 2}.{decimals}f}"
    return f"{hours}:{minutes:02d}:{digits}" if hours else f"{minutes}:{digits}"


def say(axes: Axes, theme: Theme, text: str) -> None:
    """Write `text` in the middle of axes that have nothing to show."""
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=theme.faint, fontsize=SMALL + 2)


def caption(axes: Axes, theme: Theme, facts: Sequence[str]) -> None:
    """Write facts over axes, from the left."""
    axes.set_title("  ·  ".join(facts), loc="left", color=theme.ink, fontsize=SMALL + 2, parse_math=False)


def legend(axes: Axes, theme: Theme) -> None:
    """Put the legend over the axes, at the right, where it covers no data."""
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=6, frameon=False, fontsize=SMALL, labelcolor=theme.ink,
        borderaxespad=0.2, handlelength=1.4, columnspacing=1.2,
    )  # fmt: skip


def colour_bar(axes: Axes, theme: Theme, image: ScalarMappable, label: str) -> None:
    """Put the scale of an image's colours beside it."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - the axes were made by one
    bar = figure.colorbar(image, ax=axes, pad=0.01)
    bar.ax.tick_params(colors=theme.ink, labelsize=SMALL)
    bar.outline.set_edgecolor(theme.faint)
    bar.set_label(label, color=theme.ink, fontsize=SMALL + 1)


def seconds_of(text: str, axes: Axes, size: float = SMALL) -> float:
    """Return how many seconds of the time axis `text` covers, set in `size` points; a little more rather than less."""
    low, high = axes.get_xlim()
    figure = axes.get_figure(root=True)
    width = figure.get_figwidth() if figure is not None else 1.0
    return (len(text) * _CHARACTER + 0.6) * size / 72 / (_AXES_SHARE * width) * (high - low)


def fitting(texts: Sequence[str], axes: Axes, seconds: float, size: float = SMALL) -> str:
    """Return the first of `texts` that fits into `seconds`, or else as much of the last as does, if it is worth reading."""
    for text in texts:
        if seconds_of(text, axes, size) <= seconds:
            return text
    room = int(len(texts[-1]) * seconds / seconds_of(texts[-1], axes, size))
    return shortened(texts[-1], room) if room >= 4 else ""


def shortened(text: str, length: int) -> str:
    """Return `text`, cut to `length` characters where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"
