"""An export that runs beside the player: its progress, its cancelling, and the file that comes of it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from threading import Thread
from typing import Any

from sfwidgets.errors import JobCancelledError, SoundForgeError

log = logging.getLogger(__name__)


class Export:
    """Calls `make(progress)` on a thread of its own; what that returns is told to who asks, as `file`."""

    def __init__(self, make: Callable[[Callable[[float], None]], dict[str, Any]]) -> None:
        self.id = secrets.token_urlsafe(8)
        self._make = make
        self._share = 0.0
        self._cancelled = False
        self._file: dict[str, Any] | None = None
        self._error: SoundForgeError | None = None
        self._thread = Thread(target=self._run, name="sfwidgets-export", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still writes."""
        return self._thread.is_alive()

    def state(self) -> dict[str, Any]:
        """Return `{"share", "file"}`, the file None until it is there; raises what went wrong."""
        if self._error is not None:
            raise self._error
        return {"share": self._share, "file": self._file}

    def cancel(self) -> None:
        """Leave it; nothing is kept of it."""
        self._cancelled = True

    def _progress(self, share: float) -> None:
        self._share = min(1.0, max(0.0, share))
        if self._cancelled:
            raise JobCancelledError("The export was cancelled.")

    def _run(self) -> None:
        try:
            self._file = self._make(self._progress)
        except SoundForgeError as error:
            self._error = error
        except Exception:
            log.exception("An export failed.")
            self._error = SoundForgeError("The export failed inside Sound Forge; its log says why. Try again.")
