"""A worker stands still for longer than its lease: another takes its job over, and the first awakes as a stranger."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
from distributed import Client, fire_and_forget
from distributed.client import ClosedClientError
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from sfwidgets.errors import SoundForgeError
from sfwidgets.jobs.worker import run_job
from sfwidgets.library import Shared
from sfwidgets.library.schema import jobs
from sfwidgets.models import TERMINAL

WORK_SECONDS = 5.0
TAKEN_SECONDS = 20.0
SEPARATIONS = 0.8
"""How often a separation is taken over, where there is one."""


def overtake(connect: Callable[[], Client], workers: list[psutil.Process], shared: Shared, dice: random.Random) -> None:
    """Let a worker that has a job stand still until the other worker has taken it over; both are at it then, or were.

    The end of the lease is written into the table: who waited for it would wait for 15 seconds. The job is sent to the
    other worker as recovery would send it, had there been two of a kind. `shared` is reached by roads that are never cut.
    """
    with suppress(OSError, DBAPIError, SoundForgeError, ClosedClientError, psutil.Error):  # another fault came first
        client = connect()
        places = {worker.pid: _address(client, worker) for worker in workers}
        _wait(lambda: _begun(shared, places), WORK_SECONDS)
        begun = _begun(shared, places)
        if not begun or len(places) < 2:
            return  # all had ended, or another fault has left one worker
        separations = [row for row in begun if row.kind == "processing"]  # these have the most to write
        row = dice.choice(separations if separations and dice.random() < SEPARATIONS else begun)
        other = next(address for pid, address in places.items() if pid != _pid(row))
        worker = psutil.Process(_pid(row))
        worker.suspend()
        try:
            with shared.database.write() as connection:
                mine = (jobs.c.id == row.id, jobs.c.attempt == row.attempt, jobs.c.status == "processing")
                connection.execute(update(jobs).where(*mine).values(lease_until=0.0))
            task = f"{row.kind}-{row.id}-stranger{row.attempt}"
            fire_and_forget(client.submit(run_job, row.id, task, key=task, workers=[other], pure=False))
            _wait(lambda: _taken(shared, row), TAKEN_SECONDS)
            time.sleep(dice.choice([0.0, 0.0, 0.3]))
        finally:
            worker.resume()


def _address(client: Client, worker: psutil.Process) -> str:
    """Return what Dask calls a worker, which may not answer just now; raises `OSError` where it does not know it."""
    ports = {str(made.laddr.port) for made in worker.net_connections("tcp") if made.status == psutil.CONN_LISTEN}
    for address in client.scheduler_info(n_workers=-1)["workers"]:
        if address.rpartition(":")[2] in ports:
            return str(address)
    raise OSError("This worker has just begun, or died.")


def _begun(shared: Shared, places: dict[int, str]) -> list[Any]:
    """Return the jobs that these processes work on."""
    query = select(jobs).where(jobs.c.status == "processing", jobs.c.holder.is_not(None)).order_by(jobs.c.id)
    with shared.database.read() as connection:
        return [row for row in connection.execute(query) if _pid(row) in places]


def _taken(shared: Shared, row: Any) -> bool:
    with shared.database.read() as connection:
        now = connection.execute(select(jobs).where(jobs.c.id == row.id)).one()
    return bool(now.attempt > row.attempt or now.status in TERMINAL)


def _pid(row: Any) -> int:
    return int(row.holder.split(" ")[1])


def _wait(condition: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
