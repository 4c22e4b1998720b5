"""The stem player, as a person looks at it, clicks in it and types to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe import serious
from player_pages import build_player_page, lane_settings, open_player, said, start_player
from playwright.sync_api import Browser, Page, expect
from servers import start_lab

from sfwidgets import Workbench

SIX = ["vocals", "drums", "bass", "other", "guitar", "piano"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_player_page(tmp_path_factory.mktemp("player"))


@pytest.fixture
def player(page: Page, built: Path) -> Page:
    page.set_viewport_size({"width": 1280, "height": 900})
    open_player(page, built, seconds=60)
    return page


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def playhead(page: Page) -> Any:
    return page.get_by_role("slider", name="Playhead")


def drag(page: Page, element: Any, start: float, end: float, y: float = 10) -> None:
    """Drag over shares of an element's width."""
    box = element.bounding_box()
    page.mouse.move(box["x"] + start * box["width"], box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], box["y"] + y)
    page.mouse.move(box["x"] + end * box["width"], box["y"] + y)
    page.mouse.up()


def test_space_plays_and_pauses_and_the_time_goes_on(player: Page) -> None:
    playhead(player).focus()
    player.keyboard.press("Space")
    expect(button(player, "Pause")).to_be_visible()
    player.wait_for_function("() => window.session.time > 0.3")
    player.wait_for_function("() => window.model.get('playing') && window.model.get('time') > 0.2")
    player.wait_for_function(
        "() => [...document.querySelectorAll('.sf-lane .sf-meter i')].every(bar => bar.style.transform)"
    )
    player.keyboard.press("Space")
    expect(button(player, "Play")).to_be_visible()
    assert said(player, "model.get('playing')") is False
    assert said(player, "model.get('time')") == said(player, "session.time"), "a pause is told exactly"


def test_numbers_mute_and_solo_on_any_keyboard(player: Page) -> None:
    playhead(player).focus()
    player.keyboard.press("Digit2")
    assert lane_settings(player, "drums")["muted"] is True
    expect(button(player, "Mute Drums")).to_have_attribute("aria-pressed", "true")
    player.keyboard.press("Shift+Digit1")
    player.keyboard.press("Shift+Digit4")
    assert [said(player, f"session.mix.lanes.{name}?.soloed") for name in ("vocals", "drums", "other")] == [
        True,
        False,
        True,
    ]
    # On a French keyboard the key of the 1 says "&".
    player.evaluate(
        """() => document.activeElement.dispatchEvent(
          new KeyboardEvent('keydown', { key: '&', code: 'Digit1', bubbles: true }))"""
    )
    assert lane_settings(player, "vocals")["muted"] is True


def test_letters_loop_compare_and_click(player: Page) -> None:
    playhead(player).focus()
    player.evaluate("() => session.seek(9)")
    player.keyboard.press("l")
    assert said(player, "session.mix.loop") == {"start": 8, "end": 12, "label": ""}, "the two bars at the playhead"
    expect(button(player, "Loop")).to_have_attribute("aria-pressed", "true")
    player.keyboard.press("l")
    assert said(player, "session.mix.loop") is None
    player.keyboard.press("a")
    expect(button(player, "Original")).to_have_attribute("aria-pressed", "true")
    player.keyboard.press("c")
    expect(button(player, "Click")).to_have_attribute("aria-pressed", "true")
    player.keyboard.press("?")
    expect(player.get_by_role("dialog", name="Keys")).to_be_visible()


def test_arrows_seek_by_seconds_and_by_bars(player: Page) -> None:
    playhead(player).focus()
    player.keyboard.press("ArrowRight")
    assert said(player, "session.time") == pytest.approx(5)
    player.keyboard.press("Shift+ArrowRight")
    assert said(player, "session.time") == pytest.approx(6)
    player.keyboard.press("Shift+ArrowRight")
    assert said(player, "session.time") == pytest.approx(8)
    player.keyboard.press("Shift+ArrowLeft")
    player.keyboard.press("ArrowLeft")
    assert said(player, "session.time") == pytest.approx(1)
    player.keyboard.press("End")
    assert said(player, "session.time") == pytest.approx(60)
    player.keyboard.press("Home")
    assert said(player, "session.time") == 0


