"""Patience with the database: work that is under way is not lost because the server is gone for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sfwidgets.errors import UnavailableError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
AGAIN_SECONDS = 0.5

Result = TypeVar("Result")


def is_away(error: BaseException) -> bool:
    """Return whether the database could not be reached, or was too busy, so that asking again may help."""
    return isinstance(error, UnavailableError) and error.code in ("database_unavailable", "database_busy")


def patiently(act: Callable[[], Result]) -> Result:
    """Return what `act` returns; where the database is away, it is asked again until it is back, ten minutes at most.

    A transaction that was lost at its very end may have taken place, so that `act` finds it done.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except UnavailableError as error:
            if not is_away(error) or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)
