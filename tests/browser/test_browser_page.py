"""The library browser in a real page, on a library of five thousand tracks."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe import serious
from playwright.sync_api import expect
from servers import Server, start_voila
from sqlalchemy import insert

from sfwidgets import Workbench
from sfwidgets.library.schema import audio, tracks

TRACKS = 5000
CODE = """
from ipywidgets import Label
from sfwidgets import Workbench
from sfwidgets.widgets.browser import LibraryBrowser
wb, said = Workbench(), Label()
browser = LibraryBrowser(wb)
times = iter(range(1, 100))
browser.on_open(lambda track_id: setattr(said, "value", f"opened {wb.track(track_id).title} ({next(times)})"))
display(browser, said)
"""


def _fill(wb: Workbench) -> None:
    """Insert rows of tracks as if their files were there: number 0 is the oldest."""
    now, files, rows = time.time(), [], []
    for number in range(TRACKS):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        files.append(
            {
                "owner": wb.owner, "hash": digest, "path": f"audio/{digest}.wav", "size": 1, "duration": 60 + number / 10,
                "sample_rate": 44100, "channels": 2, "codec": "flac", "container": "flac", "created_at": now,
            }
        )  # fmt: skip
        rows.append(
            {
                "owner": wb.owner, "id": digest[:16], "title": f"Song {number:04d}", "artist": f"Artist {number % 50}",
                "album": "", "source": "file", "hash": digest, "created_at": now - TRACKS + number, "updated_at": now,
            }
        )  # fmt: skip
    with wb._shared.database.write() as connection:
        connection.execute(insert(audio), files)
        connection.execute(insert(tracks), rows)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with Workbench(tmp_path_factory.mktemp("many") / "library") as wb:
        _fill(wb)
        yield wb


@pytest.fixture(scope="module")
def server(library: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    notebook = tmp_path_factory.mktemp("page") / "browser.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)]), notebook)
    with start_voila(notebook, library.settings.library) as running:
        yield running


@pytest.fixture
def shown(page: Any, server: Server) -> Any:
    page.goto(server.address())
    page.locator(".sf-rows [data-track]:not([data-track=''])").first.wait_for(timeout=60_000)
    return page


def _titles(page: Any) -> list[str]:
    """Return the titles of the rows, from the top."""
    return [
        title
        for _, title in sorted(
            page.eval_on_selector_all(
                ".sf-rows > [role=row]",
                "all => all.map(row => [Number(row.ariaRowIndex ?? row.getAttribute('aria-rowindex')),"
                " row.querySelector('.sf-name').textContent])",
            )
        )
    ]


def test_only_what_is_in_sight_is_in_the_page(shown: Any) -> None:
    grid = shown.get_by_role("grid", name="Tracks")
    expect(shown.locator(".sf-count")).to_have_text("5,000 tracks")
    expect(grid).to_have_attribute("aria-rowcount", "5001")
    assert shown.locator(".sf-rows > [role=row]").count() < 40
    assert _titles(shown)[:2] == ["Song 4999", "Song 4998"]
    grid.focus()
    shown.keyboard.press("End")
    expect(shown.locator(".sf-rows [aria-selected=true] .sf-name")).to_have_text("Song 0000")
    active = grid.get_attribute("aria-activedescendant")
    expect(shown.locator(f"#{active}")).to_have_attribute("aria-rowindex", "5001")
    expect(shown.locator(f"#{active}")).to_be_in_viewport()
    assert shown.locator(".sf-rows > [role=row]").count() < 40


def test_searching_and_sorting_show_what_the_library_says(shown: Any, library: Workbench) -> None:
    shown.get_by_role("searchbox").fill("artist 7")
    expected = library.tracks("artist 7")
    expect(shown.locator(".sf-count")).to_have_text(f"{expected.total} matches")
    assert _titles(shown)[:5] == [track.title for track in expected][:5]
    shown.get_by_role("combobox", name="Sort").select_option("duration")
    expect(shown.locator(".sf-rows > [aria-rowindex='2'] .sf-name")).to_have_text(
        library.tracks("artist 7", sort="duration")[0].title
    )
    shown.get_by_role("searchbox").fill("no such thing")
    expect(shown.locator(".sf-nothing")).to_contain_text("Nothing matches “no such thing”.")
    shown.get_by_role("button", name="Show all tracks").click()
    expect(shown.locator(".sf-count")).to_have_text("5,000 tracks")


def test_an_answer_that_comes_late_is_left_out(page: Any, server: Server, library: Workbench) -> None:
    held: list[Any] = []

    def route(socket: Any) -> None:
        behind = socket.connect_to_server()

        def on_message(message: Any) -> None:
            text = message if isinstance(message, bytes) else message.encode()
            if re.search(rb'"search": ?"song 1"', text):
                held.append(message)
                return
            behind.send(message)
            if held and re.search(rb'"search": ?"song 12"', text):
                behind.send(held.pop())

        socket.on_message(on_message)

    page.route_web_socket(re.compile("/api/kernels/"), route)
    page.goto(server.address())
    page.locator(".sf-rows [data-track]:not([data-track=''])").first.wait_for(timeout=60_000)
    search = page.get_by_role("searchbox")
    search.fill("song 1")
    page.wait_for_timeout(300)
    assert held, "the first search was under way"
    search.fill("song 12")
    count = page.locator(".sf-count")
    expect(count).to_have_text(f"{library.tracks('song 12').total} matches")
    page.wait_for_timeout(500)
    assert not held
    expect(count).to_have_text(f"{library.tracks('song 12').total} matches")


def test_everything_goes_by_the_keyboard(shown: Any, library: Workbench) -> None:
    shown.get_by_role("searchbox").fill("Song 321")
    expect(shown.locator(".sf-count")).to_have_text("10 matches")
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("ArrowDown")
    expect(shown.locator(".sf-bottom")).to_contain_text("Song 3218")
    assert shown.get_by_text("opened Song 3218").count() == 0, "the arrows only choose"
    shown.keyboard.press("Enter")
    expect(shown.get_by_text("opened Song 3218")).to_be_visible()
    shown.keyboard.press("Delete")
    expect(shown.locator(".sf-undo")).to_contain_text("Deleted “Song 3218”")
    expect(shown.locator(".sf-count")).to_have_text("9 matches")
    expect(shown.locator(".sf-bottom")).to_contain_text("Song 3217")
    shown.keyboard.press("Control+z")
    expect(shown.locator(".sf-count")).to_have_text("10 matches")
    expect(shown.locator(".sf-undo")).to_be_hidden()
    expect(shown.locator(".sf-bottom")).to_contain_text("Song 3218")
    shown.keyboard.press("F2")
    shown.get_by_label("Title", exact=True).fill("")
    shown.keyboard.press("Enter")
    assert shown.locator("dialog").is_visible(), "a title can't be empty"
    shown.get_by_label("Title", exact=True).fill("Song 3218 renamed")
    shown.keyboard.press("Enter")
    expect(shown.locator("dialog")).to_be_hidden()
    expect(shown.locator(".sf-rows > [aria-selected=true] .sf-name")).to_have_text("Song 3218 renamed")
    assert library.tracks("3218 renamed").total == 1


def test_one_click_opens_and_a_double_click_opens_once(shown: Any) -> None:
    opened = shown.get_by_text(re.compile("^opened "))
    shown.get_by_role("searchbox").fill("Song 4")
    rows = shown.locator(".sf-rows > [role=row]")
    rows.filter(has_text="Song 4997").click()
    expect(opened).to_have_text("opened Song 4997 (1)")
    rows.filter(has_text="Song 4996").dblclick()
    expect(opened).to_have_text("opened Song 4996 (2)")
    expect(shown.locator(".sf-bottom")).to_contain_text("Song 4996")
    shown.wait_for_timeout(300)
    expect(opened).to_have_text("opened Song 4996 (2)")


def test_a_chosen_track_that_somebody_else_deletes_is_chosen_no_more(shown: Any, library: Workbench) -> None:
    shown.get_by_role("searchbox").fill("Song 055")
    expect(shown.locator(".sf-count")).to_have_text("10 matches")
    shown.locator(".sf-rows > [role=row]").filter(has_text="Song 0555").click()
    expect(shown.locator(".sf-bottom")).to_contain_text("Song 0555")
    library.trash(library.tracks("Song 0555")[0])
    expect(shown.locator(".sf-count")).to_have_text("9 matches", timeout=20_000)
    expect(shown.locator(".sf-bottom")).to_be_hidden()
    expect(shown.locator(".sf-rows > [aria-selected=true]")).to_have_count(0)


def test_a_track_that_has_gone_says_so_and_the_list_is_true_again(shown: Any, library: Workbench) -> None:
    shown.get_by_role("searchbox").fill("Song 0777")
    expect(shown.locator(".sf-count")).to_have_text("1 match")
    shown.get_by_role("searchbox").press("ArrowDown")
    expect(shown.locator(".sf-bottom")).to_contain_text("Song 0777")
    library.trash(library.tracks("Song 0777")[0])
    shown.keyboard.press("Enter")
    expect(shown.get_by_role("alert")).to_contain_text("There is no track")
    expect(shown.locator(".sf-nothing")).to_be_visible()
    shown.get_by_role("button", name="Dismiss").click()
    expect(shown.get_by_role("alert")).to_be_hidden()


def test_what_another_process_adds_shows_up_by_itself(
    shown: Any, library: Workbench, song: Callable[..., Path]
) -> None:
    library.add(song(1), title="Fresh from elsewhere")
    expect(shown.locator(".sf-rows > [aria-rowindex='2'] .sf-name")).to_have_text(
        "Fresh from elsewhere", timeout=20_000
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_from_phone_to_desktop(shown: Any, scheme: Any) -> None:
    shown.emulate_media(color_scheme=scheme)
    shown.locator(".sf-rows > [role=row]").nth(1).click()
    for width in (360, 1280):
        shown.set_viewport_size({"width": width, "height": 800})
        shown.wait_for_timeout(100)
        assert serious(shown, ".sf-browser") == []
        assert shown.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
