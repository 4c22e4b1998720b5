"""What every worker does first and last: promise to die with the process that owns it, and give its jobs back.

Without the promise, a worker inside a C call lingers after a `kill -9` of the cluster until the call returns.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
from typing import Any

from sfwidgets.logs import use_configured_format
from sfwidgets.settings import Settings

PR_SET_PDEATHSIG = 1
YOUNG = 10_000
"""New objects until they are searched for cycles: with CPython's 700 that is a twentieth of what a short job costs."""


def dask_setup(worker: Any) -> None:
    """Dask calls this in the worker's process before it takes work."""
    del worker
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    gc.set_threshold(YOUNG)
    use_configured_format(Settings())


def dask_teardown(worker: Any) -> None:
    """Dask calls this when the worker is told to end, or has lost its scheduler, before it waits for its threads."""
    del worker
    from sfwidgets.jobs.worker import leave

    leave()
