"""The pages whose pictures the README shows, measured: no text is cut off, no lane is empty, nothing is hard to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from axe import SCRIPT
from playwright.sync_api import Browser, Page
from servers import Server
from showroom import Showroom, open_report, open_track, served, showroom

CLIPPED = """() => {
  const found = [];
  const pen = document.createElement("canvas").getContext("2d");
  const name = (element) => `${element.tagName.toLowerCase()}.${element.className}`;
  const unseen = "[hidden], .sf-unseen, .page-head, script, style, option";
  const hidden = (element) => !element.checkVisibility() || element.closest(unseen);
  const cut = (text, box, element) => {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflowX === "visible") continue;
      if (style.overflowX !== "hidden" && style.overflowX !== "clip") return;
      const edge = at.getBoundingClientRect();
      const whole = element.closest("button:not(.sf-section, .sf-chord), .sf-lane-name");
      const meant = style.textOverflow === "ellipsis" && !whole;
      if (!meant && (box.left < edge.left - 1 || box.right > edge.right + 1)) found.push(`${text} in ${name(at)}`);
      return;
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim() || hidden(node.parentElement)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width) cut(node.data.trim(), box, node.parentElement);
  }
  for (const field of document.querySelectorAll("input[placeholder], select")) {
    if (hidden(field)) continue;
    const style = getComputedStyle(field);
    const text = field.placeholder ?? field.selectedOptions[0]?.text ?? "";
    pen.font = style.font;
    const taken = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) + (field.options ? 16 : 0);
    const room = field.clientWidth - taken;
    if (pen.measureText(text).width > room + 1) found.push(`${text} in ${name(field)}`);
  }
  return found;
}"""
"""Texts that stick out of what hides them; those of a title that may end in an ellipsis are left out."""

LANES = """() => Object.fromEntries([...document.querySelectorAll(".sf-lane")].map((lane) => {
  const canvas = lane.querySelector("canvas");
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const colour = getComputedStyle(lane, "::before").backgroundColor.match(/[\\d.]+/g).map(Number);
  const heights = new Array(width).fill(0);
  for (let i = 0; i < width * height; i++) {
    const near = data[4 * i + 3] > 200 && [0, 1, 2].every((k) => Math.abs(data[4 * i + k] - colour[k]) < 12);
    if (near) heights[i % width] += 1;
  }
  return [lane.dataset.lane, { columns: heights.filter(Boolean).length / width, tallest: Math.max(...heights) / height }];
}))"""
"""Of each lane: the share of its columns with pixels of its colour, and the tallest of them as a share of its height."""

PALE = """() => axe.run(document, { runOnly: ["color-contrast"] }).then(({ violations }) => violations.flatMap(
  ({ nodes }) => nodes.map((node) => `${node.target}: ${node.failureSummary}`)))"""


class Shown(NamedTuple):
    """A page, in a window as wide as a desktop's or a phone's."""

    what: str
    width: int
    theme: Any


PAGES = [
    Shown("dashboard", 1440, "light"),
    pytest.param(Shown("dashboard", 1440, "dark"), marks=pytest.mark.soak),
    pytest.param(Shown("dashboard", 390, "light"), marks=pytest.mark.soak),
    Shown("dashboard", 390, "dark"),
    pytest.param(Shown("report", 1200, "light"), marks=pytest.mark.soak),
    Shown("report", 1200, "dark"),
    Shown("report", 390, "light"),
]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showroom]:
    with showroom(tmp_path_factory.mktemp("showroom")) as made:
        yield made


@pytest.fixture(scope="module")
def server(room: Showroom) -> Iterator[Server]:
    with served(room) as running:
        yield running


@pytest.fixture(scope="module", params=PAGES, ids=lambda shown: f"{shown.what}-{shown.width}-{shown.theme}")
def seen(request: pytest.FixtureRequest, chromium: Browser, room: Showroom, server: Server) -> Iterator[Page]:
    """One of the pages, with the song in it."""
    shown: Shown = request.param
    page = chromium.new_page(viewport={"width": shown.width, "height": 1100}, color_scheme=shown.theme)
    if shown.what == "report":
        open_report(page, room.report)
    else:
        open_track(page, server, room.track.title)
    yield page
    page.close()


def test_no_text_is_cut_off(seen: Page) -> None:
    assert seen.evaluate(CLIPPED) == []


def test_no_lane_is_empty(seen: Page) -> None:
    lanes = seen.evaluate(LANES)
    assert set(lanes) == {"vocals", "drums", "bass", "other"}
    for name, drawn in lanes.items():
        assert drawn["columns"] > 0.5, name
        assert drawn["tallest"] > 0.05, name


def test_all_text_stands_out_from_what_is_behind_it(seen: Page) -> None:
    seen.evaluate(SCRIPT.read_text())
    assert seen.evaluate(PALE) == []


def test_nothing_makes_the_page_scroll_sideways(seen: Page) -> None:
    assert seen.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
