"""The pictures: which lanes stand over one another, and what is said where there is nothing to draw."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from sfwidgets.analysis.plot import lanes
from sfwidgets.analysis.plot.figure import (
    SMALL,
    Picture,
    Theme,
    ThemeName,
    caption,
    clock,
    colour_bar,
    dressed,
    legend,
    picture,
    say,
    theme_named,
    time_axis,
)
from sfwidgets.analysis.spectrogram import Spectrogram
from sfwidgets.audio import Peaks
from sfwidgets.models import Analysis
from sfwidgets.models.analysis import PITCH_CLASSES

STEM_COLOURS = {
    "mixture": "#4d4d4d", "vocals": "#0072b2", "drums": "#d55e00", "bass": "#009e73", "other": "#cc79a7",
    "guitar": "#e69f00", "piano": "#56b4e9",
}  # fmt: skip
"""Okabe and Ito's palette, which the colour-blind can tell apart."""

_OCTAVES = (31.25, 62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)


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


def waveform(
    analysis: Analysis, peaks: Peaks | None = None, *, title: str = "", theme: ThemeName = "light",
    width: float = 11.0, height: float = 2.6,
) -> Picture:  # fmt: skip
    """Return the waveform over time, tinted by section; from `peaks` where given, else from the analysis's envelope."""
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    strip, axes = figure.subplots(2, 1, height_ratios=[1, 6])
    _sections_lane(strip, look, analysis)
    _waveform(axes, look, analysis, peaks)
    time_axis(axes, look, analysis.duration, labelled=True)
    return figure


def beats(
    analysis: Analysis, *, title: str = "", theme: ThemeName = "light", width: float = 11.0, height: float = 4.2
) -> Picture:
    """Return beats and numbered bars over the waveform, and the tempo over time."""
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    top, strip, tempo = figure.subplots(3, 1, height_ratios=[2, 1, 2])
    _waveform(top, look, analysis, None)
    caption(top, look, _rhythm_facts(analysis))
    time_axis(top, look, analysis.duration, labelled=False)
    _beats_lane(strip, look, analysis)
    dressed(tempo, look, ylabel="Tempo (BPM)")
    time_axis(tempo, look, analysis.duration, labelled=True)
    if len(analysis.tempo_curve) < 2 and len(analysis.beats) < 3:
        say(tempo, look, "no tempo was found")
    else:
        lanes.draw_tempo(tempo, look, analysis)
        legend(tempo, look)
    return figure


def chroma(
    analysis: Analysis, chromagram: NDArray[np.float32] | None = None, *, title: str = "", theme: ThemeName = "light",
    width: float = 11.0, height: float = 3.6,
) -> Picture:  # fmt: skip
    """Return how much each pitch class sounds, beside the chords over time.

    With a `chromagram` of shape (12, frames), C first, evenly spaced over the recording, that is drawn in the chords'
    place. Raises `ValueError` where it has another shape.
    """
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    bars, over_time = figure.subplots(1, 2, width_ratios=[1, 7])
    _chroma_bars(bars, look, analysis)
    dressed(over_time, look)
    time_axis(over_time, look, analysis.duration, labelled=True)
    caption(over_time, look, _key_facts(analysis))
    if chromagram is None:
        _chords(over_time, look, analysis)
        return figure
    if chromagram.ndim != 2 or len(chromagram) != 12:
        raise ValueError(f"A chromagram has shape (12, frames), not {chromagram.shape}.")
    lanes.pitch_rows(over_time)
    if chromagram.size == 0:
        say(over_time, look, "there is no sound")
        return figure
    image = over_time.imshow(
        chromagram, aspect="auto", origin="lower", extent=(0, analysis.duration, -0.5, 11.5), cmap=look.colour_map,
        interpolation="nearest",
    )  # fmt: skip
    over_time.set_ylim(-0.5, 11.5)
    colour_bar(over_time, look, image, "Strength")
    return figure


