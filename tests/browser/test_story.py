"""The whole story, clicked on the dashboard: a file goes in, and what was heard comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from axe import serious
from playwright.sync_api import Page, expect
from servers import start_voila

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster

ROOT = Path(__file__).parents[2]
SLOW = 120_000
BEAT = 0.5


def beating(path: Path, seconds: float = 24.0) -> Path:
    """Write a song of 120 BPM whose bars begin with a low drum, with a voice-like tone and a bass under it."""
    rate, random = 44100, np.random.default_rng(4)
    time = np.arange(int(seconds * rate)) / rate
    beat = (time / BEAT).astype(int)
    within = time % BEAT
    kick = np.where(beat % 4 == 0, 1.0, 0.35) * np.sin(2 * np.pi * 60 * within) * np.exp(-12 * within)
    hat = 0.25 * random.standard_normal(len(time)) * np.exp(-60 * (time % (BEAT / 2)))
    chord = np.array([220.0, 174.61, 130.81, 196.0])[beat // 4 % 4]
    voice = 0.25 * np.sin(2 * np.pi * np.cumsum(2 * chord * (1 + 0.004 * np.sin(2 * np.pi * 5 * time))) / rate)
    bass = 0.2 * np.sin(2 * np.pi * np.cumsum(chord / 2) / rate)
    mixture = np.stack([0.4 * kick + hat + voice + bass, 0.4 * kick + 0.7 * hat + 0.8 * voice + bass], axis=1)
    soundfile.write(path, 0.5 * mixture.astype(np.float32), rate)
    return path


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "library"
    with Workbench(tmp_path / "library") as wb:
        stop_cluster(wb.settings)


def test_a_song_goes_in_and_what_was_heard_comes_out(page: Page, library: Path, tmp_path: Path) -> None:
    file = beating(tmp_path / "Night Train.wav")
    with start_voila(ROOT / "notebooks" / "workbench.ipynb", library) as server:
        page.set_viewport_size({"width": 1440, "height": 1000})
        page.goto(server.url)
        page.locator("input[type=file]").first.set_input_files(str(file), timeout=SLOW)
        page.get_by_role("combobox", name="Model", exact=True).select_option("embedded")
        page.get_by_role("button", name="Split 1 song").click()

        progress = page.locator(".sf-slot-importing").get_by_role("progressbar")
        expect(progress.first).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible(timeout=SLOW)
        expect(page.locator(".sf-lane")).to_have_count(4, timeout=SLOW)

        playhead = page.get_by_role("slider", name="Playhead")
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_function("() => document.querySelector('.sf-now').textContent > '0:00.5'")
        page.get_by_role("button", name="Pause", exact=True).click()
        page.get_by_role("button", name="Solo Vocals").click()
        page.get_by_role("button", name="Solo Bass").click()
        volume = page.get_by_label("Volume of Vocals")
        volume.focus()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        page.get_by_label("Pan of Bass").focus()
        page.keyboard.press("ArrowRight")
        playhead.focus()
        page.keyboard.press("l")
        assert serious(page) == []

        page.get_by_role("tab", name="Compare").click()
        compared = page.locator(".sf-compare")
        playing = page.locator(".sf-player")
        playing.get_by_role("button", name="Play", exact=True).click()
        compared.get_by_role("button", name="Play", exact=True).click()
        expect(compared.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        expect(playing.get_by_role("button", name="Play", exact=True)).to_be_visible()
        compared.get_by_role("button", name="Pause", exact=True).click()

        page.get_by_role("button", name="Export", exact=True).click()
        dialog = page.get_by_role("dialog", name="Export")
        dialog.get_by_label("Part").select_option("loop")
        dialog.get_by_label("Format").select_option("wav")
        dialog.get_by_label("Bit depth").select_option("32")
        with page.expect_download(timeout=SLOW) as download:
            dialog.get_by_role("button", name="Export", exact=True).click()
        heard = tmp_path / "heard.wav"
        download.value.save_as(heard)

    with Workbench(library) as wb:
        track = wb.tracks()[0]
        assert track.title == "Night Train"
        mix = wb.mix(track)
        loop = mix.loop
        assert loop is not None
        assert loop.end - loop.start == pytest.approx(8 * BEAT, abs=0.03), "L loops two bars"
        assert {name for name, lane in mix.lanes.items() if lane.soloed} == {"vocals", "bass"}
        vocals, bass = mix.lanes["vocals"], mix.lanes["bass"]
        assert vocals.volume < 1
        assert bass.pan > 0
        samples, rate = soundfile.read(heard, dtype="float64")
        first, last = round(loop.start * rate), round(loop.end * rate)
        stems = wb.stems(track)
        read = {name: soundfile.read(wb.path(stems[name]), dtype="float64")[0][first:last] for name in mix.lanes}
        expected = read["vocals"] * vocals.volume + read["bass"] * [bass.volume * (1 - bass.pan), bass.volume]
        assert samples.shape == expected.shape
        assert np.abs(samples - expected).max() < 1e-6
        assert np.sqrt((samples**2).mean()) > 0.01
