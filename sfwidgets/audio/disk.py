"""Whether a failed write means that the disk is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfwidgets.errors import DiskFullError

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
