"""The analysis view, pressed and looked at in a real Chromium; once in JupyterLab and once on the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from axe import serious
from playwright.sync_api import Page, expect
from servers import start_lab, start_voila
from test_dashboard import write_notebook
from views_page import show, tell

from sfwidgets import Workbench
from sfwidgets.models import Track
from sfwidgets.widgets import handover
from sfwidgets.widgets.analysis import AnalysisView

PLAYER = """
const page = globalThis[Symbol.for("sfwidgets.players")] ??= { known: new Map(), events: new EventTarget() };
window.player = Object.assign(new EventTarget(), {
  time: 0, duration: 12, playing: false,
  seek(seconds) { this.time = seconds; this.dispatchEvent(new Event("time")); },
});
page.known.set("a player", player);
page.events.dispatchEvent(new Event("a player"));
"""


class APlayer:
    key = "a player"


def write_chords(path: Path) -> Path:
    """Write 12 s of music: C, A minor, F, G and so on, two seconds each, over their roots, with a click on every beat."""
    rate, time = 44100, np.arange(2 * 44100) / 44100
    click = 0.3 * np.random.default_rng(0).standard_normal(len(time)) * np.exp(-40 * (time % 0.5))
    bars = []
    for notes in (
        (48, 60, 64, 67),
        (45, 60, 64, 69),
        (41, 60, 65, 69),
        (43, 59, 62, 67),
        (48, 60, 64, 67),
        (45, 60, 64, 69),
    ):
        tones = [
            sum(np.sin(2 * np.pi * 440 * 2 ** ((n - 69) / 12) * k * time) / k for k in (1, 2, 3, 4)) for n in notes
        ]
        bars.append(0.08 * np.sum(tones, axis=0) * np.exp(-time / 2) + click)
    samples = np.concatenate(bars)
    soundfile.write(path, np.stack([samples, 0.9 * samples], axis=1).astype(np.float32), rate)
    return path


@pytest.fixture
def track(shared_wb: Workbench, tmp_path: Path) -> Track:
    """A song with stems and an analysis that a person has had a word in, so that there is much to see."""
    added = shared_wb.add(write_chords(tmp_path / "chords.wav"), title="A song to look at")
    shared_wb.separate(added, "embedded").wait()
    shared_wb.analyze(added).wait()
    said = [{"start": 3.0 * i, "end": 3.0 * i + 3, "label": label, "role": "chorus"} for i, label in enumerate("ABAC")]
    shared_wb.correct(added, sections=said, tempo=None, key=None, time_signature=None, downbeat=None)
    return shared_wb.track(added)


def row(page: Page, name: str) -> str:
    """What stands beside a name among the numbers that are seen."""
    return page.locator(f"dt:visible:text-is('{name}') + dd").inner_text()


def test_the_numbers_the_picture_and_the_tabs_are_seen(page: Page, shared_wb: Workbench, track: Track) -> None:
    show(page, AnalysisView(shared_wb, track))
    expect(page.get_by_role("heading", name="Analysis of A song to look at")).to_be_visible()
    assert re.search(r"1\d\d\.\d BPM", row(page, "Tempo"))
    assert re.search(r"(sure|likely|a guess) \(0\.\d\d\)", row(page, "Tempo"))
    assert "LUFS" in row(page, "Integrated")
    picture = page.get_by_role("img", name=re.compile("Overview of A song to look at: .*BPM"))
    expect(picture).to_be_visible(timeout=30_000)
    assert picture.evaluate("image => image.naturalWidth") > 800
    page.get_by_role("tab", name="Song").focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("[role=tab][aria-selected=true]")
    expect(first).to_be_focused()
    assert first.inner_text().lower() in shared_wb.analysis(track).stems
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", name="Song")).to_be_focused()
    page.get_by_role("tab", name="bass").click()
    expect(page.get_by_role("img", name=re.compile(r"Sounds \d+ % of the time"))).to_be_visible()
    page.get_by_text(re.compile(r"All \d+ notes")).click()
    expect(page.get_by_role("cell", name=re.compile(r"^[A-G]#?\d$")).first).to_be_visible()


def test_chords_and_sections_go_with_the_player_and_send_it_places(
    page: Page, shared_wb: Workbench, track: Track
) -> None:
    show(page, AnalysisView(shared_wb, track, player=APlayer()))
    sections = page.get_by_role("group", name="Sections")
    expect(sections.locator(".sf-section")).to_have_count(4)
    assert sections.get_by_role("button").count() == 0, "there is no player to send anywhere yet"
    page.add_script_tag(content=PLAYER)
    expect(sections.get_by_role("button")).to_have_count(4)
    expect(sections.locator("[aria-current]")).to_have_accessible_name("Section A, chorus, 0:00 to 0:03")
    page.evaluate("player.seek(10)")
    expect(sections.locator("[aria-current]")).to_have_accessible_name("Section C, chorus, 0:09 to 0:12")
    sections.get_by_role("button", name="Section B").click()
    assert page.evaluate("player.time") == 3
    expect(sections.locator("[aria-current]")).to_have_accessible_name("Section B, chorus, 0:03 to 0:06")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("player.time") == 6
    page.evaluate("player.time = 1; player.playing = true; player.dispatchEvent(new Event('state'))")
    expect(sections.locator("[aria-current]")).to_have_accessible_name("Section A, chorus, 0:00 to 0:03")
    page.evaluate("player.time = 9.5")
    expect(sections.locator("[aria-current]")).to_have_accessible_name("Section C, chorus, 0:09 to 0:12")
    chords = [chord for chord in shared_wb.analysis(track).chords if chord.label != "N"]
    assert chords, "the song has no chords to test with"
    page.evaluate("seconds => { player.playing = false; player.seek(seconds) }", chords[0].start + 0.01)
    expect(page.locator(".sf-chord[aria-current]")).to_have_text(page.locator(".sf-now-name").inner_text())
    page.locator(".sf-chord").first.click()
    assert page.evaluate("player.time") == pytest.approx(chords[0].start)


def test_a_correction_is_kept_shown_and_taken_back(page: Page, shared_wb: Workbench, track: Track) -> None:
    view = AnalysisView(shared_wb, track, player=APlayer())
    show(page, view)
    page.add_script_tag(content=PLAYER)
    page.get_by_text("Is something wrong?").click()
    measured = shared_wb.analysis(track).tempo
    assert measured is not None
    page.get_by_role("button", name="half the tempo").click()
    expect(page.get_by_text(re.compile(r"Measured: .* you say"))).to_be_visible()
    assert shared_wb.analysis(track).corrections.tempo == pytest.approx(measured / 2)  # type: ignore[union-attr]
    assert "you said so" in row(page, "Tempo")
    page.get_by_role("button", name="Undo the correction of tempo").click()
    expect(page.get_by_role("button", name="Undo the correction of tempo")).to_be_hidden()
    assert shared_wb.analysis(track).corrections.tempo is None  # type: ignore[union-attr]
    page.get_by_label("Key", exact=True).select_option("F#")
    expect(page.get_by_role("button", name="Undo the correction of key")).to_be_visible()
    assert row(page, "Key").startswith("F# ")
    page.evaluate("player.seek(1.25)")
    page.get_by_role("button", name="Set to the playhead").click()
    expect(page.get_by_role("button", name="Undo the correction of a bar begins at")).to_be_visible()
    assert shared_wb.analysis(track).corrections.downbeat == 1.25  # type: ignore[union-attr]
    page.get_by_label("Tempo", exact=True).fill("9000")
    page.get_by_label("Tempo", exact=True).press("Enter")
    expect(page.get_by_role("alert").filter(has_text="The correction 'tempo' is not right")).to_be_visible()


def test_a_file_is_saved_as_it_is_written(
    page: Page, shared_wb: Workbench, track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PIECE", 5000)
    show(page, AnalysisView(shared_wb, track))
    with page.expect_download() as waited:
        page.get_by_role("button", name="Save as JSON").click()
    assert waited.value.suggested_filename == "A song to look at.json"
    expected = shared_wb.export_analysis(track, tmp_path / "expected.json").read_bytes()
    assert Path(waited.value.path()).read_bytes() == expected
    expect(page.get_by_text("Saved A song to look at.json")).to_be_visible()


def test_a_track_without_an_analysis_is_analysed_by_a_button(
    page: Page, shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    view = AnalysisView(shared_wb, shared_wb.add(song(8, seed=21)))
    show(page, view)
    page.get_by_role("button", name="Analyse it").click()
    expect(page.locator("progress")).to_be_visible()
    assert view._handle is not None
    view._handle.wait()
    for _ in range(200):
        tell(page, view)
        if page.locator("dt").count():
            break
        page.wait_for_timeout(50)
    assert "BPM" in row(page, "Tempo")
    expect(page.locator("progress")).to_be_hidden()


def test_what_fails_is_said_and_can_be_tried_again(page: Page, shared_wb: Workbench, track: Track) -> None:
    view = AnalysisView(shared_wb, track)
    real = shared_wb.track
    try:
        shared_wb.track = lambda _track: 1 / 0  # type: ignore[assignment, return-value]
        show(page, view)
        expect(page.get_by_role("alert").first).to_contain_text("Something went wrong inside Sound Forge")
    finally:
        shared_wb.track = real  # type: ignore[method-assign]
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_role("heading", name="Analysis of A song to look at")).to_be_visible()
    expect(page.locator(".sf-failed")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_is_accessible_and_fits(page: Page, shared_wb: Workbench, track: Track, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    show(page, AnalysisView(shared_wb, track, player=APlayer()), theme=theme)
    page.add_script_tag(content=PLAYER)
    page.get_by_text("Is something wrong?").click()
    page.get_by_role("tab", name="bass").click()
    page.locator(".sf-overview img:visible").wait_for(timeout=30_000)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.soak
def test_in_jupyterlab_beside_a_real_player(page: Any, shared_wb: Workbench, track: Track, tmp_path: Path) -> None:
    write_notebook(tmp_path / "look.ipynb", *_cells(track))
    with start_lab(tmp_path, shared_wb.settings.library, environment={"SOUNDFORGE_OFFLINE": "true"}) as server:
        page.set_viewport_size({"width": 1300, "height": 2000})
        page.goto(server.address("lab/tree/look.ipynb"))
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        _looked_at(page)


def test_on_the_dashboard_beside_a_real_player(page: Page, shared_wb: Workbench, track: Track, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "look.ipynb", *_cells(track))
    with start_voila(notebook, shared_wb.settings.library) as server:
        page.goto(server.url)
        _looked_at(page)


def _cells(track: Track) -> list[str]:
    return [
        "from sfwidgets import Workbench\nfrom sfwidgets.widgets import AnalysisView, StemPlayer\nwb = Workbench()",
        f"player = StemPlayer(wb, {track.id!r})\nplayer",
        f"AnalysisView(wb, {track.id!r}, player=player)",
    ]


def _looked_at(page: Page) -> None:
    view = page.locator(".sf-analysis")
    view.locator("dt").first.wait_for(timeout=60_000)
    view.locator(".sf-overview img:visible").wait_for(timeout=60_000)
    view.get_by_role("button", name="Section C").click(timeout=60_000)
    expect(view.locator(".sf-section[aria-current]")).to_have_accessible_name("Section C, chorus, 0:09 to 0:12")
    with page.expect_download() as waited:
        view.get_by_role("button", name="Save as JSON").click()
    assert json.loads(Path(waited.value.path()).read_text())["sections"][3]["label"] == "C"
    assert waited.value.suggested_filename == "A song to look at.json"
