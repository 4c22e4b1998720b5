"""Durable jobs: submit, follow, cancel, recover; the table is the truth, Dask does the work."""

from sfwidgets.jobs.cluster import stop_cluster
from sfwidgets.jobs.handle import JobHandle
from sfwidgets.jobs.service import Jobs

__all__ = ["JobHandle", "Jobs", "stop_cluster"]
