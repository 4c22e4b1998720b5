"""The README's pictures, rendered by a real Chromium from a song that is synthesised, and by `wb.overview`.

python docs/screenshots.py [--out docs]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests" / "browser"))
from showroom import Showroom, open_report, open_track, served, showroom  # noqa: E402

LARGEST = 120_000
"""In bytes: of a picture."""
COLOURS = (192, 128, 96, 64, 48, 32)
WIDTH = 1280
"""Of the overview and of the stems, in pixels."""


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="soundforge-pictures-") as folder, showroom(Path(folder)) as room:
        draw(room, out)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
            )
            photograph(browser, room, out)
            browser.close()


def draw(room: Showroom, out: Path) -> None:
    """Write what matplotlib draws."""
    keep(room.wb.overview(room.track)._repr_png_(), out / "overview.png", WIDTH)


def photograph(browser: Browser, room: Showroom, out: Path) -> None:
    """Write what a browser shows."""
    with served(room) as server:
        for name, width, height, theme in (
            ("dashboard", 1440, 1150, "light"),
            ("dashboard-dark", 1440, 1150, "dark"),
            ("dashboard-phone", 390, 1400, "light"),
        ):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
            open_track(page, server, room.track.title)
            pose(page)
            keep(page.screenshot(), out / f"{name}.png")
            page.close()
        page = browser.new_page(viewport={"width": 1660, "height": 1150})
        open_track(page, server, room.track.title)
        pose(page)
        keep(page.locator(".sf-player").screenshot(), out / "player.png")
        page.close()
    page = browser.new_page(viewport={"width": 1200, "height": 1150})
    open_report(page, room.report)
    pose(page)
    keep(page.screenshot(), out / "report.png")
    page.close()


def pose(page: Page) -> None:
    """Put the playhead into the song and loop the two bars there, as somebody who practises would."""
    page.get_by_role("slider", name="Playhead").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    if page.get_by_role("button", name="Loop", exact=True).get_attribute("aria-pressed") == "false":
        page.keyboard.press("l")
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)


def keep(png: bytes, file: Path, width: int | None = None) -> None:
    """Write a picture in as many colours as fit into `LARGEST` bytes."""
    image = Image.open(BytesIO(png)).convert("RGB")
    if width is not None and image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    for colours in COLOURS:
        buffer = BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
        if len(buffer.getvalue()) <= LARGEST:
            break
    file.write_bytes(buffer.getvalue())
    print(f"{file}: {image.width} × {image.height}, {colours} colours, {len(buffer.getvalue()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
