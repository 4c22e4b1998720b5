"""Templates into files: pages that load nothing, whose only script is the one that was meant."""

from __future__ import annotations

import hashlib
import re
import uuid
from base64 import b64encode
from pathlib import Path
from typing import Any

from sfwidgets import __version__
from sfwidgets.audio import writable_folder
from sfwidgets.audio.disk import full_disk_is_told
from sfwidgets.errors import InvalidInputError

TEMPLATES = Path(__file__).parent / "templates"


def write_page(file: Path, template: str, *, script: str, style: str, **values: Any) -> Path:
    """Write a page piece by piece, so that it is there whole or not at all; returns its path.

    Its only script is `script`, a module: whatever else looks like one, in a song's title or anywhere, is not run.
    Raises `InvalidInputError` where the page can't be written, `DiskFullError`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if file.is_dir():
        raise InvalidInputError(f"{file} is a folder. Name a file to write.", code="bad_file")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    code = _within(script)
    pieces = environment.get_template(template).generate(
        script=code, style=_within(style), policy=_policy(code), version=__version__, **values
    )
    temporary = writable_folder(file.parent) / f".{file.name}.{uuid.uuid4().hex}"
    try:
        with full_disk_is_told(file):
            with temporary.open("w", encoding="utf-8", newline="\n") as page:
                page.writelines(pieces)
            temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return file


def inline(mime: str, content: bytes) -> str:
    """Return an address that holds the content itself."""
    return f"data:{mime};base64,{b64encode(content).decode()}"


def _within(text: str) -> str:
    """Return a script or a style with nothing in it that would end its element."""
    return re.sub(r"</(script|style)", r"<\\/\1", text, flags=re.IGNORECASE).replace("<!--", r"<\!--")


def _policy(code: str) -> str:
    """Return the page's content security policy: nothing from outside, this script, and what it makes by itself."""
    known = b64encode(hashlib.sha256(code.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{known}' blob: data: 'wasm-unsafe-eval'; connect-src data: blob:; "
        "img-src data: blob:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
