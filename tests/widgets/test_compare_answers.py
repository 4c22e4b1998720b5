"""The compare view reads both sides alike, measures how far they differ, and says which is better where that is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import StemSet, Track
from sfwidgets.widgets.compare import ALL, COLUMNS, ORIGINAL, CompareView

Two = tuple[Track, StemSet, StemSet]


@pytest.fixture
def two(shared_wb: Workbench, excerpt: Path) -> Two:
    """Real music with its true stems, separated twice: into four stems, and into two of those."""
    track = shared_wb.add(excerpt)
    shared_wb.separate(track, "embedded").wait()
    shared_wb.separate(track, "embedded", stems="vocals,drums").wait()
    fewer, all_four = sorted(shared_wb.stem_sets(track)[:2], key=lambda found: len(found.stems))
    return track, all_four, fewer


def measured(view: CompareView, a: str, b: str, stem: str) -> np.ndarray:
    """All columns, as a page gets them: shape (columns, 6)."""
    rows: list[np.ndarray] = []
    while sum(map(len, rows)) < COLUMNS:
        told, (buffer,) = view.answer_compared(a, b, stem, sum(map(len, rows)))
        rows.append(np.frombuffer(buffer, np.float32).reshape(-1, 6))
        assert len(rows[-1]) == told["count"] > 0
    return np.concatenate(rows)


def test_what_can_be_compared_is_told_with_how_it_was_made(shared_wb: Workbench, two: Two) -> None:
    track, all_four, fewer = two
    view = CompareView(shared_wb, track, all_four, fewer)
    told = view.answer_comparison()
    assert json.loads(json.dumps(told)) == told
    labels = {choice["id"]: choice["label"] for choice in told["choices"]}
    assert labels[all_four.id].startswith("embedded · float32 · overlap 0.25")
    assert labels[ORIGINAL] == "The original"
    lanes = [(lane["group"], lane["stem"]) for lane in told["lanes"]]
    assert [stem for side, stem in lanes if side == "A"] == [Path(stem.name).stem for stem in all_four.stems]
    assert sorted(stem for side, stem in lanes if side == "B") == ["drums", "vocals"]
    assert lanes[-1] == ("mixture", "mixture")
    assert len({lane["name"] for lane in told["lanes"]}) == len(told["lanes"])
    assert told["frames"] == all_four["vocals"].frames


def test_audio_is_that_of_the_lane(shared_wb: Workbench, two: Two) -> None:
    track, all_four, fewer = two
    view = CompareView(shared_wb, track, all_four, fewer)
    lanes = {(lane["group"], lane["stem"]): lane["name"] for lane in view.answer_comparison()["lanes"]}
    for group, stem, stem_set in (("A", "bass", all_four), ("B", "drums", fewer), ("mixture", "mixture", all_four)):
        told, (buffer,) = view.answer_audio(lanes[group, stem], 44100, 1000)
        expected = shared_wb.reader(track, stem, stem_set).read(44100, 1000)
        assert told["count"] == 1000
        np.testing.assert_array_equal(np.frombuffer(buffer, np.int16).reshape(-1, 2), expected)
        assert expected.any()


@pytest.mark.parametrize(
    ("lane", "start", "count"),
    [("x", 0, 1), ("A:original:mixture", -1, 1), ("A:original:mixture", 0, 10**9), ("A:original:mixture", 0.5, 1)],
)
def test_audio_that_can_t_be_is_refused(shared_wb: Workbench, two: Two, lane: str, start: int, count: int) -> None:
    with pytest.raises(InvalidInputError):
        CompareView(shared_wb, *two).answer_audio(lane, start, count)


@pytest.mark.parametrize("lane", ["A:nothing:vocals", "A:../../etc:passwd", "A:original:piano"])
def test_audio_that_is_not_there_is_not_found(shared_wb: Workbench, two: Two, lane: str) -> None:
    with pytest.raises(NotFoundError):
        CompareView(shared_wb, *two).answer_audio(lane, 0, 1)


def test_the_difference_is_that_of_the_samples(shared_wb: Workbench, two: Two) -> None:
    track, all_four, fewer = two
    rows = measured(CompareView(shared_wb, *two), all_four.id, ORIGINAL, "vocals")
    frames = all_four["vocals"].frames
    voice = shared_wb.reader(track, "vocals", all_four).read(0, frames) / 32768
    whole = shared_wb.reader(track, "mixture", all_four).read(0, frames) / 32768
    assert rows[:, 4].sum() == pytest.approx(np.sum(voice**2), rel=1e-4)
    assert rows[:, 5].sum() == pytest.approx(np.sum((voice - whole) ** 2), rel=1e-4)
    assert rows[:, :4].min(axis=0).tolist()[::2] == pytest.approx([voice.min(), whole.min()])
    edge = int(np.linspace(0, frames, COLUMNS + 1)[300])
    np.testing.assert_allclose(rows[300, 1], voice[edge : int(np.linspace(0, frames, COLUMNS + 1)[301])].max())
    same = measured(CompareView(shared_wb, *two), all_four.id, fewer.id, "vocals")
    assert same[:, 5].sum() == 0
    assert same[:, 4].sum() > 0


def test_all_stems_together_are_the_song(shared_wb: Workbench, two: Two) -> None:
    rows = measured(CompareView(shared_wb, *two), two[1].id, ORIGINAL, ALL)
    assert 10 * np.log10(rows[:, 5].sum() / rows[:, 4].sum()) < -40


def test_a_stem_that_a_side_lacks_is_silence(shared_wb: Workbench, two: Two) -> None:
    _, all_four, fewer = two
    rows = measured(CompareView(shared_wb, *two), fewer.id, all_four.id, "bass")
    assert rows[:, 4].sum() == 0
    assert rows[:, 5].sum() > 0


def test_scores_are_told_where_the_truth_is_known(shared_wb: Workbench, two: Two, song: Callable[..., Path]) -> None:
    track, all_four, _ = two
    told = CompareView(shared_wb, *two).answer_scores()
    expected = shared_wb.score(track, all_four)
    assert told["known"]
    assert told["a"] == pytest.approx({stem: round(value, 2) for stem, value in expected.stems.items()})
    assert set(told["b"]) == {"vocals", "drums"}
    assert told["mixture"]["vocals"] == pytest.approx(expected.mixture["vocals"], abs=0.01)
    unknown = shared_wb.add(song(6, seed=11))
    shared_wb.separate(unknown, "embedded").wait()
    assert CompareView(shared_wb, unknown).answer_scores() == {"known": False}


def test_without_a_second_set_the_other_side_is_the_original(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track = shared_wb.add(song(6, seed=12))
    nothing = CompareView(shared_wb, track)
    assert (nothing.a, nothing.b) == (ORIGINAL, ORIGINAL)
    assert len(nothing.answer_comparison()["choices"]) == 1
    assert nothing.answer_scores() == {"known": False}
    done = Event()
    nothing.observe(lambda _change: done.set(), "b")
    nothing.answer_separate("embedded", overlap=0.5, shifts=0)
    assert done.wait(60)
    (made,) = shared_wb.stem_sets(track)
    assert (nothing.a, nothing.b) == (ORIGINAL, made.id)
    assert made.options.overlap == 0.5
    again = CompareView(shared_wb, track)
    assert (again.a, again.b) == (made.id, ORIGINAL)


def test_what_can_t_be_separated_is_refused(shared_wb: Workbench, two: Two) -> None:
    view = CompareView(shared_wb, *two)
    for model, overlap, shifts in (("no such model", 0.25, 0), ("embedded", 2.0, 0), ("embedded", 0.25, -1)):
        with pytest.raises(InvalidInputError):
            view.answer_separate(model, overlap, shifts)
    assert view.job == {}


def test_stems_that_are_gone_are_told_as_a_sentence(shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track = shared_wb.add(song(6, seed=13))
    shared_wb.separate(track, "embedded").wait()
    view = CompareView(shared_wb, track)
    view.answer_comparison()
    shared_wb.delete_stems(track)
    with pytest.raises(NotFoundError, match="gone"):
        view.answer_comparison()
