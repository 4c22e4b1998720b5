"""The report in a real Chromium, from a file: it plays, it is whole, and it asks nobody for anything."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from axe import serious
from numpy.typing import NDArray
from playwright.sync_api import Page, Request

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from sfwidgets.models import Track
from sfwidgets.report import Row, write_index, write_report, write_table

EVIL = '</script><script>document.title = "owned"</script><img src=x onerror="document.title=1">'
LANES = ["vocals", "drums", "bass", "other", "mixture"]
SECONDS = 23.7

DECODED = """async lane => {
  const player = globalThis[Symbol.for("sfwidgets.players")].known.get("report");
  const source = await player.backing.source();
  const samples = await source.read(lane, 0, player.track.frames);
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}"""
HEARD = """engine => new Promise(done => {
  engine.levels();  // what sounded until now
  const [heard, until] = [new Set(), engine.time + 0.5];
  const look = setInterval(() => {
    for (const [lane, [left]] of Object.entries(engine.levels())) if (left > 0) heard.add(lane);
    if (engine.time > until) { clearInterval(look); done([...heard]); }
  }, 5);
})"""
"""The lanes that sound in the next half second; the page's own meters read the same levels, so it looks often."""
COLOURS = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
  const canvases = [...document.querySelectorAll(".sf-wave-canvas")];
  done(canvases.map(canvas => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3]) colours.add(pixels.slice(i, i + 3).join());
    return colours.size;
  }));
})))"""
"""How many colours are seen in each lane's waveform."""
PLAYER = 'globalThis[Symbol.for("sfwidgets.players")].known.get("report")'


