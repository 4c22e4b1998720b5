"""On PYTHONPATH of a worker: an analysis is not made, but does what the files of STAND_IN_FOLDER say.

`die` kills its process, `eat` takes memory until it is killed, `hold` goes on until the file has gone. PRETEND_VERSION is
the release that the process says it is.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
import time
from pathlib import Path
from typing import Any

if "PRETEND_VERSION" in os.environ:
    _version = importlib.metadata.version
    importlib.metadata.version = lambda name: (
        os.environ["PRETEND_VERSION"] if name == "sound-forge-alchemy" else _version(name)
    )


def stand_in(attempt: Any) -> None:
    folder = Path(os.environ["STAND_IN_FOLDER"])
    taken = []
    attempt.stage("Standing in")
    with (folder / "attempts").open("a") as seen:
        seen.write(f"{attempt.job.attempt}\n")
    if (folder / "die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    while (folder / "eat").exists():
        taken.append(bytearray(os.urandom(1 << 20)) * 32)
        time.sleep(0.02)
    while (folder / "hold").exists():
        attempt.progress(0.5)
        time.sleep(0.02)
    attempt.complete(lambda _connection: None)


if "STAND_IN_FOLDER" in os.environ:
    from sfwidgets.jobs import preload

    _setup = preload.dask_setup

    def dask_setup(worker: Any) -> None:
        from sfwidgets.jobs.work import KINDS

        _setup(worker)
        KINDS["analysis"] = stand_in

    preload.dask_setup = dask_setup
