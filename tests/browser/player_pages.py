"""The player on a page of its own, without Jupyter: a song that the page computes, so that what is tested is the face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pages import build_page
from playwright.sync_api import Page, Route

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def build_player_page(folder: Path) -> Path:
    """Bundle the page into a folder, and return it."""
    build_page("player_page", folder)
    return folder


def open_player(page: Page, built: Path, **options: Any) -> None:
    """Show the player; `options` are those of `window.start` in player_page/harness.js."""

    def serve(route: Route) -> None:
        file = built / (route.request.url.rsplit("/", 1)[-1] or "index.html")
        if file.exists():
            route.fulfill(body=file.read_bytes(), content_type=_TYPES[file.suffix])
        else:
            route.fulfill(status=404)

    page.route("http://localhost/**", serve)
    page.goto("http://localhost/index.html")
    start_player(page, **options)


def start_player(page: Page, **options: Any) -> None:
    """Show another player on the page, in place of the one that is there."""
    page.wait_for_function("() => window.start")
    page.evaluate("options => window.start(options)", options)


def lane_settings(page: Page, name: str) -> dict[str, Any]:
    """Return what a lane is set to, as Python would be told."""
    page.evaluate("() => window.session.write()")
    found: dict[str, Any] = page.evaluate("name => window.model.get('mix').lanes[name] ?? {}", name)
    return found


def said(page: Page, expression: str) -> Any:
    """Return the value of an expression on the page, like `session.time`."""
    return json.loads(page.evaluate(f"() => JSON.stringify({expression} ?? null)"))
