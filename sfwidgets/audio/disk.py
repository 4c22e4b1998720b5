"""Writing files: into folders that take them, whole or not at all, and a full disk told as such."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfwidgets.errors import DiskFullError, InvalidInputError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where a file can't grow: the disk, the quota or the largest size of a file is reached."""


@contextmanager
def full_disk_is_told(path: Path) -> Iterator[None]:
    """Turn an `OSError` that means "no room left" into `DiskFullError`; other errors pass unchanged."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFullError(
            f"There is no room left to write {path.name} in {path.parent}: free some space and try again."
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename within the folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def writable_folder(folder: str | Path) -> Path:
    """Return a folder that can be written to, made where it is not there; raises `InvalidInputError` otherwise."""
    target = Path(folder).expanduser()
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(
            f"{target} can't be a folder to write to ({error.strerror}). Choose another place.", code="bad_folder"
        ) from None
    if not os.access(target, os.W_OK):
        raise InvalidInputError(f"{target} may not be written to. Choose another place.", code="bad_folder")
    return target


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that it is there whole or not at all; one of that name is replaced. Returns its path.

    Raises `InvalidInputError` where its folder can't be written to, `DiskFullError`.
    """
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder. Name a file to write.", code="bad_file")
    temporary = writable_folder(path.parent) / f".{path.name}.{uuid.uuid4().hex}"
    try:
        with full_disk_is_told(path):
            temporary.write_bytes(content)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
