"""How often a caller may ask: 429 for whoever asks too often, before anything is read or done.

Each server counts for itself: behind two of them, a caller may send twice as many.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sfwidgets.errors import SlowDownError

SETTING = "soundforge_pace"
"""The server's setting that holds the pace."""
MOST_CALLERS = 10_000
"""How many callers are remembered before those are forgotten who have been quiet."""


class Pace:
    """A bucket of tokens for each caller: as many as a minute allows, refilled evenly. None: nothing is counted."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """Of each caller: how many tokens there were, and when."""

    def check(self, caller: str) -> None:
        """Take a token of the caller's; raises `SlowDownError` where there is none."""
        if self._per_minute is None:
            return
        now = self._clock()
        if len(self._buckets) >= MOST_CALLERS:
            self._forget_the_quiet(now)
        left = self._left(caller, now)
        if left >= 1:
            self._buckets[caller] = (left - 1, now)
            return
        wait = (1 - left) * 60 / self._per_minute
        raise SlowDownError(
            f"These are more than {self._per_minute} requests a minute. Wait {max(1, round(wait))} s, then go on slower.",
            code="too_many_requests",
            details={"retryAfter": wait},
        )

    def _left(self, caller: str, now: float) -> float:
        most = float(self._per_minute or 0)
        tokens, since = self._buckets.get(caller, (most, now))
        return min(most, tokens + (now - since) * most / 60)

    def _forget_the_quiet(self, now: float) -> None:
        full = float(self._per_minute or 0)
        self._buckets = {caller: had for caller, had in self._buckets.items() if self._left(caller, now) < full}
