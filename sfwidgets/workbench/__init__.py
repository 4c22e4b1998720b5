"""The façade: the only thing that a face needs."""

from __future__ import annotations

import copy
from types import TracebackType

from sfwidgets.workbench.analysis import WithAnalyses
from sfwidgets.workbench.base import TrackLike
from sfwidgets.workbench.files import WithFiles
from sfwidgets.workbench.health import WithHealth
from sfwidgets.workbench.jobs import WithJobs
from sfwidgets.workbench.mixes import WithMixes
from sfwidgets.workbench.sources import WithSources
from sfwidgets.workbench.stats import WithStats

__all__ = ["TrackLike", "Workbench"]


class Workbench(WithAnalyses, WithMixes, WithFiles, WithSources, WithJobs, WithHealth, WithStats):
    """A library of tracks, and everything that can be done with them.

    >>> wb = Workbench()
    >>> track = wb.add("song.mp3")
    >>> job = wb.separate(track)
    >>> job.wait()              # in a notebook: await job
    >>> wb.stems(track)
    >>> wb.analyze(track).wait()
    >>> wb.analysis(track)

    `library` is the folder to keep everything in; without it, `AUDIO_DATA_PATH` or the user's data folder. Several
    processes may open one library at once: they share its workers.
    """

    _is_a_view = False

    def of(self, owner: str) -> Workbench:
        """Return the same library as another owner sees it: nothing is opened for it, and closing it closes nothing.

        It works for as long as this workbench is open. Raises `InvalidInputError` for what can't be an owner's id.
        """
        if owner == self.owner:
            return self
        theirs = copy.copy(self)
        theirs._library = self._shared.of(owner)
        theirs._is_a_view = True
        return theirs

    def close(self) -> None:
        """Leave the cluster and the database; jobs that were asked for go on."""
        if not self._is_a_view:
            super().close()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