def test_keys_leave_text_and_buttons_alone(player: Page) -> None:
    button(player, "Mute Bass").focus()
    player.keyboard.press("Space")
    assert lane_settings(player, "bass")["muted"] is True
    assert said(player, "session.playing") is False
    button(player, "Rename cue point Chorus 1").click()
    player.keyboard.type("All 1234")
    player.keyboard.press("Enter")
    expect(button(player, "Rename cue point All 1234")).to_be_visible()
    assert said(player, "session.mix.loop") is None


def test_a_screen_reader_hears_where_the_playhead_is(player: Page) -> None:
    player.evaluate("() => session.seek(17)")
    expect(playhead(player)).to_have_attribute("aria-valuetext", "0:17, bar 9, chorus, A minor")
    for name in ("Sections", "Cue points", "Loops"):
        assert player.get_by_role("region", name=name).count() == 1
    player.get_by_role("list", name="Sections").get_by_role("button").nth(1).click()
    assert said(player, "session.time") == pytest.approx(8)


def test_a_click_seeks_and_a_drag_on_the_ruler_loops_whole_bars(player: Page) -> None:
    wave = player.locator(".sf-wave").first
    box = wave.bounding_box()
    assert box is not None
    player.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    assert said(player, "session.time") == pytest.approx(30, abs=0.1)
    player.get_by_label("Loops snap to").select_option("bar")
    drag(player, playhead(player), 0.26, 0.51)
    assert said(player, "session.mix.loop") == {"start": 16, "end": 30, "label": ""}
    player.get_by_label("Loops snap to").select_option("beat")
    player.keyboard.down("Shift")
    drag(player, wave, 0.1, 0.142, y=30)
    player.keyboard.up("Shift")
    assert said(player, "session.mix.loop") == {"start": 6, "end": 8.5, "label": ""}
    handle = player.get_by_role("slider", name="Loop end")
    handle.focus()
    player.keyboard.press("ArrowRight")
    assert said(player, "session.mix.loop.end") == 9
    drag(player, playhead(player), 0.8, 0.8)
    assert said(player, "session.mix.loop.end") == 9, "a click on the ruler seeks, and leaves the loop"


def test_zooming_keeps_the_moment_and_a_drag_moves_on(player: Page) -> None:
    wave = player.locator(".sf-wave").first
    box = wave.bounding_box()
    assert box is not None
    player.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    player.keyboard.down("Control")
    for _ in range(4):
        player.mouse.wheel(0, -100)
    player.keyboard.up("Control")
    frame = player.locator(".sf-frame")
    expect(frame).to_be_visible()
    player.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    assert said(player, "session.time") == pytest.approx(30, abs=0.1)
    drag(player, wave, 0.5, 0.3, y=30)
    assert said(player, "session.time") == pytest.approx(30, abs=0.1), "a drag does not seek"
    player.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    assert said(player, "session.time") > 31
    button(player, "All of the track").click()
    expect(frame).to_be_hidden()


def test_what_python_says_is_shown_and_what_is_pressed_is_told(player: Page) -> None:
    player.evaluate(
        """() => {
          const slider = document.querySelector('[aria-label="Volume of Vocals"]');
          slider.value = 0.5;
          slider.dispatchEvent(new Event('input', { bubbles: true }));
          // Before the page has told Python of it, Python says something else.
          const bass = { volume: 1, pan: -1, muted: true, soloed: false };
          model.set('mix', { ...model.get('mix'), speed: 0.75, lanes: { bass } });
        }"""
    )
    expect(player.get_by_label("Speed", exact=True)).to_have_attribute("aria-valuetext", "0.75×")
    expect(button(player, "Mute Bass")).to_have_attribute("aria-pressed", "true")
    expect(player.get_by_label("Pan of Bass")).to_have_attribute("aria-valuetext", "100 % left")
    player.wait_for_function("() => model.get('mix').lanes.vocals?.volume === 0.5 && model.get('mix').speed === 0.75")
    player.evaluate("() => model.set('time', 12)")
    assert said(player, "session.time") == 12


