"""A real Chromium for the tests that look at pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page with a profile of its own; an exception that the page does not catch fails the test."""
    uncaught: list[Error] = []
    context = chromium.new_context()
    page = context.new_page()

    def note(error: Error) -> None:
        uncaught.append(error)

    page.on("pageerror", note)
    yield page
    context.close()
    assert not uncaught, "\n".join(str(error) for error in uncaught)
