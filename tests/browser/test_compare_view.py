"""The compare view, pressed, listened to and looked at in a real Chromium; once in JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe import serious
from playwright.sync_api import Page, expect
from servers import start_lab
from test_dashboard import write_notebook
from views_page import show, tell

from sfwidgets import Workbench
from sfwidgets.models import StemSet, Track
from sfwidgets.widgets.compare import ORIGINAL, CompareView

Two = tuple[Track, StemSet, StemSet]

EARS = """
const connect = AudioNode.prototype.connect;
const ears = [];
AudioNode.prototype.connect = function (to, ...more) {
  if (to instanceof AudioDestinationNode) {
    const ear = this.context.createAnalyser();
    connect.call(this, ear);
    ears.push(ear);
  }
  return connect.call(this, to, ...more);
};
window.loudness = () => Math.max(0, ...ears.map((ear) => {
  const samples = new Float32Array(ear.fftSize);
  ear.getFloatTimeDomainData(samples);
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}));
"""

INKED = """canvas => [0, 0.45].map((top) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, top * height, width, 0.44 * height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
})"""
"""How many pixels of each lane are drawn on."""


@pytest.fixture
def two(shared_wb: Workbench, excerpt: Path) -> Two:
    """Real music with its true stems, separated into four stems, and into two of those."""
    track = shared_wb.add(excerpt)
    shared_wb.separate(track, "embedded").wait()
    shared_wb.separate(track, "embedded", stems="vocals,drums").wait()
    fewer, all_four = sorted(shared_wb.stem_sets(track)[:2], key=lambda found: len(found.stems))
    return shared_wb.track(track), all_four, fewer


def test_both_sides_play_on_one_clock_and_are_switched_at_the_playhead(
    page: Page, shared_wb: Workbench, two: Two
) -> None:
    page.add_init_script(EARS)
    show(page, CompareView(shared_wb, *two))
    page.get_by_label("Stem").select_option("bass")
    expect(page.get_by_text("B has no stem “bass”: nothing is heard there.")).to_be_visible()
    page.get_by_role("button", name="Loop").click()  # a slow page may come to look after six seconds
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function("loudness() > 0.01")
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="B", exact=True)).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("loudness() === 0")
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("loudness() > 0.01")
    page.keyboard.press("a")
    page.wait_for_function("loudness() > 0.01")
    before = float(page.get_by_label("Playhead").input_value())
    page.wait_for_function("before => document.querySelector('input[type=range]').value != before", arg=before)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.get_by_label("Playhead").fill("3")
    expect(page.get_by_text("0:03 / 0:06")).to_be_visible()
    assert page.get_by_label("Playhead").get_attribute("aria-valuetext") == "0:03 of 0:06"


def test_the_difference_and_the_scores_are_seen(page: Page, shared_wb: Workbench, two: Two) -> None:
    track, all_four, fewer = two
    view = CompareView(shared_wb, *two)
    show(page, view)
    rows = page.locator(".sf-scores tbody tr")
    expect(rows).to_have_count(4, timeout=30_000)
    scores = shared_wb.score(track, all_four).stems
    vocals = rows.filter(has_text="vocals")
    expect(vocals).to_contain_text(f"{scores['vocals']:.1f} dB")
    expect(rows.filter(has_text="bass").get_by_role("cell").nth(1)).to_have_text("not known")
    page.get_by_label("Stem").select_option("vocals")
    expect(page.get_by_text("A and B are the same, sample for sample.")).to_be_visible()
    page.get_by_label("B", exact=True).select_option("The original")
    expect(page.get_by_text(re.compile(r"Their difference, A − B: \S+ dB relative to A"))).to_be_visible()
    expect(vocals.locator("[data-better]")).to_contain_text(f"{scores['vocals']:.1f} dB")
    assert (view.a, view.b) == (all_four.id, ORIGINAL)
    page.get_by_role("button", name="Swap").click()
    expect(page.get_by_label("A", exact=True)).to_have_value(ORIGINAL)
    assert (view.a, view.b) == (ORIGINAL, all_four.id)
    view.b = fewer.id
    tell(page, view)
    expect(page.get_by_label("B", exact=True)).to_have_value(fewer.id)
    expect(page.get_by_text(re.compile("Their difference"))).to_be_visible()
    drawn = page.locator(".sf-waves canvas").evaluate(INKED)
    assert min(drawn) > 2000, "a lane is empty"


def test_a_blind_test_hides_which_is_which_until_the_reveal(page: Page, shared_wb: Workbench, two: Two) -> None:
    show(page, CompareView(shared_wb, *two))
    page.get_by_role("button", name="Blind test").click()
    for name in ("A", "B"):
        expect(page.get_by_label(name, exact=True)).to_be_hidden()
    expect(page.locator(".sf-waves")).to_be_hidden()
    expect(page.get_by_role("button", name="X", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="X is better").click()
    page.get_by_role("button", name="No difference").click()
    expect(page.get_by_text("2 votes given")).to_be_visible()
    page.keyboard.press("y")
    expect(page.get_by_role("button", name="Y", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Reveal").click()
    expect(
        page.get_by_text(re.compile(r"You preferred A .*(once|never), B .*(once|never), and heard no"))
    ).to_be_visible()
    expect(page.get_by_label("A", exact=True)).to_be_visible()


def test_another_set_is_made_from_the_view(page: Page, shared_wb: Workbench, song: Callable[..., Path]) -> None:
    track = shared_wb.add(song(6, seed=31))
    view = CompareView(shared_wb, track)
    show(page, view)
    expect(page.get_by_text("can be told only where the true stems are known")).to_be_visible()
    page.get_by_label("Overlap").select_option("0.5")
    page.get_by_role("button", name="Separate").click()
    page.wait_for_function("() => model.get('job').id || model.get('b') !== 'original'")
    for _ in range(600):
        tell(page, view)
        if view.b != ORIGINAL:
            break
        page.wait_for_timeout(50)
    (made,) = shared_wb.stem_sets(track)
    assert made.options.overlap == 0.5
    tell(page, view)
    expect(page.get_by_label("B", exact=True)).to_have_value(made.id)
    expect(page.get_by_label("Stem").get_by_role("option")).to_have_count(len(made.stems) + 1)


def test_stems_that_are_gone_are_told_with_a_way_on(page: Page, shared_wb: Workbench, two: Two) -> None:
    view = CompareView(shared_wb, *two)
    view.b = "gone"
    show(page, view)
    expect(page.get_by_role("alert").filter(has_text="These stems are gone. Choose others.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_is_accessible_and_fits(page: Page, shared_wb: Workbench, two: Two, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    show(page, CompareView(shared_wb, *two), theme=theme)
    page.locator(".sf-scores table").wait_for(timeout=30_000)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Blind test").click()
    assert serious(page) == []


@pytest.mark.parametrize("extension", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_in_jupyterlab_it_sounds_with_and_without_our_server(
    page: Any, shared_wb: Workbench, two: Two, tmp_path: Path, extension: bool
) -> None:
    track, all_four, fewer = two
    write_notebook(
        tmp_path / "look.ipynb",
        "from sfwidgets import Workbench\nfrom sfwidgets.widgets.compare import CompareView\nwb = Workbench()",
        f"sets = {{found.id: found for found in wb.stem_sets({track.id!r})}}",
        f"CompareView(wb, {track.id!r}, sets[{all_four.id!r}], sets[{fewer.id!r}])",
    )
    page.add_init_script(EARS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    with start_lab(tmp_path, shared_wb.settings.library, extension) as server:
        page.goto(server.address("lab/tree/look.ipynb"))
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        view = page.locator(".sf-compare")
        view.get_by_role("button", name="Loop").click(timeout=60_000)  # a slow page may come to look after six seconds
        view.get_by_role("button", name="Play").click()
        page.wait_for_function("loudness() > 0.01")
        page.keyboard.press("b")
        expect(view.get_by_role("button", name="B", exact=True)).to_have_attribute("aria-pressed", "true")
        page.wait_for_function("loudness() > 0.01")
    over_http = any(re.match(r"GET .*/api/tracks/.*\.wav", request) for request in asked)
    assert over_http == extension