def test_two_views_of_one_player_stay_in_step(page: Page, built: Path) -> None:
    open_player(page, built, seconds=20, views=2)
    first, second = (page.locator(".sf-player").nth(i) for i in range(2))
    first.get_by_role("button", name="Solo Vocals").click()
    expect(second.get_by_role("button", name="Solo Vocals")).to_have_attribute("aria-pressed", "true")
    first.get_by_role("button", name="Play", exact=True).click()
    expect(second.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    second.get_by_role("button", name="Pause", exact=True).click()
    expect(first.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_sound_comes_only_from_the_page_that_started_it(player: Page) -> None:
    player.evaluate("() => { model.set('page', 'another'); model.set('playing', true); model.set('time', 7); }")
    expect(button(player, "Pause")).to_be_visible()
    assert said(player, "session.engine.playing") is False
    assert said(player, "session.time") == 7
    button(player, "Pause").click()
    assert said(player, "model.get('playing')") is False
    button(player, "Play").click()
    player.wait_for_function("() => session.engine.playing && session.time >= 7")
    assert said(player, "model.get('page')") != "another"
    player.evaluate("() => model.set('page', 'another')")
    player.wait_for_function("() => !session.engine.playing")


def test_cue_points_and_loops_are_kept_named_and_deleted(player: Page) -> None:
    player.evaluate("() => session.seek(21)")
    button(player, "Add at playhead").click()
    assert {"time": 21, "label": "Cue 1", "type": "cue"} in said(player, "model.get('cues')")
    button(player, "Rename cue point Cue 1").click()
    player.keyboard.type("Drop")
    player.keyboard.press("Enter")
    expect(button(player, "Rename cue point Drop")).to_be_visible()
    before = len(said(player, "model.get('cues')"))
    button(player, "Delete cue point Drop").click()
    assert len(said(player, "model.get('cues')")) == before - 1
    expect(button(player, "Keep this loop")).to_be_disabled()
    player.evaluate("() => session.setLoop({ start: 4, end: 8 })")
    button(player, "Keep this loop").click()
    player.evaluate("() => session.clearLoop()")
    player.get_by_role("button", name="Loop 1 0:04–0:08").click()
    assert said(player, "session.mix.loop") == {"start": 4, "end": 8, "label": "Loop 1"}
    player.wait_for_function("() => model.get('mix').loops?.length === 1")
    button(player, "Delete loop Loop 1").click()
    player.wait_for_function("() => model.get('mix').loops?.length === 0")


def test_audio_that_cannot_be_read_is_told_with_a_way_on(player: Page) -> None:
    player.evaluate("() => { window.failing = true; session.seek(50); }")
    button(player, "Play").click()
    alert = (
        player.get_by_role("alert")
        .filter(has_text="could not be read")
        .or_(player.get_by_role("alert").filter(has_text="no longer there"))
    )
    expect(alert).to_be_visible()
    expect(button(player, "Play")).to_be_visible()
    player.evaluate("() => { window.failing = false; }")
    button(player, "Retry").click()
    player.wait_for_function("() => session.engine?.playing && session.time > 50")
    expect(alert).to_be_hidden()


def test_a_browser_that_lets_no_page_sound_says_so(page: Page, built: Path) -> None:
    page.add_init_script("delete window.AudioWorkletNode")
    open_player(page, built, seconds=10)
    expect(page.get_by_role("alert")).to_contain_text("https or on localhost")
    expect(button(page, "Retry")).to_be_visible()


def test_without_stems_or_analysis_it_says_what_to_do(page: Page, built: Path) -> None:
    open_player(page, built, seconds=20, stems=[], analysed=False)
    expect(page.get_by_text("Separate it to get stems")).to_be_visible()
    expect(page.get_by_text("Analyse the track to get beats")).to_be_visible()
    assert page.locator(".sf-lane").count() == 1
    assert page.get_by_role("button", name="Original").count() == 0
    expect(button(page, "Click")).to_be_disabled()
    playhead(page).focus()
    page.keyboard.press("l")
    assert said(page, "session.mix.loop") == {"start": 0, "end": 4, "label": ""}
    button(page, "Play").click()
    page.wait_for_function("() => session.time > 0.1")


def test_the_dialog_exports_what_was_chosen(player: Page) -> None:
    player.evaluate("() => session.setLoop({ start: 4, end: 8 })")
    button(player, "Export").click()
    dialog = player.get_by_role("dialog", name="Export")
    dialog.get_by_label("What").select_option(label="Vocals alone")
    dialog.get_by_label("Part").select_option("loop")
    dialog.get_by_label("Format").select_option("mp3")
    expect(dialog.get_by_label("Bit depth")).to_be_hidden()
    assert "96 kHz" not in dialog.get_by_label("Sample rate").inner_text()
    dialog.get_by_label("Level").select_option("loudness")
    expect(dialog.get_by_label("Artist")).to_have_value("The Parallel Lines")
    dialog.get_by_label("Title").fill("Karaoke")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog.get_by_role("status")).to_contain_text("Done")
    [told] = said(player, "exported")
    told.pop("mix")
    tags = {
        "title": "Karaoke",
        "artist": "The Parallel Lines",
        "album": "Last Service",
        "comment": "Made with Sound Forge Alchemy",
    }
    assert told == {
        "what": "vocals", "span": [4, 8], "format": "mp3", "sampleRate": 44100, "bitDepth": None,
        "normalize": "loudness", "tags": tags,
    }  # fmt: skip
    player.evaluate("() => { window.slow = 60_000; }")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog.get_by_role("progressbar")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Browser, built: Path, scheme: Any) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 1000}, color_scheme=scheme)
    page = context.new_page()
    mix = {
        "lanes": {"bass": {"volume": 1, "pan": 0, "muted": True, "soloed": False}},
        "loop": {"start": 4, "end": 8, "label": ""},
    }
    open_player(page, built, seconds=60, stems=SIX, preview="embedded", notices=["A notice."], mix=mix)
    assert serious(page) == []
    button(page, "Export").click()
    assert serious(page, ".sf-export") == []
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (768, "light"), (1280, "dark")])
def test_it_fits_and_no_lane_is_empty(chromium: Browser, built: Path, width: int, scheme: Any) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 500)
    page = context.new_page()
    title = "A very long title that somebody gave to a song of theirs without a thought of telephones"
    open_player(page, built, seconds=60, stems=SIX, preview="embedded", title=title)
    page.wait_for_function("() => session.peaks.size === 7")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert said(page, "document.documentElement.scrollWidth") <= width
    drawn = page.evaluate(
        """() => [...document.querySelectorAll('.sf-lane')].map(lane => {
          const canvas = lane.querySelector('canvas');
          const wanted = getComputedStyle(lane).getPropertyValue('--lane');
          const probe = new OffscreenCanvas(1, 1).getContext('2d');
          probe.fillStyle = wanted.trim();
          probe.fillRect(0, 0, 1, 1);
          const colour = [...probe.getImageData(0, 0, 1, 1).data];
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          let found = 0;
          for (let i = 0; i < data.length; i += 4) found += colour.every((part, j) => Math.abs(part - data[i + j]) < 3);
          return found / (canvas.width * canvas.height);
        })"""
    )
    assert len(drawn) == 6
    assert all(share > 0.02 for share in drawn), drawn
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('.sf-player button, .sf-player h2, .sf-player h3, .sf-fader, .sf-time')]
          .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1)
          .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert clipped == []
    if width < 500:
        small = page.evaluate(
            """() => [...document.querySelectorAll('.sf-player button')].filter(one => one.offsetParent)
              .filter(one => one.getBoundingClientRect().height < 43.5).map(one => one.outerHTML.slice(0, 120))"""
        )
        assert small == []
    context.close()


