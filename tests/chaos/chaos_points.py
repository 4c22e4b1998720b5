"""Points of a worker's work at which it dies, or loses the database. `arm` runs on the worker: the product has no hooks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cloudpickle

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import the tests

POINTS = (
    "after a claim", "before a rename", "after a rename", "before a commit", "after a commit", "before following jobs",
    "before a send",
)  # fmt: skip
DATABASE_POINTS = ("before its commit", "after its commit")


def arm(point: str, number: int) -> None:
    """Run on a worker: let it die when it comes to that point for the `number`-th time; it does so once."""
    import os
    import signal

    from sfwidgets.jobs import worker
    from sfwidgets.library.jobs import JobTable
    from sfwidgets.library.store import ArtifactStore

    left = [number]

    def wrap(owner: Any, name: str, then: Callable[..., Any], when: Callable[..., bool] = lambda *_a: True) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            left[0] -= when(*args)
            if left[0] == 0 and when(*args):
                return then(real, *args, **kwargs)
            return real(*args, **kwargs)

        setattr(owner, name, wrapped)
        worker.__dict__.setdefault("armed", []).append((owner, name, real))

    def die(*_args: Any, **_kwargs: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_after(real: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        die()

    def lose(committed: bool) -> Callable[..., Any]:
        def losing(real: Callable[..., Any], table: JobTable, connection: Any, *args: Any, **kwargs: Any) -> Any:
            done = real(table, connection, *args, **kwargs)
            raw = connection.connection.dbapi_connection

            def break_off() -> None:
                if committed:
                    type(raw).commit(raw)
                raw.close()
                type(raw).commit(raw)  # says that the connection is lost

            raw.commit = break_off
            return done

        return losing

    {
        "after a claim": lambda: wrap(worker, "_forget_earlier_attempts", die),
        "before a rename": lambda: wrap(ArtifactStore, "publish", die),
        "after a rename": lambda: wrap(ArtifactStore, "publish", die_after),
        "before a commit": lambda: wrap(JobTable, "complete", die_after),
        "after a commit": lambda: wrap(worker, "_tell", die, lambda job: job.done),
        "before following jobs": lambda: wrap(worker, "_tell", die_after, lambda job: job.done),
        "before a send": lambda: wrap(JobTable, "sent", die_after),
        "before its commit": lambda: wrap(JobTable, "complete", lose(committed=False)),
        "after its commit": lambda: wrap(JobTable, "complete", lose(committed=True)),
    }[point]()


def disarm() -> None:
    """Run on a worker: let what it was armed with come to nothing."""
    from sfwidgets.jobs import worker

    armed = worker.__dict__.pop("armed", [])
    for owner, name, real in reversed(armed):
        setattr(owner, name, real)
