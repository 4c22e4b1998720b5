"""Files that a page gets over the widget's channel, as a download: in pieces, so that none is ever whole in memory here."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import fit_for_file_names

PIECE = 1_000_000
"""Bytes of a file in one answer, at most."""
KEPT = 4
"""So many files are kept for the page; the oldest makes room for a new one."""


class Handover:
    """Mixed into a `View`: makes files for its page, and answers when the page fetches them.

    `js/lib/download.js` is the other end.
    """

    def hand_over(self, name: str, write: Callable[[Path], object]) -> dict[str, Any]:
        """Let `write` make a file, and return `{"token", "name", "size"}`, with which the page fetches it.

        `name` is what the person gets it as, made safe here; the path that `write` gets has the same suffix.
        """
        shown = file_name(name)
        folder = Path(tempfile.mkdtemp(prefix="soundforge-"))
        path = folder / f"file{Path(shown).suffix}"
        try:
            write(path)
            size = path.stat().st_size
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        token = secrets.token_urlsafe(16)
        with _LOCK:
            files = self._handed_files()
            files[token] = path
            late = [files.pop(oldest) for oldest in list(files)[:-KEPT]]
        for old in late:
            shutil.rmtree(old.parent, ignore_errors=True)
        return {"token": token, "name": shown, "size": size}

    def answer_handed(self, token: str, offset: int) -> tuple[dict[str, int], list[bytes]]:
        """Return the piece of a file that begins at byte `offset`."""
        if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
            raise InvalidInputError("A file is read from a byte's number on, 0 or higher. Reload the page.")
        with _LOCK:
            path = self._handed_files().get(str(token))
        try:
            if path is None:
                raise FileNotFoundError
            with path.open("rb") as file:
                file.seek(offset)
                piece = file.read(PIECE)
        except FileNotFoundError:
            raise NotFoundError("This file is no longer kept. Export it again.", code="not_kept") from None
        return {"offset": offset, "count": len(piece)}, [piece]

    def answer_taken(self, token: str) -> bool:
        """Remove a file that the page has got."""
        with _LOCK:
            path = self._handed_files().pop(str(token), None)
        if path is not None:
            shutil.rmtree(path.parent, ignore_errors=True)
        return path is not None

    def drop_handed(self) -> None:
        """Remove all files that were made for the page."""
        with _LOCK:
            paths = list(self._handed_files().values())
            self._handed_files().clear()
        for path in paths:
            shutil.rmtree(path.parent, ignore_errors=True)

    def _handed_files(self) -> dict[str, Path]:
        files: dict[str, Path] = self.__dict__.setdefault("_handed", {})
        return files


_LOCK = Lock()


def file_name(name: str) -> str:
    """Return `name` as one that every file system takes."""
    cleaned = fit_for_file_names(name) or "sound-forge"
    stem, dot, suffix = cleaned.rpartition(".")
    return f"{stem[:100].strip()}{dot}{suffix}" if dot and len(suffix) <= 10 else cleaned[:100]
