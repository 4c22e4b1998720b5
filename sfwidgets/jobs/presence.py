"""Whether there is a cluster to do a library's work, without joining or starting one."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

from sfwidgets.jobs.cluster import _alive
from sfwidgets.models import PartState
from sfwidgets.settings import Settings

DEFAULT_PORT = 8786
"""Of a Dask scheduler whose address names none."""


def cluster_state(settings: Settings, seconds: float) -> PartState:
    """Return `up` where there are workers, `off` where the library's own are started when needed.

    `down` means that nobody listens at DASK_SCHEDULER. Waits `seconds` for a connection; looking up the scheduler's name
    may take longer.
    """
    if settings.dask_scheduler is not None:
        return "up" if _listens(settings.dask_scheduler, seconds) else "down"
    try:
        known = json.loads((settings.library / "run" / "cluster.json").read_text())
        return "up" if _alive(known) else "off"
    except (OSError, ValueError):
        return "off"


def _listens(address: str, seconds: float) -> bool:
    try:
        found = urlsplit(address if "://" in address else f"tcp://{address}")
        if not found.hostname:
            return False
        with socket.create_connection((found.hostname, found.port or DEFAULT_PORT), timeout=seconds):
            return True
    except (OSError, ValueError):
        return False
