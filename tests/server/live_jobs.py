"""Jobs that do nothing but tell of themselves: real rows, real attempts, on the library's real light worker."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import cloudpickle

from sfwidgets import Workbench
from sfwidgets.jobs.cluster import LIGHT
from sfwidgets.models import JobKind

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import the tests

Step = tuple[float, str, Any]
"""When (seconds), what (`create claim stage progress pause complete fail`), and a word, a share, seconds or a sentence."""


def perform(plan: Sequence[tuple[str, str, JobKind, Sequence[Step]]]) -> dict[str, list[tuple[str, int, float, float]]]:
    """Run on a worker: do the steps of jobs, each a track's, an owner's and of a kind.

    Returns for each track what was published: the job, its `seq`, and the moments before its transaction and after it was
    published.
    """
    from sfwidgets.jobs import worker
    from sfwidgets.jobs.service import holder_name

    shared = worker._shared()
    jobs: list[Any] = [None] * len(plan)
    told: dict[str, list[tuple[str, int, float, float]]] = {track: [] for track, *_ in plan}
    steps = sorted((at, number, what, value) for number, job in enumerate(plan) for at, what, value in job[3])
    began = time.monotonic()
    for at, number, what, value in steps:
        track, owner, kind, _ = plan[number]
        time.sleep(max(0.0, began + at - time.monotonic()))
        before = time.time()
        if what == "create":
            settings = {"models_dir": None, "offline": True}
            jobs[number], _created = shared.jobs.submit(owner, kind, track, {"seed": number}, settings=settings)
            worker._tell(jobs[number])
            seq = 1
        elif what == "claim":
            claim = shared.jobs.claim(jobs[number].id, holder_name(f"perform-{number}"))
            worker._tell(claim.job)
            jobs[number] = worker.Attempt(shared, claim)
            seq = 2
        elif what == "stage":
            jobs[number].stage(value or f"{before:.6f}")
        elif what == "progress":
            jobs[number].progress(value)
        elif what == "complete":
            jobs[number].complete(lambda _connection: None, result={"stemSet": "none"})
        elif what == "fail":
            failed = partial(shared.jobs.fail, jobs[number].job, value, "on_purpose")
            worker._end(failed)
        elif what == "pause":
            worker._tell(shared.jobs.pause_downloads(jobs[number].job, value, why="On purpose."))
        after = time.time()
        job = jobs[number] if what == "create" else jobs[number].job
        if what not in ("create", "claim"):
            seq = shared.jobs.get(job.owner, job.id).seq
        told[track].append((job.id, seq, before, after))
    return told


def start(wb: Workbench, plan: Sequence[tuple[str, str, JobKind, Sequence[Step]]]) -> Any:
    """Begin to perform on the library's cluster; returns the future of what `perform` returns."""
    return wb._jobs.client().submit(perform, plan, resources={LIGHT: 1}, pure=False)
