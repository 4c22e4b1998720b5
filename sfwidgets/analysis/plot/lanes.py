"""Lanes: each draws one thing that was measured over time into the axes it is given."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from sfwidgets.analysis.loudness import curve_range
from sfwidgets.analysis.plot.figure import DPI, SMALL, Theme, fitting, seconds_of, shortened
from sfwidgets.audio import Peaks
from sfwidgets.models import Analysis, Chord, CuePoint, Section
from sfwidgets.models.analysis import PITCH_CLASSES

Array = NDArray[np.float64]

_COLUMNS = 1400
"""More than the lanes have pixels; what is finer is summed up before it is drawn."""
_KINDS = ("major", "minor", "seventh", "other")
_SHORT = {"maj": "", "min": "m", "maj7": "maj7", "min7": "m7", "hdim7": "m7b5"}
_BAR_STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def draw_waveform(axes: Axes, theme: Theme, analysis: Analysis, peaks: Peaks | None) -> None:
    """Draw the outline from `peaks`, or without them the envelope, full scale at ±1."""
    if peaks is not None:
        drawn = peaks.zoom(max(1, -(-len(peaks.minima) // _COLUMNS)))
        times = np.arange(len(drawn.minima)) * drawn.samples_per_pixel / drawn.sample_rate
        low, high = drawn.minima, drawn.maxima
    else:
        high = np.array(analysis.waveform_envelope, dtype=np.float32)
        low = -high
        times = (np.arange(len(high)) + 0.5) * analysis.duration / max(1, len(high))
    axes.fill_between(times, low, high, step="mid", linewidth=0.3, color=theme.ink, alpha=0.85)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, 0, 1])


def section_colours(sections: Sequence[Section], theme: Theme) -> dict[str, str]:
    """Return a colour for each label, in order of appearance; of the first 21, no two are alike."""
    labels = dict.fromkeys(section.label for section in sections)
    shades = [*theme.colours, *(_mixed(colour, theme.background, 0.55) for colour in theme.colours)]
    shades += [_mixed(colour, theme.ink, 0.45) for colour in theme.colours]
    return {label: shades[i % len(shades)] for i, label in enumerate(labels)}


def shade_sections(axes: Axes, theme: Theme, sections: Sequence[Section]) -> None:
    """Tint the background by section."""
    colours = section_colours(sections, theme)
    for section in sections:
        axes.axvspan(section.start, section.end, color=colours[section.label], alpha=0.22, linewidth=0, zorder=0)


def draw_sections(axes: Axes, theme: Theme, sections: Sequence[Section]) -> None:
    """Draw a block for each section with its label, and its role where there is room."""
    colours = section_colours(sections, theme)
    for section in sections:
        length = section.end - section.start
        axes.axvspan(
            section.start, section.end, facecolor=colours[section.label], edgecolor=theme.background, linewidth=1
        )
        texts = [section.label] if section.role is None else [f"{section.label} {section.role}", section.label]
        text = fitting(texts, axes, length, SMALL + 1)
        axes.text(
            section.start + length / 2, 0.5, text, ha="center", va="center", fontsize=SMALL + 1,
            color=_readable_on(colours[section.label]), clip_on=True, parse_math=False,
        )  # fmt: skip
    axes.set_ylim(0, 1)


def draw_beats(axes: Axes, theme: Theme, analysis: Analysis) -> str:
    """Draw a short line for each beat and a long one for each downbeat, with bar numbers.

    Where they would run together, only every second, fourth, … bar is drawn. Returns what is drawn, for the label.
    """
    beats, downbeats = np.array(analysis.beats), np.array(analysis.downbeats)
    pixels = axes.get_figure(root=True).get_figwidth() * 0.85 * DPI  # type: ignore[union-attr]
    axes.set_ylim(0, 1)
    dense = len(beats) > pixels / 3
    if not dense:
        axes.vlines(beats, 0, 0.35, color=theme.faint, linewidth=0.8)
    if len(downbeats) == 0:
        return "Beats"
    step = next((step for step in _BAR_STEPS if len(downbeats) / step <= pixels / 5), len(downbeats))
    axes.vlines(downbeats[::step], 0, 0.6, color=theme.colours[0], linewidth=1)
    bar = analysis.duration / len(downbeats)
    numbered = next((n for n in _BAR_STEPS if n >= step and n * bar > 1.8 * seconds_of("0000", axes)), len(downbeats))
    for i in range(0, len(downbeats), numbered):
        if downbeats[i] + seconds_of(str(i + 1), axes) <= axes.get_xlim()[1]:
            axes.text(downbeats[i], 0.66, str(i + 1), fontsize=SMALL - 0.5, color=theme.ink, va="bottom", ha="left")
    if not dense:
        return "Beats\nand bars"
    return "Bars" if step == 1 else f"Every\n{step} bars"


def draw_chords(axes: Axes, theme: Theme, chords: Sequence[Chord]) -> None:
    """Draw each chord in its root's row, coloured by its kind, with its name in it, or beside it where there is room."""
    boxes: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in _KINDS}
    dense = len(chords) * seconds_of("Am7", axes, SMALL - 1) > 3 * axes.get_xlim()[1]
    write = partial(axes.text, fontsize=SMALL - 1, va="center_baseline", parse_math=False)
    free_until = [axes.get_xlim()[1]] * 12
    for chord in reversed(chords):
        root, kind, name = _chord(chord.label)
        if root is None:
            continue
        boxes[kind].append((chord.start, chord.end, root))
        length = seconds_of(name, axes, SMALL - 1)
        if length <= chord.end - chord.start:
            write((chord.start + chord.end) / 2, root, name, ha="center", color=_readable_on(_colour(theme, kind)))
        elif not dense and length <= free_until[root] - chord.end:
            write(chord.end, root, name, ha="left", color=theme.ink)
        free_until[root] = chord.start
    for kind, found in boxes.items():
        corners = [[(a, row - 0.45), (a, row + 0.45), (b, row + 0.45), (b, row - 0.45)] for a, b, row in found]
        if corners:
            colour = _colour(theme, kind)
            axes.add_collection(
                PolyCollection(corners, facecolor=colour, edgecolor=theme.background, linewidth=0.3, label=kind),
                autolim=False,
            )
    pitch_rows(axes)
    axes.grid(axis="y", color=theme.faint, linewidth=0.2, alpha=0.5)
    axes.set_axisbelow(True)


