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


def sync_file(path: Path) -> None:
    """See a finished file onto the disk, so that a rename after this is durable."""
    with full_disk_is_told(path), path.open("rb") as file:
        os.fsync(file.fileno())


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


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield the path of a file to write, which becomes `target`, durably, if the block ends well, and goes if not.

    A file of that name is replaced. Raises `InvalidInputError` where its folder can't be written to.
    """
    if target.is_dir():
        raise InvalidInputError(f"{target} is a folder. Name a file to write.", code="bad_file")
    folder = writable_folder(target.parent)
    partial = folder / f".{target.stem[:100]}.{uuid.uuid4().hex}.part"
    try:
        with full_disk_is_told(target):
            yield partial
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(folder)


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that it is there whole or not at all; one of that name is replaced. Returns its path.

    Raises `InvalidInputError` where its folder can't be written to, `DiskFullError`.
    """
    with whole_file(path) as partial:
        partial.write_bytes(content)
    return path