def test_another_track_takes_its_place(player: Page) -> None:
    button(player, "Play").click()
    player.wait_for_function("() => session.time > 0.1")
    player.evaluate(
        """() => {
          model.set('playing', false);
          model.set('time', 0);
          const track = model.get('track');
          model.set('track', { ...track, id: 't2', title: 'Another', lanes: track.lanes.slice(2) });
        }"""
    )
    expect(player.get_by_role("heading", name="Another")).to_be_visible()
    assert player.locator(".sf-lane").count() == 2
    expect(button(player, "Play")).to_be_visible()
    start_player(player, seconds=10)
    assert player.locator(".sf-player").count() == 1


def test_python_and_a_page_of_jupyterlab_agree(
    page: Page, wb: Workbench, song: Callable[..., Path], tmp_path: Path
) -> None:
    track = wb.add(song(6))
    wb.separate(track, "embedded").wait()
    cells = [
        f"from sfwidgets import Workbench\nfrom sfwidgets.widgets.player import StemPlayer\n"
        f"player = StemPlayer(Workbench(), '{track.id}')\nplayer",
        "player.stems['drums'].muted = True; player.speed = 0.75; player.time = 2.0",
        "print('heard', player.stems['vocals'].soloed, player.mix.loop, round(player.time, 1))",
    ]
    root = tmp_path / "root"
    root.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "player.ipynb")
    with start_lab(root, wb.settings.library) as server:
        page.set_viewport_size({"width": 1300, "height": 1600})
        page.goto(server.address("lab/tree/player.ipynb"))
        code = page.locator(".jp-CodeCell .jp-InputArea-editor .cm-content")
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        code.first.click()
        page.keyboard.press("Shift+Enter")
        button(page, "Play").click(timeout=60_000)
        expect(button(page, "Pause")).to_be_visible()
        page.wait_for_function("() => document.querySelector('.sf-now').textContent > '0:00.3'")
        button(page, "Pause").click()
        code.nth(1).click()
        page.keyboard.press("Shift+Enter")
        expect(button(page, "Mute Drums")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_label("Speed", exact=True)).to_have_attribute("aria-valuetext", "0.75×")
        expect(page.locator(".sf-now")).to_have_text("0:02.0")
        button(page, "Solo Vocals").click()
        page.get_by_role("slider", name="Playhead").focus()
        page.keyboard.press("l")
        expect(button(page, "Loop")).to_have_attribute("aria-pressed", "true")
        page.wait_for_timeout(500)
        code.nth(2).click()
        page.keyboard.press("Shift+Enter")
        expect(page.locator(".jp-OutputArea-output").filter(has_text="heard True")).to_contain_text("2.0")
        with page.expect_download() as downloading:
            button(page, "Export").click()
            page.get_by_role("dialog", name="Export").get_by_role("button", name="Export").click()
        assert downloading.value.suggested_filename == "song (mix).wav"
        assert downloading.value.path().stat().st_size > 6 * 44100
        page.get_by_role("dialog", name="Export").get_by_role("button", name="Close").click()
        for kernel in server.kernels():
            kernel.kill()
        expect(page.get_by_role("alert").filter(has_text="kernel")).to_be_visible(timeout=30_000)
    assert wb.mix(track).lanes["vocals"].soloed
