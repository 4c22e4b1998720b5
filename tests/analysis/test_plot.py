"""The pictures say what was measured, where it was, and nothing runs over anything else."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image
from synthesis import RATE, blocks, sine

from sfwidgets.analysis import plot
from sfwidgets.analysis.plot.figure import clock
from sfwidgets.analysis.spectrogram import spectrogram
from sfwidgets.audio import Peaks
from sfwidgets.models import (
    Analysis,
    Chord,
    CuePoint,
    EnergyCurve,
    KeySpan,
    LoudnessCurve,
    Section,
    TempoPoint,
    utc_now,
)

PICTURES: dict[str, Callable[..., plot.Picture]] = {
    "waveform": plot.waveform,
    "beats": plot.beats,
    "chroma": plot.chroma,
    "structure": plot.structure,
    "loudness": plot.loudness,
    "overview": plot.overview,
}


def analysis(duration: float) -> Analysis:
    """A made-up song: a chord every two seconds, a beat every half, a section every half minute."""
    names = ("C:maj", "A:min7", "F:maj", "G:7", "Bb:maj7", "F#:hdim7", "N", "E:min/b3")
    roles = ("intro", "verse", "chorus", None, "bridge", "outro")
    values = [-20 + 4 * float(np.sin(i / 50)) for i in range(int(duration * 10))]
    section = min(30.0, duration / 2)
    starts = np.arange(0, duration - 1e-9, section).tolist()
    beats = np.arange(0.25, duration, 0.5).tolist()
    return Analysis(
        track_id="t", analyzed_at=utc_now(), duration=duration, bpm=120, tempo=120.0, tempo_alternative=60.0,
        time_signature="4/4", beats=beats, downbeats=beats[::4],
        tempo_curve=[TempoPoint(time=t, bpm=120 + t % 3) for t in np.arange(0, duration, 4).tolist()],
        key="A minor", key_strength=0.8, tuning=4.0, chroma=[i / 11 for i in range(12)],
        key_changes=[KeySpan(start=0, end=duration, key="A minor", strength=0.8)],
        chords=[Chord(start=t, end=min(t + 2, duration), label=names[i % 8], confidence=0.5)
                for i, t in enumerate(np.arange(0, duration, 2).tolist())],
        sections=[Section(start=t, end=min(t + section, duration), label="ABCDEFGHI"[i % 9], role=roles[i % 6])
                  for i, t in enumerate(starts)],
        cue_points=[CuePoint(time=t, label=f"Section {i}", type="section") for i, t in enumerate(starts)]
        + [CuePoint(time=duration * 0.99, label="The end of it all", type="end")],
        energy_curve=EnergyCurve(interval=0.5, values=np.linspace(0, 1, int(duration * 2)).tolist()),
        loudness=-19.5, loudness_range=6.0, true_peak=-0.7, spectral_centroid=2000.0, spectral_rolloff=5000.0,
        loudness_curve=LoudnessCurve(interval=0.1, momentary=[None, *values], short_term=[None, *values]),
        waveform_envelope=np.linspace(0.1, 0.9, 1000).tolist(),
        frequency_spectrum=np.geomspace(0.1, 1e-5, 100).tolist(),
    )  # fmt: skip


EMPTY = Analysis(track_id="t", analyzed_at=utc_now(), duration=0.0)
LENGTHS = {"8 s": analysis(8), "3 min": analysis(180), "1 h": analysis(3601), "nothing": EMPTY}


def texts(figure: plot.Picture) -> list[Text]:
    """The texts that are seen, once the figure has been laid out."""
    figure.draw_without_rendering()
    beyond = [  # matplotlib keeps labels of ticks that it does not draw
        tick.label1
        for axes in figure.axes
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim()))
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high
    ]
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and not any(text is label for label in beyond)
    ]


def said(figure: plot.Picture) -> str:
    return " | ".join(text.get_text() for text in texts(figure))


def pixels(figure: plot.Picture) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(figure._repr_png_())).convert("RGB"))


@pytest.mark.parametrize("made", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_clipped_and_none_runs_over_another(name: str, made: Analysis) -> None:
    figure = PICTURES[name](made, title="A title that is rather long, and longer, and goes on " * 4)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    inside = figure.bbox.padded(2).contains
    for text, box in boxes:
        assert inside(box.x0, box.y0) and inside(box.x1, box.y1), f"{text!r} is clipped"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(width, height) < 1.5, f"{one!r} runs over {other!r}"


@pytest.mark.parametrize("name", PICTURES)
def test_both_themes_are_drawn_in_their_colours(name: str) -> None:
    light, dark = (pixels(PICTURES[name](LENGTHS["8 s"], theme=theme)) for theme in ("light", "dark"))
    assert light.shape == dark.shape
    assert (light[0, 0].tolist(), dark[0, 0].tolist()) == ([255, 255, 255], [20, 23, 26])
    assert light.mean() > 150
    assert dark.mean() < 110
    with pytest.raises(ValueError, match="'pink' is not a theme"):
        PICTURES[name](EMPTY, theme="pink")


def test_no_global_state_of_pyplot_is_touched() -> None:
    before = dict(mpl.rcParams)
    plot.overview(LENGTHS["8 s"], theme="dark")._repr_png_()
    assert dict(mpl.rcParams) == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_what_was_not_found_is_said() -> None:
    overview = said(plot.overview(EMPTY))
    for what in ("sections", "beats", "chords"):
        assert f"no {what} were found" in overview
    assert "no tempo" in overview
    assert "no key was found" in overview
    assert "no cue points were found" in overview
    assert "no cue points were found" in said(plot.structure(EMPTY))
    assert "no loudness over time was measured" in said(plot.loudness(EMPTY))


def test_silence_has_no_loudness_to_show() -> None:
    curve = LoudnessCurve(interval=0.1, momentary=[None] * 50, short_term=[None] * 50)
    silence = EMPTY.model_copy(update={"duration": 5.0, "loudness_curve": curve})
    assert "nothing louder than" in said(plot.loudness(silence))


def test_the_overview_says_the_tempo_the_key_and_the_loudness() -> None:
    overview = said(plot.overview(LENGTHS["3 min"], title="Song"))
    for fact in ("Song", "120.0 BPM (or 60.0)", "4/4", "A minor (8A)", "A4 = 441.0 Hz", "−19.5 LUFS", "LRA 6.0 LU",
                 "true peak −0.7 dBTP", "3:00", "A intro", "Am7", "centroid 2000 Hz", "Section 3", "The end"):  # fmt: skip
        assert fact in overview


def test_the_loudness_is_drawn_as_it_was_measured() -> None:
    made = LENGTHS["3 min"]
    axes = plot.loudness(made).axes[0]
    assert made.loudness_curve is not None
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["short-term"].get_ydata()[1:], made.loudness_curve.short_term[1:])
    np.testing.assert_allclose(lines["short-term"].get_xdata()[-1], 180.0)
    assert lines["integrated"].get_ydata()[0] == -19.5


def test_chords_stand_where_they_sound_in_the_row_of_their_root() -> None:
    axes = plot.chroma(analysis(16)).axes[1]
    seen = {
        (round(corners[:, 0].min(), 2), round(corners[:, 0].max(), 2), round(corners[:, 1].mean()))
        for kind in axes.collections
        for corners in (path.vertices[:4] for path in kind.get_paths())
    }
    assert seen == {(0, 2, 0), (2, 4, 9), (4, 6, 5), (6, 8, 7), (8, 10, 10), (10, 12, 6), (14, 16, 4)}


def test_sections_with_the_same_label_have_the_same_colour() -> None:
    made = EMPTY.model_copy(
        update={
            "duration": 30.0,
            "sections": [Section(start=10 * i, end=10 * i + 10, label=x) for i, x in enumerate("ABA")],
        }
    )
    blocks_drawn = plot.structure(made).axes[0].patches
    assert [(block.get_x(), block.get_width()) for block in blocks_drawn] == [(0, 10), (10, 10), (20, 10)]
    first, other, again = (block.get_facecolor() for block in blocks_drawn)
    assert first == again != other


def test_twenty_one_sections_have_a_colour_each() -> None:
    sections = [Section(start=i, end=i + 1, label=chr(ord("A") + i)) for i in range(21)]
    made = EMPTY.model_copy(update={"duration": 21.0, "sections": sections})
    for theme in ("light", "dark"):
        colours = [block.get_facecolor() for block in plot.structure(made, theme=theme).axes[0].patches]
        nearest = min(np.abs(np.subtract(a, b)).max() for a, b in itertools.combinations(colours, 2))
        assert nearest > 0.05, theme


def test_beats_are_thinned_where_they_would_run_together() -> None:
    assert "Beats" in said(plot.beats(LENGTHS["8 s"]))
    hour = said(plot.beats(LENGTHS["1 h"]))
    assert "Every" in hour
    lines = plot.beats(LENGTHS["1 h"]).axes[1].collections[0].get_segments()
    assert len(lines) < 300


def test_without_a_tempo_curve_the_beats_tell_the_tempo() -> None:
    made = LENGTHS["8 s"].model_copy(update={"tempo_curve": []})
    line = plot.beats(made).axes[2].lines[0]
    np.testing.assert_allclose(line.get_ydata(), 120, rtol=1e-6)


def test_the_waveform_is_drawn_from_peaks_where_there_are_some() -> None:
    low, high = np.full(1000, -0.25, np.float32), np.full(1000, 0.5, np.float32)
    figure = plot.waveform(EMPTY.model_copy(update={"duration": 1.0}), Peaks(1000, 1, low, high))
    box = figure.axes[1].collections[0].get_datalim(figure.axes[1].transData)
    assert (box.y0, box.y1) == (-0.25, 0.5)


def test_a_spectrogram_shows_a_tone_where_it_is() -> None:
    shown = spectrogram(blocks(sine(1000, 4.0), RATE)(), RATE, 4.0)
    axes = plot.spectrogram(shown).axes[0]
    image = axes.images[0]
    data = np.asarray(image.get_array())
    low, high = image.get_extent()[2:]
    row = int(np.argmax(data.mean(axis=1)))
    assert 2 ** (low + (row + 0.5) / len(data) * (high - low)) == pytest.approx(1000, rel=0.03)
    assert image.get_extent()[1] == pytest.approx(4.0, abs=0.05)
    nothing = spectrogram(iter(()), RATE, 0.0)
    assert "there is no sound" in said(plot.spectrogram(nothing, theme="dark"))


def test_a_chromagram_is_drawn_in_the_chords_place() -> None:
    chromagram = np.zeros((12, 40), np.float32)
    chromagram[9, 20:] = 1
    image = plot.chroma(LENGTHS["8 s"], chromagram).axes[1].images[0]
    assert image.get_extent() == [0, 8, -0.5, 11.5]
    assert image.get_array()[9, 30] == 1
    with pytest.raises(ValueError, match="shape"):
        plot.chroma(LENGTHS["8 s"], chromagram.T)


def test_stems_have_a_lane_each() -> None:
    peaks = Peaks(44100, 256, np.full(100, -0.5, np.float32), np.full(100, 0.5, np.float32))
    figure = plot.stems({"vocals": peaks, "drums": peaks}, title="Stems")
    assert [axes.get_ylabel() for axes in figure.axes] == ["vocals", "drums"]
    assert figure._repr_png_()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0:00"), (59.7, "1:00"), (187, "3:07"), (3599.9, "1:00:00"), (3787, "1:03:07")]
)
def test_times_are_written_in_minutes_and_seconds(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


def test_short_times_are_written_with_tenths() -> None:
    assert clock(1.25, decimals=1) == "0:01.2"


def test_a_persons_odd_words_are_drawn_as_they_are() -> None:
    odd = "$x^2$ & <b> " * 15
    made = LENGTHS["3 min"].model_copy(
        update={
            "sections": [Section(start=0, end=90, label=odd, role="chorus"), Section(start=90, end=180, label="B")],
            "cue_points": [CuePoint(time=3, label=odd, type="start"), CuePoint(time=177, label=odd, type="end")],
        }
    )
    assert "$x^2$" in said(plot.structure(made, title=odd))