def _colour(theme: Theme, kind: str) -> str:
    return theme.colours[_KINDS.index(kind)]


def pitch_rows(axes: Axes) -> None:
    """Make the y axis one of the 12 pitch classes, C at the bottom."""
    axes.set_ylim(-0.6, 11.6)
    axes.set_yticks(range(12), PITCH_CLASSES, fontsize=SMALL - 0.5)
    axes.tick_params(axis="y", length=0)


def draw_energy(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    """Draw the energy curve, 0 to 1."""
    curve = analysis.energy_curve
    if curve is None:
        return
    times = (np.arange(len(curve.values)) + 0.5) * curve.interval
    axes.fill_between(times, 0, curve.values, color=theme.colours[4], alpha=0.35, linewidth=0)
    axes.plot(times, curve.values, color=theme.colours[4], linewidth=1.2)
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0, 0.5, 1])


def draw_loudness(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    """Draw momentary and short-term loudness, the integrated loudness as a line and the loudness range as a band."""
    curve = analysis.loudness_curve
    if curve is None:
        return
    momentary, short_term = (
        np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        for values in (curve.momentary, curve.short_term)
    )
    ends = curve_range(curve)
    if ends is not None:
        axes.axhspan(*ends, color=theme.colours[2], alpha=0.16, linewidth=0, label="loudness range")
    times, low, high = _columns(momentary, curve.interval)
    if len(times) < len(momentary):
        axes.fill_between(times, low, high, color=theme.faint, alpha=0.5, linewidth=0, label="momentary")
    else:
        axes.plot(times, momentary, color=theme.faint, linewidth=0.8, alpha=0.8, label="momentary")
    axes.plot(
        np.arange(len(short_term)) * curve.interval, short_term, color=theme.colours[0], linewidth=1.4,
        label="short-term",
    )  # fmt: skip
    if analysis.loudness is not None:
        axes.axhline(analysis.loudness, color=theme.colours[1], linestyle="--", linewidth=1.2, label="integrated")
    highest = float(np.nanmax(momentary))
    heard = analysis.loudness if analysis.loudness is not None else highest
    axes.set_ylim(max(-70.0, min(heard - 24, highest - 12)), highest + 2)


def draw_tempo(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    """Draw the tempo curve, or without one what the beats say, and the tempo of the whole as a line."""
    points = [(point.time, point.bpm) for point in analysis.tempo_curve]
    if len(points) < 2:
        gaps = np.diff(analysis.beats)
        points = [(beat, 60 / gap) for beat, gap in zip(analysis.beats[1:], gaps, strict=True) if gap > 0]
    times, tempi = np.array(points, dtype=np.float64).reshape(-1, 2).T
    axes.plot(times, tempi, color=theme.colours[0], linewidth=1.3, label="tempo", marker="o" if len(times) == 1 else "")
    if analysis.tempo is not None:
        axes.axhline(analysis.tempo, color=theme.colours[1], linestyle="--", linewidth=1.1, label="of the whole")
    shown = [*tempi, *([] if analysis.tempo is None else [analysis.tempo])]
    middle, spread = (min(shown) + max(shown)) / 2, max(shown) - min(shown)
    half = max(5.0, 0.6 * spread)
    axes.set_ylim(middle - half, middle + half)
    axes.grid(axis="y", color=theme.faint, linewidth=0.3, alpha=0.6)


def draw_cue_points(axes: Axes, theme: Theme, cue_points: Sequence[CuePoint], rows: int = 3) -> None:
    """Draw a flag for each cue point, its label in the first of `rows` rows that has room; where none has, no label."""
    free = [-np.inf] * rows
    end = axes.get_xlim()[1]
    for cue in sorted(cue_points, key=lambda cue: cue.time):
        text = shortened(cue.label or cue.type, 24)
        length = seconds_of(text, axes)
        left = cue.time + length > end  # the label stands to the left of its flag
        begin = cue.time - length if left else cue.time
        row = next((row for row in range(rows) if free[row] <= begin), None)
        top = 1.0 if row is None else 1 - row / rows
        axes.vlines(cue.time, 0, top, color=theme.colours[1], linewidth=1)
        if row is None:
            continue
        free[row] = begin + length
        axes.annotate(
            text, (cue.time, top - 0.5 / rows), xytext=(-3 if left else 3, 0), textcoords="offset points",
            ha="right" if left else "left", va="center", fontsize=SMALL, color=theme.ink, parse_math=False,
            bbox={"facecolor": theme.background, "edgecolor": "none", "pad": 0.2},  # lines of other flags pass behind
        )  # fmt: skip
    axes.set_ylim(0, 1)


def draw_keys(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    """Draw a block for each stretch in one key, with its name."""
    names = list(dict.fromkeys(span.key for span in analysis.key_changes))
    for span in analysis.key_changes:
        colour = theme.colours[names.index(span.key) % len(theme.colours)]
        axes.axvspan(span.start, span.end, facecolor=colour, edgecolor=theme.background, linewidth=1, alpha=0.45)
        length = span.end - span.start
        text = fitting([span.key, span.key.replace(" major", "").replace(" minor", "m")], axes, length)
        axes.text(span.start + length / 2, 0.5, text, ha="center", va="center", fontsize=SMALL, color=theme.ink)
    axes.set_ylim(0, 1)


def _columns(values: Array, interval: float) -> tuple[Array, Array, Array]:
    """Return times, lowest and highest values of at most `_COLUMNS` stretches; NaN stands for nothing."""
    step = -(-len(values) // _COLUMNS)
    padded = np.concatenate([values, np.full(-len(values) % step, np.nan)]).reshape(-1, step)
    times = np.arange(len(padded), dtype=np.float64) * step + (step - 1) / 2
    return times * interval, np.fmin.reduce(padded, axis=1), np.fmax.reduce(padded, axis=1)


def _chord(label: str) -> tuple[int | None, str, str]:
    """Return the root's pitch class, the kind, and the usual short name of a chord in Harte's notation."""
    root, _, quality = label.partition(":")
    quality = quality.partition("/")[0] or "maj"
    if root[:1] not in "CDEFGAB" or not root:
        return None, "", ""
    number = (PITCH_CLASSES.index(root[0]) + root.count("#") - root.count("b")) % 12
    if quality.startswith("maj") or quality == "6":
        kind = "major"
    elif quality.startswith("min"):
        kind = "minor"
    elif quality[0] in "79":
        kind = "seventh"
    else:
        kind = "other"
    return number, kind, root + _SHORT.get(quality, quality)


def _mixed(colour: str, other: str, share: float) -> str:
    """Return `colour` with a `share` of `other` in it."""
    parts = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def _readable_on(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "#ffffff"