def spectrogram(
    shown: Spectrogram, *, title: str = "", theme: ThemeName = "light", width: float = 11.0, height: float = 4.0,
    decibels: float = 90.0,
) -> Picture:  # fmt: skip
    """Return a spectrogram over time and the logarithm of frequency; the colours reach `decibels` below its loudest."""
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    axes = dressed(figure.subplots(), look, ylabel="Frequency (Hz)")
    if shown.levels.size == 0:
        axes.set_xticks([])
        say(axes, look, "there is no sound")
        return figure
    top = float(shown.frequencies[-1])
    lowest = min(30.0, top / 4)
    rows = np.geomspace(lowest, top, 400)
    image = shown.levels[np.round(rows / top * (len(shown.frequencies) - 1)).astype(int)]
    duration = float(shown.times[-1] + shown.times[0])  # the times are the columns' middles
    loudest = float(image.max())
    drawn = axes.imshow(
        image, aspect="auto", origin="lower", extent=(0, duration, np.log2(lowest), np.log2(top)),
        cmap=look.colour_map, vmin=loudest - decibels, vmax=loudest,
    )  # fmt: skip
    ticks = [octave for octave in _OCTAVES if lowest <= octave <= top]
    axes.set_yticks(np.log2(ticks), [_hertz(octave) for octave in ticks])
    time_axis(axes, look, duration, labelled=True)
    colour_bar(axes, look, drawn, "Level (dB)")
    return figure


def structure(
    analysis: Analysis, *, title: str = "", theme: ThemeName = "light", width: float = 11.0, height: float = 4.2
) -> Picture:
    """Return the sections with their roles, the energy over them, the cue points and the keys."""
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    strip, energy, cues, keys = figure.subplots(4, 1, height_ratios=[1, 4, 1.8, 0.8])
    _sections_lane(strip, look, analysis)
    _energy(energy, look, analysis)
    lanes.shade_sections(energy, look, analysis.sections)
    _cue_points_lane(cues, look, analysis)
    _keys_lane(keys, look, analysis, labelled=True)
    return figure


def loudness(
    analysis: Analysis, *, title: str = "", theme: ThemeName = "light", width: float = 11.0, height: float = 3.4
) -> Picture:
    """Return momentary and short-term loudness over time, with integrated loudness, loudness range and true peak."""
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    axes = figure.subplots()
    caption(axes, look, _loudness_facts(analysis))
    _loudness(axes, look, analysis, labelled=True)
    return figure


def overview(
    analysis: Analysis, peaks: Peaks | None = None, *, title: str = "", theme: ThemeName = "light",
    width: float = 12.0, height: float = 11.0,
) -> Picture:  # fmt: skip
    """Return everything on one page.

    From the top: sections, cue points and waveform, beats, keys and chords, energy, loudness, spectrum and pitch classes.
    """
    look = theme_named(theme)
    figure = picture(look, width, height, title)
    grid = figure.add_gridspec(9, 1, height_ratios=[0.8, 1.6, 3, 1.1, 0.7, 3.6, 1.8, 3, 3.4])
    strip, cues, wave, beat, keys, chord, energy, loud = (figure.add_subplot(grid[row]) for row in range(8))
    _sections_lane(strip, look, analysis)
    _cue_points_lane(cues, look, analysis)
    _keys_lane(keys, look, analysis)
    facts = [*_rhythm_facts(analysis), *_key_facts(analysis), _loudness_facts(analysis)[0]]
    caption(strip, look, [*facts, clock(analysis.duration)])
    _waveform(wave, look, analysis, peaks)
    time_axis(wave, look, analysis.duration, labelled=False)
    _beats_lane(beat, look, analysis)
    dressed(chord, look, ylabel="Chord root")
    time_axis(chord, look, analysis.duration, labelled=False)
    _chords(chord, look, analysis)
    _energy(energy, look, analysis)
    caption(loud, look, _loudness_facts(analysis))
    _loudness(loud, look, analysis, labelled=True)
    below = grid[8].subgridspec(1, 2, width_ratios=[3, 2])
    _mean_spectrum(figure.add_subplot(below[0]), look, analysis)
    _chroma_columns(figure.add_subplot(below[1]), look, analysis)
    return figure


