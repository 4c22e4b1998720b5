"""Figures: an owner's own, and those of whoever runs the server; and cleaning up."""

from __future__ import annotations

from sfwidgets.library import figures
from sfwidgets.models import JobKind, JobStatus, Stats
from sfwidgets.workbench.base import Base


class WithStats(Base):
    """How much there is, and how fast the work goes."""

    def stats(self) -> Stats:
        """Return how much the library holds of this owner, how many jobs there are, and how fast those of a day went."""
        return figures.stats(self._shared.database, self.owner, self._shared.limits)

    def clean_up(self) -> list[str]:
        """Remove what is left half made, old trash, and what is kept for some days only; returns the names of what went."""
        return self._shared.sweep()

    def unfinished_jobs(self) -> dict[tuple[JobKind, JobStatus], int]:
        """Return how many jobs of all owners wait and run, by kind and status: for whoever runs the server."""
        return figures.unfinished_jobs(self._shared.database)

    def longest_waiting(self) -> dict[JobKind, float]:
        """Return for how many seconds the oldest job of each kind has waited that may begin, of all owners: as above."""
        return figures.longest_waiting(self._shared.database)

    def kept_bytes(self) -> dict[str, int]:
        """Return how many bytes the audio and the stems of all owners take: as above."""
        return figures.kept_bytes(self._shared.database)

    def offered(self) -> dict[str, float]:
        """Return how much of each resource the workers offer, as far as this process knows: as above; starts nothing."""
        return self._jobs.offered()

    def ended_jobs(self, since: float) -> list[figures.EndedJob]:
        """Return the jobs of all owners that ended at that moment (seconds since the epoch) or later: as above."""
        return figures.ended_jobs(self._shared.database, since)
