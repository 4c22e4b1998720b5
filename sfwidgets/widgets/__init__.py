"""The views: everything that a person sees and presses, in a notebook or on a dashboard.

Once this is imported, a job shows itself in a cell as a `JobProgress`.
"""

from sfwidgets.jobs import JobHandle
from sfwidgets.widgets.analysis import AnalysisView
from sfwidgets.widgets.base import in_kernel
from sfwidgets.widgets.browser import LibraryBrowser
from sfwidgets.widgets.compare import CompareView
from sfwidgets.widgets.importing import ImportPanel
from sfwidgets.widgets.jobs import JobProgress, JobQueue, show_job
from sfwidgets.widgets.player import StemPlayer
from sfwidgets.widgets.studio import Studio

__all__ = [
    "AnalysisView", "CompareView", "ImportPanel", "JobProgress", "JobQueue", "LibraryBrowser", "StemPlayer", "Studio",
]  # fmt: skip


def _show_jobs() -> None:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if in_kernel() and shell is not None and shell.display_formatter is not None:
        shell.display_formatter.ipython_display_formatter.for_type(JobHandle, show_job)


_show_jobs()
