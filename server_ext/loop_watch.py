"""How late the event loop is, and what kept it.

A task sleeps 20 ms and measures how late it wakes; a thread looks at where the loop is whenever that task is overdue.
Where separations take all cores, the loop is late because it waits for a core: no code of the server is to blame for
that. Linux says how long that was, and what is left counts as blocked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from itertools import islice
from types import FrameType

from prometheus_client import Gauge, Histogram

log = logging.getLogger(__name__)

TICK_SECONDS = 0.02
BLOCKED_SECONDS = 0.05
"""An event loop that is blocked for longer is worth a line for those who debug."""
WARNED_SECONDS = 0.5
"""People notice when it is blocked for this long: that is worth a warning."""
QUIET_SECONDS = 10.0
"""No second warning is logged for this long."""
PIECE_SECONDS = 5.0
INNERMOST = 8
"""How many calls of the loop are logged."""

LAG = Histogram(
    "soundforge_event_loop_lag_seconds",
    "How late the event loop woke a task that had slept 20 ms",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
LONGEST = Gauge("soundforge_event_loop_longest_lag_seconds", "The longest such lag within the last minute")
BLOCKED = Gauge(
    "soundforge_event_loop_longest_block_seconds",
    "The longest such lag within the last minute without the time that the loop's thread waited for a core",
)

WAITING = frozenset({"wait", "_wait_for_tstate_lock", "_worker", "select", "poll", "get", "accept", "recv", "readinto"})
"""Functions that a thread is in while it waits."""


class LoopWatch:
    """Watches the event loop that `start` is called on, until `close`."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._over = threading.Event()
        self._due = time.monotonic()
        self._loop_thread = 0
        self._seen: tuple[float, str] = (0.0, "")
        self._next_warning = 0.0
        self._untold = 0
        self._late, self._blocked = _Longest(LONGEST), _Longest(BLOCKED)

    def start(self) -> None:
        """Begin; to be called on the loop."""
        self._loop_thread = threading.get_ident()
        self._due = time.monotonic() + TICK_SECONDS
        self._task = asyncio.get_running_loop().create_task(self._tick())
        threading.Thread(target=self._look, name="soundforge-loop-watch", daemon=True).start()

    async def close(self) -> None:
        """End."""
        self._over.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _tick(self) -> None:
        with _Schedule() as schedule:
            while True:
                computed, waited = time.thread_time(), schedule.waited()
                await asyncio.sleep(TICK_SECONDS)
                due = self._due
                now = time.monotonic()
                self._due = now + TICK_SECONDS
                late = max(0.0, now - due)
                blocked = max(0.0, late - (schedule.waited() - waited))
                LAG.observe(late)
                self._late.add(late, now)
                self._blocked.add(blocked, now)
                if blocked > BLOCKED_SECONDS:
                    self._tell(due, now, blocked, time.thread_time() - computed)

    def _tell(self, due: float, now: float, blocked: float, computed: float) -> None:
        warned = blocked >= WARNED_SECONDS
        if warned and now < self._next_warning:
            self._untold += 1
            return
        seen_at, seen = self._seen
        log.log(
            logging.WARNING if warned else logging.DEBUG,
            "The event loop was blocked for %.0f ms, of which it computed for %.0f ms itself%s. It was at, innermost "
            "first:\n%s",
            blocked * 1000,
            computed * 1000,
            f" ({self._untold} more times since the last warning)" if warned and self._untold else "",
            seen if seen_at >= due else "  unknown: no other thread ran meanwhile",
        )
        if warned:
            self._next_warning, self._untold = now + QUIET_SECONDS, 0

    def _look(self) -> None:
        """Take the stacks once half of what is too late has passed; mostly there is nothing to do but sleep on."""
        while not self._over.wait(max(0.005, self._due + BLOCKED_SECONDS / 2 - time.monotonic())):
            now = time.monotonic()
            if now - self._due >= BLOCKED_SECONDS / 2 and self._seen[0] < self._due:
                self._seen = now, _stacks(self._loop_thread)


class _Longest:
    """Keeps a gauge at the largest value of the last minute."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._pieces: deque[float] = deque(maxlen=round(60 / PIECE_SECONDS))
        self._next_piece = 0.0

    def add(self, value: float, now: float) -> None:
        if now >= self._next_piece:
            self._next_piece = now + PIECE_SECONDS
            self._pieces.append(0.0)
        self._pieces[-1] = max(self._pieces[-1], value)
        self._gauge.set(max(self._pieces))


class _Schedule:
    """What Linux's scheduler says of the thread that opens it (schedstat in proc(5)); elsewhere, that it never waits."""

    def __enter__(self) -> _Schedule:
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._file = -1
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file >= 0:
            os.close(self._file)

    def waited(self) -> float:
        """Return for how many seconds the thread could have run and had no core."""
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9 if self._file >= 0 else 0.0


def _stacks(loop_thread: int) -> str:
    """Return the loop's innermost calls, and where every other thread is that does not wait."""
    frames = sys._current_frames()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = list(islice(traceback.walk_stack(frames.get(loop_thread)), INNERMOST)) if loop_thread in frames else []
    lines = [_place(frame) for frame, _line in own]
    for ident, frame in frames.items():
        if ident not in (loop_thread, threading.get_ident()) and frame.f_code.co_name not in WAITING:
            lines.append(f"meanwhile {names.get(ident, ident)}: {_place(frame)}")
    return "\n".join(f"  {line}" for line in lines)


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
