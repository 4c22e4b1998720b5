"""A library worth looking at, and its pages: the dashboard with a track open, and a report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Page
from servers import Server, start_voila
from singing import sing

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from sfwidgets.models import Track
from sfwidgets.report import write_report

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "analysis"))
from songs import form_song  # noqa: E402

PATIENCE = 120_000
OTHERS = (
    ("Paper Lanterns", "Mira Holt", 0.0, 21.0),
    ("Second Winter", "The Parallel Lines", 22.0, 48.0),
    ("Harbour Lights", "Ode & Tessel", 46.0, 66.0),
    ("Slow Signal", "Mira Holt", 114.0, 134.0),
)
"""Titles, artists, and the seconds of the song that they are."""


@dataclass(frozen=True)
class Showroom:
    """A library with one song that is separated and analysed, some that are not, and the song's report."""

    wb: Workbench
    track: Track
    report: Path


def write_song(file: Path) -> Path:
    """Write a song of 159 seconds in seven parts, four of them sung, in A major at 134 BPM."""
    song = form_song(6)
    band = song.samples.T / np.abs(song.samples).max()
    sung = [(start + 1, end - 1) for i, (start, end, _) in enumerate(song.sections) if i in (1, 2, 4, 5)]
    music = 0.6 * band + 0.45 * sing(len(band), sung, beat=60 / song.bpm, lowest=220.0)[:, None]
    soundfile.write(file, 0.95 * music / np.abs(music).max(), 44100, subtype="PCM_16")
    return file


@contextmanager
def showroom(folder: Path) -> Iterator[Showroom]:
    """Fill a library in a folder, by the embedded model; its workers end with it."""
    with Workbench(folder / "library") as wb:
        try:
            file = write_song(folder / "song.flac")
            for number, (title, artist, start, end) in enumerate(OTHERS):
                samples, rate = soundfile.read(file, dtype="int16")
                part = folder / f"{number}.flac"
                soundfile.write(part, samples[int(start * rate) : int(end * rate)], rate)
                other = wb.add(part, title=title, artist=artist)
                if number % 2:
                    wb.analyze(other).wait()
            track = wb.add(file, title="Night Bus Home", artist="The Parallel Lines", album="Last Service")
            wb.separate(track, "embedded", analyze=True).wait()
            wb.analyze(track).wait()
            yield Showroom(wb, wb.track(track.id), write_report(wb, track, folder / "report.html"))
        finally:
            stop_cluster(wb.settings)


@contextmanager
def served(room: Showroom) -> Iterator[Server]:
    """Serve the dashboard on that library."""
    with start_voila(ROOT / "notebooks" / "workbench.ipynb", room.wb.settings.library) as server:
        yield server


def open_track(page: Page, server: Server, title: str) -> None:
    """Open a track on the dashboard, and wait until everything about it is drawn."""
    page.goto(server.url)
    row = page.locator(".sf-rows [data-track]").filter(has_text=title)
    row.first.wait_for(timeout=PATIENCE)
    row.first.click()
    page.keyboard.press("Enter")
    page.locator(".sf-lane").first.wait_for(timeout=PATIENCE)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.sf-analysis img')].some((image) => image.naturalWidth)", timeout=PATIENCE
    )
    settle(page)


def settle(page: Page) -> None:
    """Wait until the player holds its outlines and its analysis, and has drawn them."""
    page.evaluate(
        """async () => {
          const frame = () => new Promise(requestAnimationFrame);
          const player = () => [...(globalThis[Symbol.for("sfwidgets.players")]?.known.values() ?? [])].at(-1);
          while (!player()) await frame();
          await player().loading;
          await frame();
          await frame();
        }"""
    )


def open_report(page: Page, report: Path) -> None:
    """Open a report from its file, and wait until its player is drawn."""
    page.goto(report.as_uri())
    page.locator(".sf-lane").first.wait_for(timeout=PATIENCE)
    settle(page)
