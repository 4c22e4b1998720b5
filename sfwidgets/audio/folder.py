"""The audio files of a folder, found by their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

SUFFIXES = (
    ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov",
    ".mp2", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".tta", ".wav", ".webm", ".wma", ".wv",
)  # fmt: skip
"""How the names of audio files end, and of films with sound; whatever else a file is called, its content decides."""


def audio_files(
    folder: Path, unreadable: Callable[[OSError], object] = lambda error: None, *, without: Path | None = None
) -> Iterator[Path]:
    """Yield the files in a folder, and in those in it, whose names are of audio: in order, a folder's own files first.

    Hidden files and folders are left out, and the folder `without`. A link to a folder is followed, but no folder is
    entered twice. A folder that may not be read is told to `unreadable`.
    """
    entered = set() if without is None else {_which(without)}
    for name, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        place = Path(name)
        try:
            here = _which(place)
        except OSError as error:  # it has gone meanwhile
            unreadable(error)
            continue
        if here in entered:
            folders.clear()
            continue
        entered.add(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in map(place.joinpath, sorted(files)):
            if not file.name.startswith(".") and file.suffix.lower() in SUFFIXES:
                yield file


def _which(folder: Path) -> tuple[int, int]:
    """Return what a folder is known by, whatever links lead to it."""
    found = folder.stat()
    return found.st_dev, found.st_ino
