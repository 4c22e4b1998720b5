"""Figures: an owner's own, and those of whoever runs the server."""

from __future__ import annotations

from sfwidgets.library import figures
from sfwidgets.models import JobKind, JobStatus, Stats
from sfwidgets.workbench.base import Base


class WithStats(Base):
    """How much there is, and how fast the work goes."""

    def stats(self) -> Stats:
        """Return how much the library holds of this owner, how many jobs there are, and how fast those of a day went."""
        return figures.stats(self._shared.database, self.owner)

    def unfinished_jobs(self) -> dict[tuple[JobKind, JobStatus], int]:
        """Return how many jobs of all owners wait and run, by kind and status: for whoever runs the server."""
        return figures.unfinished_jobs(self._shared.database)

    def ended_jobs(self, since: float) -> list[figures.EndedJob]:
        """Return the jobs of all owners that ended at that moment (seconds since the epoch) or later: as above."""
        return figures.ended_jobs(self._shared.database, since)
