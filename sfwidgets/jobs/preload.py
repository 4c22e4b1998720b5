"""What every worker of the library's own cluster does first: promise to die with the process that owns it.

Without that, a worker inside a C call lingers after a `kill -9` of the cluster until the call returns.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1


def dask_setup(worker: Any) -> None:
    """Dask calls this in the worker's process before it takes work."""
    del worker
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
