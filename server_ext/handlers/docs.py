"""The API's description: as an OpenAPI document, and as a page to read that needs nothing from elsewhere."""

from __future__ import annotations

import functools
from typing import Any

from server_ext import openapi
from server_ext.handlers.base import Handler, in_thread
from server_ext.operation import operation


class Document(Handler):
    """`/openapi.json`."""

    @operation("This API as an OpenAPI 3.1 document", answer=dict[str, Any])
    async def get(self) -> dict[str, Any]:
        """Return the document."""
        return await in_thread(described)


class Page(Handler):
    """`/api/docs`."""

    @property
    def content_security_policy(self) -> str:
        """Let the page have its style, and nothing else."""
        return "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"

    @operation("This API as a page to read", answer="text/html")
    async def get(self) -> None:
        """Send the page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(await in_thread(page, self.base_url))


@functools.cache
def described() -> dict[str, Any]:
    """Return the OpenAPI document of all routes."""
    from server_ext.handlers import ROUTES

    return openapi.document(ROUTES)


@functools.cache
def page(base_url: str) -> str:
    """Return the page."""
    from server_ext.docs import render

    return render(described(), base_url)