def _waveform(axes: Axes, theme: Theme, analysis: Analysis, peaks: Peaks | None) -> None:
    dressed(axes, theme, ylabel="Amplitude")
    lanes.shade_sections(axes, theme, analysis.sections)
    if analysis.waveform_envelope or (peaks is not None and len(peaks.maxima)):
        lanes.draw_waveform(axes, theme, analysis, peaks)
    else:
        say(axes, theme, "there is no sound")


def _sections_lane(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    dressed(axes, theme, ylabel="Sections", lane=True)
    time_axis(axes, theme, analysis.duration, labelled=False)
    if analysis.sections:
        lanes.draw_sections(axes, theme, analysis.sections)
    else:
        say(axes, theme, "no sections were found")


def _cue_points_lane(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    dressed(axes, theme, ylabel="Cue points", lane=True)
    time_axis(axes, theme, analysis.duration, labelled=False)
    if analysis.cue_points:
        lanes.draw_cue_points(axes, theme, analysis.cue_points)
    else:
        say(axes, theme, "no cue points were found")


def _keys_lane(axes: Axes, theme: Theme, analysis: Analysis, *, labelled: bool = False) -> None:
    dressed(axes, theme, ylabel="Key", lane=True)
    time_axis(axes, theme, analysis.duration, labelled=labelled)
    axes.tick_params(bottom=labelled)
    if analysis.key_changes:
        lanes.draw_keys(axes, theme, analysis)
    else:
        say(axes, theme, "no key was found")


def _beats_lane(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    dressed(axes, theme, lane=True)
    time_axis(axes, theme, analysis.duration, labelled=False)
    label = "Beats"
    if analysis.beats:
        label = lanes.draw_beats(axes, theme, analysis)
    else:
        say(axes, theme, "no beats were found")
    dressed(axes, theme, ylabel=label, lane=True)


def _chords(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    if any(chord.label != "N" for chord in analysis.chords):
        lanes.draw_chords(axes, theme, analysis.chords)
        legend(axes, theme)
    else:
        say(axes, theme, "no chords were found")


def _energy(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    dressed(axes, theme, ylabel="Energy\n(0 to 1)")
    time_axis(axes, theme, analysis.duration, labelled=False)
    if analysis.energy_curve is None or not analysis.energy_curve.values:
        say(axes, theme, "no energy was measured")
    else:
        lanes.draw_energy(axes, theme, analysis)


def _loudness(axes: Axes, theme: Theme, analysis: Analysis, *, labelled: bool) -> None:
    dressed(axes, theme, ylabel="Loudness (LUFS)")
    time_axis(axes, theme, analysis.duration, labelled=labelled)
    curve = analysis.loudness_curve
    if curve is None:
        say(axes, theme, "no loudness over time was measured")
        return
    if all(value is None for value in curve.momentary):
        say(axes, theme, "nothing louder than \N{MINUS SIGN}70 LUFS was heard")
        return
    lanes.draw_loudness(axes, theme, analysis)
    axes.grid(axis="y", color=theme.faint, linewidth=0.3, alpha=0.6)
    legend(axes, theme)


def _chroma_bars(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    dressed(axes, theme, ylabel="Pitch class")
    if analysis.chroma:
        axes.barh(range(12), analysis.chroma, color=theme.colours[0], height=0.8)
        axes.set_xlabel("Mean strength", color=theme.ink, fontsize=SMALL + 1)
        axes.set_xlim(0, 1.05)
        axes.set_xticks([0, 1])
    else:
        axes.set_xticks([])
        say(axes, theme, "no pitch")
    lanes.pitch_rows(axes)


def _chroma_columns(axes: Axes, theme: Theme, analysis: Analysis) -> None:
    dressed(axes, theme, ylabel="Mean strength")
    axes.set_xticks(range(12), PITCH_CLASSES)
    axes.set_xlabel("Pitch class", color=theme.ink, fontsize=SMALL + 1)
    if analysis.chroma:
        axes.bar(range(12), analysis.chroma, color=theme.colours[0])
        axes.set_ylim(0, 1.05)
    else:
        say(axes, theme, "no pitch was found")
    axes.set_xlim(-0.6, 11.6)


def _mean_spectrum(axes: Axes, theme: Theme, analysis: Analysis, highest: float = 22050.0) -> None:
    """Draw the mean spectrum; `highest` is half the rate at which everything is analysed."""
    dressed(axes, theme, ylabel="Level (dBFS)")
    axes.set_xlabel("Frequency (Hz)", color=theme.ink, fontsize=SMALL + 1)
    amplitudes = np.array(analysis.frequency_spectrum)
    if not amplitudes.any():
        axes.set_xticks([])
        say(axes, theme, "there is no sound")
        return
    frequencies = (np.arange(len(amplitudes)) + 0.5) * highest / len(amplitudes)
    levels = 20 * np.log10(np.maximum(amplitudes, 1e-6))
    axes.fill_between(frequencies, levels, -120, color=theme.colours[0], alpha=0.3, linewidth=0)
    axes.plot(frequencies, levels, color=theme.colours[0], linewidth=1.3)
    axes.set_xscale("log")
    axes.set_xlim(frequencies[0], highest)
    axes.set_ylim(max(-120.0, float(levels.max()) - 80), float(levels.max()) + 5)
    ticks = [octave for octave in _OCTAVES if frequencies[0] <= octave <= highest]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([_hertz(tick) for tick in ticks])
    if analysis.spectral_centroid is not None:
        axes.axvline(
            analysis.spectral_centroid, color=theme.colours[1], linestyle="--", linewidth=1.1,
            label=f"centroid {analysis.spectral_centroid:.0f} Hz",
        )  # fmt: skip
    if analysis.spectral_rolloff is not None:
        axes.axvline(
            analysis.spectral_rolloff, color=theme.colours[2], linestyle=":", linewidth=1.3,
            label=f"roll-off {analysis.spectral_rolloff:.0f} Hz",
        )  # fmt: skip
    if axes.get_legend_handles_labels()[0]:
        legend(axes, theme)


def _rhythm_facts(analysis: Analysis) -> list[str]:
    if analysis.tempo is None:
        return ["no tempo"]
    tempo = f"{analysis.tempo:.1f} BPM"
    if analysis.tempo_alternative is not None:
        tempo += f" (or {analysis.tempo_alternative:.1f})"
    return [tempo] if analysis.time_signature is None else [tempo, analysis.time_signature]


def _key_facts(analysis: Analysis) -> list[str]:
    facts = ["no key" if analysis.key is None else f"{analysis.key} ({analysis.camelot})"]
    if analysis.tuning is not None:
        facts.append(f"A4 = {440 * 2 ** (analysis.tuning / 1200):.1f} Hz")
    return facts


def _loudness_facts(analysis: Analysis) -> list[str]:
    facts = ["no loudness" if analysis.loudness is None else f"{analysis.loudness:.1f} LUFS"]
    if analysis.loudness_range is not None:
        facts.append(f"LRA {analysis.loudness_range:.1f} LU")
    if analysis.true_peak is not None:
        facts.append(f"true peak {analysis.true_peak:.1f} dBTP")
    return [fact.replace("-", "\N{MINUS SIGN}") for fact in facts]


def _hertz(frequency: float) -> str:
    return f"{frequency / 1000:g}k" if frequency >= 1000 else f"{frequency:.0f}"
