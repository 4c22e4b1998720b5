"""Asking for work, following it, and looking after work whose worker died."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from sfwidgets.errors import NotFoundError, SoundForgeError, UnavailableError
from sfwidgets.jobs.cluster import DOWNLOAD, GPU, HEAVY, LIGHT, connect, machine_id
from sfwidgets.jobs.events import EventHub, Watcher
from sfwidgets.jobs.presence import cluster_state
from sfwidgets.jobs.redis_road import RedisRoad
from sfwidgets.jobs.road import DaskRoad, Road
from sfwidgets.library import JobTable, Shared, Unfinished
from sfwidgets.models import Job, JobKind, Track
from sfwidgets.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""A queued job that Dask does not know is left alone for this long: whoever asked for it may be sending it just now."""
RESOURCES: dict[JobKind, str] = {"processing": HEAVY, "download": DOWNLOAD}
"""What a kind of job needs of a worker, if not what all light work does."""
STAND_BY_SECONDS = 5.0
"""How often a process that asked for work looks whether its cluster is still there."""
CLUSTER_SECONDS = 2.0
"""How long a cluster elsewhere may take to answer whoever wants to watch."""


class Jobs:
    """The jobs of a library, as one process sees them: a client of the cluster, and a hub of events."""

    def __init__(self, shared: Shared, settings: Settings) -> None:
        self.table = shared.jobs
        self._shared = shared
        self._settings = settings
        self._road = road_of(shared)
        self._hub = EventHub(shared.jobs, self._road, self._recover_quietly)
        self._client: Client | None = None
        self._keeper: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def client(self) -> Client:
        """Return the client of the cluster, connecting, or starting the cluster, where there is none."""
        with self._lock:
            if self._client is None or self._client.status != "running":
                if self._client is not None:
                    self._client.close(timeout=1)
                self._client = connect(self._settings)
                self._road.join(self._client)
                if self._keeper is None:
                    self._keeper = threading.Thread(target=self._stand_by, name="soundforge-keeper", daemon=True)
                    self._keeper.start()
            return self._client

    def submit(
        self, owner: str, kind: JobKind, track_id: str | None, options: dict[str, Any], then: tuple[JobKind, ...] = ()
    ) -> Job:
        """Ask for a job; an identical one that is running is returned instead. Raises `DiskFullError`."""
        self._shared.store.check_room()
        client = self.client()
        check_gpu(client, [options])
        job, created = self.table.submit(
            owner, kind, track_id, options, then=then, settings=job_settings(self._settings)
        )
        if created:
            self._begin(client, job, [job])
        return job

    def submit_batch(
        self,
        owner: str,
        kind: JobKind,
        parts: dict[str, dict[str, Any]],
        options: dict[str, Any],
        then: tuple[JobKind, ...] = (),
    ) -> Job:
        """Ask for a batch of jobs of a kind, track id → options; an identical one that is running is returned instead.

        Raises `DiskFullError`.
        """
        self._shared.store.check_room()
        client = self.client()
        check_gpu(client, parts.values())
        batch, jobs = self.table.submit_batch(
            owner, kind, parts, options=options, then=then, settings=job_settings(self._settings)
        )
        if jobs:
            self._begin(client, batch, jobs)
        return batch

    def _begin(self, client: Client, job: Job, tasks: list[Job]) -> None:
        log.info("%s %s was asked for.", job.kind, job.id, extra={"job": job.id})
        self._hub.tell(job)  # the subscription of a client that has only just connected may not stand yet
        try:
            self._road.publish(client, job)
            send(client, self.table, tasks)
        except Exception as error:
            # A client that another thread has closed meanwhile, as the cluster was lost, raises all kinds of errors.
            if client.status == "running" and not isinstance(error, (SoundForgeError, OSError, TimeoutError)):
                raise
            log.warning("Job %s waits in the table, as it could not be sent just now: %r", job.id, error)

    def offered(self) -> dict[str, float]:
        """Return how much of each resource the workers offer, as far as this process is connected; starts nothing."""
        client, found = self._client, dict.fromkeys((HEAVY, LIGHT, DOWNLOAD), 0.0)
        if client is not None and client.status == "running":
            for worker in client.scheduler_info(n_workers=-1)["workers"].values():
                for name, amount in worker["resources"].items():
                    found[name] = found.get(name, 0.0) + amount
        return found

    def cancel(self, owner: str, job_id: str) -> Job:
        """Ask that a job be cancelled; one that has not begun ends at once, also where the workers can't be reached."""
        job = self.table.cancel(owner, job_id)
        for changed in self.with_parent(job) if job.done else []:
            self._hub.tell(changed)
            try:
                if not self._road.over_cluster:
                    self._road.publish(None, changed)
                elif cluster_state(self._settings, CLUSTER_SECONDS) == "up":
                    self._road.publish(self.client(), changed)
            except Exception as error:
                log.warning("Others read in the table that job %s was cancelled: %r", changed.id, error)
        return job

    def with_parent(self, job: Job) -> list[Job]:
        """Return a job, and the batch that it is a part of."""
        return [job] if job.parent is None else [job, *self.table.many([job.parent])]

    def track_of(self, job: Job) -> Track | None:
        """Return the track that a job works on; None where it works on none, or the track has gone."""
        if job.track_id is None:
            return None
        try:
            return self._shared.of(job.owner).tracks.get(job.track_id)
        except NotFoundError:
            return None

    def following(self, job: Job) -> Job | None:
        """Return the job that was asked for when this one had ended, once there is one."""
        if not job.done or not job.then or job.track_id is None:
            return None
        newest = self.table.newest(job.owner, kind=job.then[0], track_id=job.track_id, limit=1)
        return next((found for found in newest if not found.done or found.created_at >= job.created_at), None)

    def watch(self, job: Job, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of everything that happens to a job; returns what ends that. A job that has ended is told."""
        watch = self._hub.watch(job.id, watcher)
        try:
            for current in self.table.many([job.id]):
                if not current.done and self._road.over_cluster:
                    self.client()
                self._hub.tell(current, watch)
        except BaseException:
            self._hub.unwatch(watch)
            raise
        return partial(self._hub.unwatch, watch)

    def watch_track(self, owner: str, track_id: str, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of everything that happens from now on to a track's jobs; returns what ends that.

        The track need not exist. No cluster is started for it: where there is none, the table tells when work begins.
        """
        if self._road.over_cluster and cluster_state(self._settings, CLUSTER_SECONDS) == "up":
            try:
                self.client()
            except (SoundForgeError, OSError, TimeoutError) as error:
                log.warning("Events come from the table only, until the cluster can be reached: %s", error)
        watch = self._hub.watch((owner, track_id), watcher)
        try:
            self._hub.skip(watch, self.table.recent(owner, [track_id]))
        except BaseException:
            self._hub.unwatch(watch)
            raise
        return partial(self._hub.unwatch, watch)

    def recover(self) -> bool:
        """Send again what was lost, and end what may not run again; returns whether there are jobs that have not ended."""
        unfinished = self.table.unfinished()
        for batch in self.table.settle_batches():
            self._hub.tell(batch)  # others read it in the table
        if not unfinished:
            return self.table.waiting()
        client = self.client()
        missing = set(client.run_on_scheduler(_missing, keys=[u.task for u in unfinished if u.task]))
        for lost in unfinished:
            self._look_after(client, lost, unknown=lost.task is None or lost.task in missing)
        return True

    def _told(self, client: Client, job: Job) -> None:
        self._road.publish(client, job)
        self._hub.tell(job)

    def close(self) -> None:
        """Stop following, and leave the cluster; the work goes on."""
        self._closing.set()
        self._hub.close()
        self._road.close()
        with self._lock:
            if self._client is not None:
                self._client.close(timeout=2)
                self._client = None

    def _look_after(self, client: Client, lost: Unfinished, *, unknown: bool) -> None:
        job, now = lost.job, time.time()
        if job.status == "queued":
            if lost.cancel_requested:
                for changed in self.with_parent(self.table.cancel(job.owner, job.id)):
                    self._told(client, changed)
            elif unknown and now - job.created_at.timestamp() > SETTLE_SECONDS:
                send(client, self.table, [job])
            return
        dead = holder_is_dead(lost.holder)
        if dead:
            self.table.expire(lost)
        elif lost.lease_until >= time.time():
            return
        ended = self.table.give_up(lost)
        if ended is not None:
            log.warning("%s %s %s: %s", ended.kind, ended.id, ended.status, ended.error or "its worker died.")
            for changed in self.with_parent(ended):
                self._told(client, changed)
        # Where the worker died, Dask runs its task again by itself; a worker that hangs keeps its task for ever.
        elif unknown or (not dead and lost.holder is not None and lost.holder.endswith(f" {lost.task}")):
            log.info("Job %s is sent again after attempt %d.", job.id, job.attempt)
            send(client, self.table, [job])

    def _recover_quietly(self) -> None:
        try:
            self.recover()
        except (SoundForgeError, OSError, TimeoutError) as error:
            log.warning("Jobs that have not ended could not be looked after just now: %s", error)

    def resume(self) -> None:
        """Look after jobs that another process left unfinished; a library can be read even where that fails."""
        try:
            self.table.settle_batches()
            left = self.table.unfinished(limit=1) or self.table.waiting()
        except SoundForgeError as error:
            log.warning("Whether there are jobs that have not ended can't be said just now: %s", error)
            return
        if left:
            self._recover_quietly()

    def _stand_by(self) -> None:
        """Notice where the cluster is lost, also while nobody watches: work that was asked for here goes on."""
        while not self._closing.wait(STAND_BY_SECONDS):
            if self._client is not None and self._client.status != "running":
                try:
                    self.resume()
                except Exception:
                    log.exception("The cluster can't be found again just now; it is tried in %s s.", STAND_BY_SECONDS)


def job_settings(settings: Settings) -> dict[str, Any]:
    """Return the part of the settings that a job takes along from whoever asked for it."""
    models_dir = None if settings.models_dir is None else str(settings.models_dir)
    return {"models_dir": models_dir, "offline": settings.offline}


def check_gpu(client: Client, wanted: Iterable[dict[str, Any]]) -> None:
    """Raise `UnavailableError` where one of the jobs with these options wants a GPU and no worker has one."""
    if all(options.get("device") != "cuda" for options in wanted):
        return
    if not any(GPU in worker["resources"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()):
        raise UnavailableError(
            "No worker of the cluster has a GPU. Choose the device 'cpu' or 'auto', or start a worker with `soundforge "
            "worker --gpu`.",
            code="no_gpu",
        )


def needs(job: Job) -> dict[str, int]:
    """Return the resources that a job needs of a worker."""
    return {RESOURCES.get(job.kind, LIGHT): 1} | ({GPU: 1} if job.options.get("device") == "cuda" else {})


def send(client: Client, table: JobTable, jobs: list[Job]) -> None:
    """Give queued jobs of one kind to Dask, so that they outlive this process."""
    from distributed import fire_and_forget

    from sfwidgets.jobs.worker import run_job

    keys = {job.id: f"{job.kind}-{job.id}-{uuid.uuid4().hex[:8]}" for job in jobs}
    table.sent(keys)
    turns = {keys[job.id]: _priority(job) for job in jobs}
    futures = client.map(
        run_job, list(keys), list(keys.values()), key=list(keys.values()), pure=False,
        resources=needs(jobs[0]), priority=turns.__getitem__,
    )  # fmt: skip
    fire_and_forget(futures)


def _priority(job: Job) -> float:
    """Return a job's priority at Dask, where the highest goes first; of one turn, parts of batches go last."""
    return -job.turn if job.parent is None else -job.turn - 0.5


def road_of(shared: Shared) -> Road:
    """Return the road that a library's events take: Redis where it is configured, else the cluster."""
    return DaskRoad() if shared.redis is None else RedisRoad(shared.redis)


def holder_name(task: str) -> str:
    """Return what this process signs a lease with: the machine, the process, when it began, and the task."""
    return f"{_process_name()} {task}"


@functools.cache
def _process_name() -> str:
    import psutil

    return f"{machine_id()} {os.getpid()} {psutil.Process().create_time()}"


def holder_is_dead(holder: str | None) -> bool:
    """Return whether the process that signed a lease is known to be gone; only its own machine can know."""
    import psutil

    if holder is None:
        return False
    machine, pid, created, _task = holder.split(" ")
    if machine != machine_id():
        return False
    try:
        process = psutil.Process(int(pid))
        return str(process.create_time()) != created or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _missing(dask_scheduler: Any, keys: list[str]) -> list[str]:
    """Run on the scheduler: return the keys that it does not know, or has given up on."""
    tasks = dask_scheduler.tasks
    return [key for key in keys if key not in tasks or tasks[key].state in ("erred", "memory", "forgotten")]
