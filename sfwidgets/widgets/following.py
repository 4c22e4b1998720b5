"""A view that asks for work and shows how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traitlets import Dict

from sfwidgets.jobs import JobHandle
from sfwidgets.models import Event, Job
from sfwidgets.widgets.base import View


class FollowingView(View):
    """Shows the job that it follows; `js/views/job.js` draws it."""

    job = Dict().tag(sync=True)
    """The followed job: id, kind, status, progress, stage, error; empty where there is none."""

    def __init__(self, **traits: Any) -> None:
        self._handle: JobHandle | None = None
        self._unwatch: Callable[[], None] = _nothing
        super().__init__(**traits)

    def follow(self, handle: JobHandle | None, ended: Callable[[Job], None] | None = None) -> None:
        """Show this job, and no other any more; `ended` is called once it has completed, on the library's thread."""
        self._unwatch()
        self._handle, self._unwatch = handle, _nothing
        if handle is None:
            self.job = {}
            return
        self._show(handle.value)

        def told(event: Event) -> None:
            if self._handle is not handle:
                return
            if event.job.status == "completed":
                self.job = {}
                if ended is not None:
                    ended(event.job)
            else:
                self._show(event.job)

        self._unwatch = handle.watch(told)

    def answer_job(self) -> dict[str, Any]:
        """Return the followed job as it is now: how a page finds out that its kernel still lives."""
        return {} if self._handle is None else _wire(self._handle.value)

    def answer_cancel(self) -> None:
        """Cancel the followed job."""
        if self._handle is not None:
            self._handle.cancel()

    def answer_dismiss(self) -> None:
        """Show a job that has ended no more."""
        self.follow(None)

    def close(self) -> None:
        """Take the view down; the job goes on."""
        self._unwatch()
        super().close()

    def _show(self, job: Job) -> None:
        self.job = _wire(job)


def _wire(job: Job) -> dict[str, Any]:
    names = ("id", "kind", "status", "progress", "stage", "error")
    return {name: getattr(job, name) for name in names}


def _nothing() -> None: ...
