"""A real Chromium for the tests that look at pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page

SLOW = ["TimeoutError", "Locator expected"]
"""How a test fails whose page was not given the processor in time: Playwright's waits end in these."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at a page a second time where it did not come in time: two browsers may share two busy cores."""
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=SLOW))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page with a profile of its own; an exception of ours that the page does not catch fails the test."""
    uncaught: list[Error] = []
    context = chromium.new_context()
    page = context.new_page()

    def note(error: Error) -> None:
        # JupyterLab does not catch what a reload breaks off.
        if error.message != "Failed to fetch" or "/static/lab/" not in (error.stack or ""):
            uncaught.append(error)

    page.on("pageerror", note)
    yield page
    context.close()
    assert not uncaught, "\n".join(str(error) for error in uncaught)