def write_song(path: Path) -> Path:
    """A voice, a bass, and a click between any two beats: nothing begins where the report's segments meet."""
    rate = 44100
    random = np.random.default_rng(5)
    time = np.arange(int(SECONDS * rate)) / rate
    voice = 0.2 * np.sin(2 * np.pi * 220 * time + 3 * np.sin(2 * np.pi * 5 * time))
    drums = 0.3 * random.standard_normal(len(time)) * np.exp(-30 * ((time + 0.25) % 0.5))
    left = voice + 0.2 * np.sin(2 * np.pi * 55 * time) + drums
    right = left + 0.1 * np.sin(2 * np.pi * 660 * time)
    soundfile.write(path, 0.7 * np.stack([left, right], axis=1), rate, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def wb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with Workbench(tmp_path_factory.mktemp("report") / "library") as workbench:
        yield workbench
    stop_cluster(workbench.settings)


@pytest.fixture(scope="module")
def track(wb: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Track:
    made = wb.add(write_song(tmp_path_factory.mktemp("song") / "song.wav"), title=f"Song {EVIL}", artist="A & <b>B</b>")
    wb.separate(made, "embedded", analyze=True).wait()
    wb.analyze(made).wait()
    return wb.track(made)


@pytest.fixture(scope="module")
def report(wb: Workbench, track: Track, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album") / "A song, 100 % & more"
    wb.export(track, folder / "stems")
    wb.export_analysis(track, folder / "analysis.json")
    return write_report(wb, track, folder / "report.html")


@pytest.fixture
def opened(page: Page, report: Path) -> Iterator[Page]:
    """The report, opened from its file; whatever it asks for beside that fails the test."""
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - it can't take a built-in
    page.goto(report.as_uri())
    page.wait_for_function(f"() => {PLAYER}?.peaks.size === 5")
    yield page
    outside = [r.url for r in asked if not r.url.startswith(("data:", "blob:")) and r.url != report.as_uri()]
    assert not outside


def fault(page: Page) -> Any:
    return page.evaluate(f"() => {PLAYER}.fault")


def test_it_plays_from_a_file_without_a_server(opened: Page) -> None:
    opened.get_by_role("button", name="Play", exact=True).click()
    opened.wait_for_function(f"() => {PLAYER}.time > 0.5")
    assert set(opened.evaluate(f"() => ({HEARD})({PLAYER}.engine)")) >= {"vocals", "drums", "bass", "other"}
    opened.evaluate(f"() => {PLAYER}.seek(19.8)")  # over a seam
    opened.wait_for_function(f"() => {PLAYER}.time > 20.3")
    assert fault(opened) is None


def test_it_plays_slower_at_the_same_pitch(opened: Page) -> None:
    opened.evaluate(f"() => {PLAYER}.change(mix => {{ mix.speed = 0.75; }})")
    opened.get_by_role("button", name="Play", exact=True).click()
    opened.wait_for_function(f"() => {PLAYER}.time > 0.5")
    assert fault(opened) is None


def test_solo_leaves_one_lane(opened: Page) -> None:
    opened.locator(".sf-player").get_by_role("button", name="Solo Bass").click()
    opened.get_by_role("button", name="Play", exact=True).click()
    opened.wait_for_function(f"() => {PLAYER}.time > 0.5")
    assert set(opened.evaluate(f"() => ({HEARD})({PLAYER}.engine)")) == {"bass", "master"}


def test_no_lane_is_empty(opened: Page) -> None:
    drawn = opened.evaluate(COLOURS)
    assert len(drawn) >= 4
    assert min(drawn) > 0


@pytest.mark.parametrize("lane", LANES)
def test_every_lane_lies_on_the_stems_own_frames_and_no_seam_is_heard(
    opened: Page, wb: Workbench, track: Track, lane: str
) -> None:
    reader = wb.reader(track, lane)
    truth = reader.read(0, reader.frames).astype(np.float64)
    heard = np.frombuffer(base64.b64decode(opened.evaluate(DECODED, lane)), np.int16).reshape(-1, 2).astype(np.float64)
    assert heard.shape == truth.shape
    assert best_lag(heard.sum(axis=1), truth.sum(axis=1)) == 0
    coded = json.loads(opened.evaluate("lane => document.querySelector(`script[data-lane=${lane}]`).textContent", lane))
    assert len(coded) == 3
    steps = np.abs(np.diff(heard - truth, axis=0)).max(axis=1)
    usual = max(32.0, float(np.percentile(steps, 99)))
    assert all(steps[segment["start"] - 1] <= usual for segment in coded[1:])
    again = np.concatenate([decoded(**segment) for segment in coded])
    assert 10 * np.log10((again**2).sum() / ((heard - again) ** 2).sum()) > 50


def decoded(start: int, lead: int, frames: int, data: str) -> NDArray[np.float64]:
    """Decode a segment with libvorbis."""
    whole, _rate = soundfile.read(io.BytesIO(base64.b64decode(data)), always_2d=True)
    return whole[lead : lead + frames] * 32768


def best_lag(a: NDArray[np.float64], b: NDArray[np.float64]) -> int:
    return max(range(-8, 9), key=lambda lag: float(np.dot(np.roll(a, lag), b)))


def test_titles_are_text_and_nothing_else(opened: Page) -> None:
    assert opened.evaluate("() => document.querySelector('h1').textContent") == f"Song {EVIL}"
    assert opened.title().endswith("stems and analysis")
    assert opened.evaluate("() => document.querySelectorAll('img[onerror]').length") == 0
    assert opened.evaluate("() => document.scripts.length") == 2 + len(LANES)


def test_a_time_in_a_table_moves_the_player(opened: Page) -> None:
    times = opened.locator("td[data-time] button")
    times.last.click()
    expected = float(opened.locator("td[data-time]").last.get_attribute("data-time") or "nan")
    assert opened.evaluate(f"() => {PLAYER}.time") == pytest.approx(min(expected, SECONDS), abs=0.01)


def test_its_links_lead_to_the_files_beside_it(opened: Page, report: Path) -> None:
    links = opened.eval_on_selector_all(".files a", "all => all.map(a => a.href)")
    assert len(links) == 5
    assert all((report.parent / "stems" / f"{stem}.flac").as_uri() in links for stem in LANES[:4])


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(page: Page, report: Path, width: int, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(report.as_uri())
    page.wait_for_function(f"() => {PLAYER}?.peaks.size === 5")
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert serious(page, "body") == []


def test_a_long_track_links_its_sound_and_says_so(
    page: Page, wb: Workbench, track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfwidgets.report.page.LONGEST", 10)
    file = write_report(wb, track, tmp_path / "report.html")
    page.goto(file.as_uri())
    assert page.get_by_text("too long to play from within its report").is_visible()
    assert page.locator(".sf-player, script.sf-sound").count() == 0
    assert file.stat().st_size < 1_500_000


@pytest.fixture
def index(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Row) -> Path:
        write_table(rows, tmp_path / "summary.csv")
        return write_index(rows, tmp_path / "index.html")

    return write


ROWS = [
    Row("a.wav", "a-1", True, title="Falcon 69", model="embedded", duration=61, bpm=174, key="A minor", loudness=-9),
    Row("b.wav", "b #2", True, title=EVIL, model="htdemucs", duration=600, bpm=90, key="C major", seconds=40),
    Row("c.wav", "c-3", False, error="c.wav can't be decoded: <b>get it again</b>."),
    Row("d.wav", "d-4"),
]


def titles(page: Page) -> list[str]:
    return page.eval_on_selector_all("tbody tr", "all => all.filter(r => !r.hidden).map(r => r.cells[0].dataset.value)")


def test_the_index_is_sorted_by_a_press_on_a_column(page: Page, index: Callable[..., Path]) -> None:
    page.goto(index(*ROWS).as_uri())
    assert titles(page) == ["Falcon 69", EVIL, "c.wav", "d.wav"]
    page.get_by_role("button", name="Tempo").click()
    assert titles(page) == [EVIL, "Falcon 69", "c.wav", "d.wav"]
    page.get_by_role("button", name="Tempo").click()
    assert titles(page) == ["Falcon 69", EVIL, "c.wav", "d.wav"]
    assert page.locator("th[aria-sort=descending]").inner_text().strip() == "Tempo"
    page.get_by_role("searchbox").fill("falcon")
    assert titles(page) == ["Falcon 69"]
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Only what failed").check()
    assert titles(page) == ["c.wav"]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_index_says_what_is_there_and_fits(page: Page, index: Callable[..., Path], width: int, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    file = index(*ROWS)
    page.goto(file.as_uri())
    text = page.locator("body").inner_text()
    assert "c.wav can't be decoded: <b>get it again</b>." in text
    assert "goes on where it stopped" in text
    assert "11:01" in text  # 661 s of music in all
    assert page.eval_on_selector_all("tbody a", "all => all.map(a => a.href)") == [
        (file.parent / "a-1" / "report.html").as_uri(), (file.parent / "b #2" / "report.html").as_uri(),
    ]  # fmt: skip
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert serious(page, "body") == []
