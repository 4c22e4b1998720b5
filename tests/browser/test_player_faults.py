"""What the player and what polls say when audio, the session or the connection is gone, and how they go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from player_pages import build_player_page, open_player
from playwright.sync_api import Page, expect
from views_page import show

from sfwidgets import Workbench
from sfwidgets.widgets.jobs import JobQueue
from sfwidgets.widgets.player import StemPlayer

DRAWN = """() => [...document.querySelectorAll('.sf-lane canvas')].every((canvas) =>
  canvas.width && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value))"""


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def test_stems_that_are_gone_from_the_disk_are_told_until_they_are_back(
    page: Page, wb: Workbench, song: Callable[..., Path]
) -> None:
    track = wb.add(song(4))
    wb.separate(track, "embedded").wait()
    stems = wb.path(wb.stems(track).stems[0]).parent
    away = stems.with_name("away")
    stems.rename(away)
    player = StemPlayer(wb, track)
    show(page, player)
    alert = page.get_by_role("alert").filter(has_text="The stems' files are gone. Separate the track again.")
    expect(alert).to_be_visible()
    button(page, "Play").click()
    expect(button(page, "Play")).to_be_visible()
    expect(alert).to_be_visible()
    button(page, "Retry").click()
    expect(alert).to_be_visible()
    away.rename(stems)
    button(page, "Play").click()
    expect(button(page, "Pause")).to_be_visible()
    expect(alert).to_be_hidden()
    page.wait_for_function(DRAWN)
    player.close()


def test_the_length_is_shown_before_the_sound_is_there(page: Page, wb: Workbench, song: Callable[..., Path]) -> None:
    player = StemPlayer(wb, wb.add(song(4)))
    page.add_init_script("window.AudioContext = class { constructor() { throw new Error('none'); } }")
    show(page, player)
    expect(page.get_by_role("timer", name="Time")).to_contain_text("0:00.0 / 0:04")
    player.close()


def test_an_export_that_the_browser_has_is_done(page: Page, wb: Workbench, song: Callable[..., Path]) -> None:
    player = StemPlayer(wb, wb.add(song(4)))
    show(page, player)
    button(page, "Export").click()
    dialog = page.get_by_role("dialog", name="Export")
    dialog.get_by_label("Format").select_option("mp3")
    page.evaluate(  # the last word, which nobody needs, is never answered
        """() => {
          const { send } = model;
          model.send = (content, ...more) => content.ask === 'taken' || send(content, ...more);
        }"""
    )
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Export", exact=True).click()
    assert download.value.suggested_filename.endswith(".mp3")
    expect(dialog.get_by_role("status")).to_contain_text("Done.")
    player.close()


@pytest.mark.parametrize("dashboard", [True, False])
def test_a_session_that_is_lost_is_asked_no_more_until_the_browser_is_online(
    page: Page, wb: Workbench, dashboard: bool
) -> None:
    page.clock.install()
    queue = JobQueue(wb)
    show(page, queue)
    expect(page.get_by_text("No jobs yet")).to_be_visible()
    page.evaluate(
        """dashboard => {
          if (dashboard) document.body.dataset.voila = 'voila';
          window.sends = 0;
          window.sent = model.send;
          model.send = () => { window.sends++; throw new Error('Cannot send'); };
        }""",
        dashboard,
    )
    page.clock.fast_forward(3000)
    words = "The page has lost its session. Reload it; jobs go on." if dashboard else "run the cell again"
    expect(page.locator(".sf-notice")).to_contain_text(words)
    page.clock.run_for(30_000)
    assert page.evaluate("sends") == 1
    button(page, "Ask again").click()
    page.clock.run_for(30_000)
    assert page.evaluate("sends") == 2
    page.evaluate("() => { model.send = window.sent; dispatchEvent(new Event('online')); }")
    page.clock.run_for(5000)
    expect(page.locator(".sf-notice")).to_be_hidden()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_player_page(tmp_path_factory.mktemp("player"))


def test_audio_that_keeps_away_is_told_and_playing_goes_on_once_it_comes(page: Page, built: Path) -> None:
    page.clock.install()
    open_player(page, built, seconds=60)
    page.evaluate(
        """() => {
          window.away = new Promise((resolve) => { window.back = resolve; });
          session.seek(40);
          void session.play();
        }"""
    )
    expect(button(page, "Pause")).to_be_visible()
    alert = page.get_by_role("alert").filter(has_text="No audio has come for a while.")
    expect(alert).to_be_hidden()
    page.wait_for_timeout(300)
    page.clock.run_for(11_000)
    expect(alert).to_be_visible()
    expect(button(page, "Retry")).to_be_visible()
    expect(button(page, "Pause")).to_be_visible()
    page.evaluate("() => window.back()")
    page.wait_for_function("() => session.time > 40.1")
    expect(alert).to_be_hidden()


def test_a_connection_that_breaks_is_tried_again_while_it_plays(page: Page, built: Path) -> None:
    open_player(page, built, seconds=60)
    page.evaluate("() => { window.unreached = true; session.seek(40); void session.play(); }")
    page.wait_for_function("() => session.engine.buffering && window.refused > 30")
    assert page.evaluate("session.engine.playing")
    page.evaluate("() => { window.unreached = false; }")
    page.wait_for_function("() => session.time > 40.1")
