"""Whether the parts that a library needs are there, asked so that nothing which hangs holds up the answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import cache, cached_property

from sfwidgets.jobs.presence import cluster_state
from sfwidgets.library import redis_state
from sfwidgets.models import Health, PartState, Services
from sfwidgets.settings import Settings
from sfwidgets.workbench.base import Base

__all__ = ["Health", "WithHealth", "unopened"]

log = logging.getLogger(__name__)

PATIENCE = 0.8
"""How long a part may take to answer, in seconds, before it counts as down."""


class Probe:
    """A question that may hang. It is asked in a thread, and not again while an earlier one waits for its answer."""

    def __init__(self, ask: Callable[[], PartState]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._asked: _Question | None = None

    def begin(self) -> _Question:
        """Ask, or join who asks already."""
        with self._lock:
            if self._asked is None or not self._asked.is_alive():
                self._asked = _Question(self._ask)
                self._asked.start()
            return self._asked


class _Question(threading.Thread):
    """A daemon, so that a part that hangs keeps no process from ending."""

    def __init__(self, ask: Callable[[], PartState]) -> None:
        super().__init__(name="soundforge-health", daemon=True)
        self._ask = ask
        self._found: PartState = "down"

    def run(self) -> None:
        """Ask; whatever goes wrong means that the part is down."""
        try:
            self._found = self._ask()
        except Exception as error:
            log.warning("A part does not work: %s", error)

    def answer(self, until: float) -> PartState:
        """Return what was found, `down` where nothing is by that time of the monotonic clock."""
        self.join(max(0.0, until - time.monotonic()))
        return self._found


class WithHealth(Base):
    """What a server says about itself."""

    def health(self) -> Health:
        """Return which parts work, within a second; starts nothing."""
        until = time.monotonic() + PATIENCE
        database, others = self._database_probe.begin(), _ask_others(self.settings)
        return Health.of(_services(database.answer(until), others, until))

    @cached_property
    def _database_probe(self) -> Probe:
        return Probe(self._database_state)

    def _database_state(self) -> PartState:
        if self.settings.database_url is None and not self.settings.sqlite_file.exists():
            return "down"  # SQLite would go on with a file that nobody can find again
        self._shared.database.revision()
        return "up"


def unopened(settings: Settings) -> Health:
    """Return the health of a server whose library can't be opened, or is not open yet, within a second."""
    until = time.monotonic() + PATIENCE
    return Health.of(_services("down", _ask_others(settings), until))


def supabase_state(settings: Settings, patience: float) -> PartState:
    """Return whether the Supabase project's sign-in answers, within so many seconds."""
    if settings.supabase_url is None:
        return "off"
    import requests

    headers = {} if settings.supabase_key is None else {"apikey": settings.supabase_key}
    try:
        address = f"{settings.supabase_url.rstrip('/')}/auth/v1/health"
        answer = requests.get(address, headers=headers, timeout=patience, allow_redirects=False)
    except requests.RequestException:
        return "down"
    return "up" if answer.status_code == 200 else "down"


def _ask_others(settings: Settings) -> dict[str, _Question]:
    """Ask the parts that are no library's; those that are not configured are off without being asked."""
    probes = {"workers": _workers_probe, "redis": _redis_probe, "supabase": _supabase_probe}
    return {name: probe(settings).begin() for name, probe in probes.items()}


def _services(database: PartState, others: dict[str, _Question], until: float) -> Services:
    workers, redis, supabase = (others[name].answer(until) for name in ("workers", "redis", "supabase"))
    return Services(database=database, workers=workers, redis=redis, supabase=supabase)


@cache
def _workers_probe(settings: Settings) -> Probe:
    return Probe(lambda: cluster_state(settings, PATIENCE))


@cache
def _redis_probe(settings: Settings) -> Probe:
    return Probe(lambda: redis_state(settings, PATIENCE))


@cache
def _supabase_probe(settings: Settings) -> Probe:
    return Probe(lambda: supabase_state(settings, PATIENCE))
