"""Pages that need no server: the report of a track, with a player in it, and the index of a batch.

A page is one file. It loads nothing from anywhere, and its content security policy sees to that.
"""

from sfwidgets.report.page import write_report
from sfwidgets.report.summary import Row, write_index, write_table

__all__ = ["Row", "write_index", "write_report", "write_table"]
