"""The import panel in a real page: files chosen and dropped, uploaded, and made into stems; links, and what they lead to."""

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
from views_page import show, tell

from sfwidgets import Workbench, sources
from sfwidgets.errors import InvalidInputError, NotFoundError, SlowDownError
from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.widgets.importing import ImportPanel

CODE = """
from ipywidgets import Label
from sfwidgets import Workbench
from sfwidgets.widgets.importing import ImportPanel
wb, said = Workbench(), Label()
panel = ImportPanel(wb)
panel.on_open(lambda track_id: setattr(said, "value", "opened " + wb.track(track_id).title))
display(panel, said)
"""
PATIENCE = 120_000
NO_SUCH_LENGTH = 900_000.0
"""Seconds: nobody offers such a recording, so that its download fails."""
LINK = "https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M"


@pytest.fixture(scope="module")
def server(shared_wb: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    notebook = tmp_path_factory.mktemp("page") / "importing.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)]), notebook)
    with start_voila(notebook, shared_wb.settings.library) as running:
        yield running


@pytest.fixture
def panel(page: Any, server: Server) -> Any:
    page.goto(server.address())
    page.locator(".sf-importing option[value=embedded]").wait_for(state="attached", timeout=60_000)
    return page


def _choose(page: Any, *files: Path) -> None:
    page.locator(".sf-importing input[type=file]").set_input_files([str(file) for file in files])


def _row(page: Any, name: str) -> Any:
    return page.locator(".sf-files > li").filter(has=page.locator(".sf-what", has_text=name))


def _uploads(wb: Workbench) -> set[Path]:
    return set(wb.settings.library.glob("**/upload-*"))


def test_one_press_takes_all_files_to_the_end_each_with_its_own_row(
    panel: Any, shared_wb: Workbench, song: Callable[..., Path], tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Not music. " * 500)
    _choose(panel, song(4, seed=201, name="First Song.wav"), notes, song(3, seed=202, name="Second Song.wav"))
    panel.get_by_label("Model").select_option("embedded")
    panel.get_by_role("button", name="Split 3 songs into stems").click()
    expect(_row(panel, "notes.txt")).to_contain_text("can't be decoded", timeout=PATIENCE)
    for name in ("First Song", "Second Song"):
        expect(_row(panel, name)).to_contain_text("Ready: stems and analysis", timeout=PATIENCE)
        track = shared_wb.tracks(name)[0]
        assert track.has_stems
        assert track.has_analysis
    expect(panel.get_by_role("button", name="Try again")).to_have_count(0)
    panel.get_by_role("button", name="Open Second Song").click()
    expect(panel.get_by_text("opened Second Song")).to_be_visible()
    panel.get_by_role("button", name="Remove notes.txt").click()
    expect(_row(panel, "notes.txt")).to_have_count(0)
    panel.get_by_role("button", name="Hide finished").click()
    expect(panel.locator(".sf-files > li")).to_have_count(0)
    expect(panel.get_by_role("button", name="Hide finished")).to_be_hidden()
    assert shared_wb.tracks("First Song").total == 1
    for width in (360, 1280):
        panel.set_viewport_size({"width": width, "height": 900})
        assert serious(panel, ".sf-importing") == []
        assert panel.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_a_large_upload_can_be_cancelled_and_others_go_on(
    panel: Any, shared_wb: Workbench, song: Callable[..., Path], tmp_path: Path
) -> None:
    before = _uploads(shared_wb)
    large = tmp_path / "endless.wav"
    with large.open("wb") as file:
        file.truncate(3 << 30)
    _choose(panel, large, song(2, seed=203, name="Quick Song.wav"))
    panel.get_by_label("Stems", exact=True).select_option("none")
    panel.get_by_label("Analyse").uncheck()
    panel.get_by_role("button", name="Add 2 songs to the library").click()
    expect(_row(panel, "endless.wav")).to_contain_text("MB/s", timeout=PATIENCE)
    expect(_row(panel, "Quick Song")).to_contain_text("In the library", timeout=PATIENCE)
    panel.get_by_role("button", name="Cancel endless.wav").click()
    expect(_row(panel, "endless.wav")).to_have_count(0)
    expect(_row(panel, "Quick Song")).to_have_count(1)
    for _ in range(100):
        if _uploads(shared_wb) <= before:
            break
        panel.wait_for_timeout(100)
    assert _uploads(shared_wb) <= before, "what came of it is gone"


def test_a_chunk_that_gets_lost_is_sent_again_and_the_file_is_whole(
    page: Any, server: Server, shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    lost: list[int] = []

    def route(socket: Any) -> None:
        behind = socket.connect_to_server()

        def on_message(message: Any) -> None:
            text = message[:4000] if isinstance(message, bytes) else message[:4000].encode()
            if not lost and re.search(rb'"ask": ?"chunk"', text) and b'"offset":1048576' in text.replace(b" ", b""):
                lost.append(len(message))
                return
            behind.send(message)

        socket.on_message(on_message)

    page.clock.install()
    page.route_web_socket(re.compile("/api/kernels/"), route)
    page.goto(server.address())
    page.locator(".sf-importing option[value=embedded]").wait_for(state="attached", timeout=60_000)
    file = song(20, seed=204, name="Lost Chunk.wav")
    _choose(page, file)
    page.get_by_label("Stems", exact=True).select_option("none")
    page.get_by_label("Analyse").uncheck()
    page.get_by_role("button", name="Add 1 song to the library").click()
    expect(_row(page, "Lost Chunk")).to_contain_text("70 %", timeout=PATIENCE)
    assert lost
    assert lost[0] > 1 << 20
    page.clock.fast_forward(21_000)
    expect(_row(page, "Lost Chunk")).to_contain_text("trying again (2 of 4)")
    page.clock.fast_forward(2_000)
    expect(_row(page, "Lost Chunk")).to_contain_text("In the library", timeout=PATIENCE)
    kept = shared_wb.path(shared_wb.tracks("Lost Chunk")[0])
    assert hashlib.sha256(kept.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()


def test_files_that_are_dropped_are_taken(panel: Any) -> None:
    panel.get_by_role("button", name="Split songs into stems").click()
    expect(panel.get_by_text("Drop or choose a song first, or paste a Spotify link.")).to_be_visible()
    dropped = panel.evaluate_handle(
        "() => { const data = new DataTransfer(); data.items.add(new File([''], 'empty.wav')); return data; }"
    )
    for event in ("dragenter", "dragover", "drop"):
        panel.locator(".sf-zone").dispatch_event(event, {"dataTransfer": dropped})
    expect(_row(panel, "empty.wav")).to_contain_text("ready")
    panel.get_by_role("button", name="Split 1 song into stems").click()
    expect(_row(panel, "empty.wav")).to_contain_text("empty.wav is empty")
    expect(_row(panel, "empty.wav").get_by_role("button", name="Try again")).to_have_count(0)
    expect(_row(panel, "empty.wav").get_by_role("button", name="Remove")).to_be_visible()


def test_a_playlist_s_link_is_looked_up_chosen_from_and_downloaded(
    page: Any, shared_wb: Workbench, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_wb.add(song(1, seed=205), id="page1", title="One")
    answers: list[Any] = [
        NotFoundError("Spotify does not have it."),
        SlowDownError("Spotify asks to wait 3 s.", details={"retryAfter": 3}),
        SourceList(
            type="playlist", id="p", name="<b>Road</b> Trip", left_out=2,
            tracks=[
                SourceTrack(id=f"page{n}", title=f"<i>Song</i> {n} {'x' * 250}", artists=("Ann",), duration=NO_SUCH_LENGTH)
                for n in range(2345)
            ],
        ),
    ]  # fmt: skip

    def fetch(url: str, *, patience: float) -> SourceList:
        assert url == LINK
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(shared_wb, "fetch", fetch)
    monkeypatch.setattr(sources, "check_online", lambda settings: None)
    view = ImportPanel(shared_wb)
    page.clock.install()
    show(page, view)
    expect(page.get_by_text("Only download what you have the right to.")).to_be_visible()
    page.get_by_label("Or a Spotify link").fill(LINK)
    page.get_by_label("Or a Spotify link").press("Enter")
    found = page.get_by_role("region", name="What the link leads to")
    expect(found.get_by_role("alert")).to_have_text("Spotify does not have it.")
    found.get_by_role("button", name="Try again").click()
    expect(found.get_by_role("status")).to_have_text("Spotify asks to wait 3 s.")
    page.clock.run_for(3100)
    expect(found.get_by_role("status")).to_have_text(
        "Playlist · 2,345 tracks · 1 in the library already · 2 left out, as they can't be had"
    )
    expect(found).to_contain_text("<b>Road</b> Trip")
    boxes = found.get_by_role("checkbox")
    expect(boxes).to_have_count(200)
    expect(boxes.nth(1)).not_to_be_checked()
    expect(found.get_by_role("button", name="Download 2,344 tracks")).to_be_focused()
    expect(page.get_by_role("button", name="Split")).to_be_hidden()
    expect(found).to_contain_text("and 2,145 more, which are ticked, too")
    page.set_viewport_size({"width": 360, "height": 900})
    assert serious(page, ".sf-importing") == []
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    artist = found.get_by_text("Ann", exact=True).first
    assert artist.evaluate("name => name.scrollWidth <= name.clientWidth"), "a long title does not hide it"
    expect(artist).to_be_in_viewport(ratio=1)
    found.get_by_role("button", name="Tick none").click()
    expect(found).to_contain_text("and 2,145 more, which are not ticked")
    expect(found.get_by_role("button", name="Download", exact=True)).to_be_disabled()
    for label in ("<i>Song</i> 0", "<i>Song</i> 1"):
        found.get_by_label(label, exact=False).first.check()
    page.get_by_label("Stems", exact=True).select_option("none")
    page.get_by_label("Analyse").uncheck()
    found.get_by_role("button", name="Download 2 tracks").click()
    expect(found).to_be_hidden()
    for _ in range(600):
        if view.items[0]["state"] != "running":
            break
        time.sleep(0.1)
    tell(page, view)
    row = _row(page, "<b>Road</b> Trip")
    expect(row).to_contain_text("1 of 2 in the library")
    expect(row).to_contain_text("Done, 1 failed")
    row.locator("summary").click()
    expect(row.get_by_role("listitem").filter(has_text="<i>Song</i> 0")).to_be_visible()
    assert serious(page, ".sf-importing") == []
    row.get_by_role("button", name="Try the failed ones again").click()
    expect(row.get_by_role("button", name="Try the failed ones again")).to_have_count(0)
    paused = {
        **view.items[0], "state": "running",
        "jobs": [{**view.items[0]["jobs"][0], "status": "queued", "paused": True, "stage": "Paused until 14:05:00: limit."}],
    }  # fmt: skip
    page.evaluate("items => model.take('items', items)", [paused])
    expect(row).to_contain_text("Paused until 14:05:00: limit.")
    expect(row.get_by_role("button", name="Cancel")).to_be_visible()
    view.close()


def test_what_can_not_be_downloaded_is_said_and_offers_no_button_that_can_not_help(
    page: Any, shared_wb: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [
        SourceList(type="playlist", id="p", name="Empty", left_out=3),
        InvalidInputError("Invalid Spotify URL", code="invalid_url"),
    ]

    def fetch(url: str, *, patience: float) -> SourceList:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(shared_wb, "fetch", fetch)
    show(page, ImportPanel(shared_wb))
    page.get_by_label("Or a Spotify link").fill(LINK)
    look, found = page.get_by_role("button", name="Look up"), page.locator(".sf-found")
    look.click()
    expect(found.get_by_role("status")).to_have_text(
        "Playlist · There is nothing in this list to download · 3 left out, as they can't be had"
    )
    expect(found.get_by_role("button")).to_have_text(["Close"])
    expect(page.get_by_role("button", name="Split songs into stems")).to_be_visible()
    look.click()
    expect(found.get_by_role("alert")).to_have_text("Invalid Spotify URL")
    expect(found.get_by_role("button")).to_have_text(["Close"])


def test_failures_are_read_whole_in_a_narrow_panel(page: Any, shared_wb: Workbench) -> None:
    view = ImportPanel(shared_wb)
    counts = {"total": 9, "completed": 3, "failed": 5, "cancelled": 1}
    job = {
        "id": "j", "kind": "batch", "what": "Downloads", "detail": "", "trackId": None, "track": "Mix",
        "status": "completed", "progress": 100, "stage": "", "attempt": 1, "error": None, "paused": False, "counts": counts,
        "speed": None, "left": None, "took": 12.0,
    }  # fmt: skip
    view.items = [{"key": "k", "trackId": None, "title": "Mix", "state": "failed", "error": None, "jobs": [job]}]
    failure = {"title": "Song", "error": f"Nothing fits, see https://example.org/{'x' * 120} for more. " * 3}
    view.answer_failed = lambda item, job: [failure] * 5  # type: ignore[method-assign]
    page.set_viewport_size({"width": 390, "height": 900})
    show(page, view)
    row = _row(page, "Mix")
    expect(row).to_contain_text("Done, 5 failed, 1 cancelled")
    row.locator("summary").click()
    why = row.locator(".sf-why")
    expect(why.get_by_role("listitem")).to_have_count(5)
    assert why.evaluate("list => [list.scrollWidth <= list.clientWidth, list.scrollHeight <= list.clientHeight]") == [
        True,
        True,
    ], "it wraps, and only the list of files around it scrolls"
    assert page.locator(".sf-files").evaluate("list => list.clientHeight > 260")
    view.close()


def test_a_link_that_is_pasted_or_dropped_is_looked_up_at_once(
    page: Any, shared_wb: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(url: str, *, patience: float) -> SourceList:
        asked.append(url)
        return SourceList(type="album", id="a", name=f"Album {len(asked)}")

    monkeypatch.setattr(shared_wb, "fetch", fetch)
    show(page, ImportPanel(shared_wb))
    found = page.get_by_role("region", name="What the link leads to")
    for name, where, how in (("paste", "input[type=url]", "clipboardData"), ("drop", ".sf-zone", "dataTransfer")):
        for text in ("just words", f" {LINK}?si=1 "):
            page.evaluate(
                """([name, where, how, text]) => {
                    const data = new DataTransfer();
                    data.setData("text/plain", text);
                    const Kind = name === "paste" ? ClipboardEvent : DragEvent;
                    const event = new Kind(name, { [how]: data, bubbles: true, cancelable: true });
                    document.querySelector(where).dispatchEvent(event);
                }""",
                [name, where, how, text],
            )
        expect(found).to_contain_text(f"Album {len(asked) or 1}")
    assert asked == [f"{LINK}?si=1"] * 2


def test_many_files_push_nothing_down_and_are_reached_by_the_keyboard(panel: Any, tmp_path: Path) -> None:
    files = [tmp_path / f"Song {number}.wav" for number in range(9)]
    for file in files:
        file.write_bytes(b"RIFF")
    _choose(panel, *files)
    names = panel.locator(".sf-files .sf-what")
    expect(names).to_have_text([file.name for file in files])
    expect(names.first).to_be_in_viewport()
    listed = panel.get_by_role("list", name="Files")
    assert listed.evaluate("list => list.clientHeight <= 260 && list.scrollHeight > list.clientHeight")
    listed.focus()
    panel.keyboard.press("End")
    expect(panel.get_by_role("button", name="Remove Song 8.wav")).to_be_in_viewport(ratio=1)
    for width in (360, 1280):
        panel.set_viewport_size({"width": width, "height": 900})
        assert serious(panel, ".sf-importing") == []
    panel.get_by_role("button", name="Remove Song 8.wav").click()
    expect(names).to_have_count(8)


def test_the_models_say_what_they_are(panel: Any) -> None:
    models = panel.get_by_label("Model")
    options = models.locator("option").all_text_contents()
    assert any("preview" in option for option in options)
    help_text = panel.locator(".sf-settings [role=status]")
    expect(help_text).to_contain_text("quick preview")
    models.select_option("embedded")
    expect(help_text).to_contain_text("needs no download")
    stems = panel.get_by_label("Stems", exact=True)
    stems.select_option("chosen")
    assert panel.locator(".sf-chosen input").count() == 4
