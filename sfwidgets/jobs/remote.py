"""A cluster at DASK_SCHEDULER: joined only where its workers can do this library's work, refused with a sentence else.

Everything that would otherwise leave jobs waiting for ever is looked at before the first is sent: whether somebody
answers, whether all run the same software, whether each kind of work has a worker, and whether each worker sees this
library's database and files.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfwidgets.errors import InvalidInputError, SoundForgeError, UnavailableError
from sfwidgets.jobs.cluster import DASK_CONFIG, DOWNLOAD, HEAVY, LIGHT, machine_id, open_client
from sfwidgets.library import Shared
from sfwidgets.library.landmark import landmark, sees
from sfwidgets.settings import Settings

if TYPE_CHECKING:
    from distributed import Client, Security

log = logging.getLogger(__name__)

CONNECT_SECONDS = 8.0
ANSWER_SECONDS = 15.0
"""How long a worker may take to say what it sees. One that does not is left out: it may be dying just now."""
PACKAGE = "sound-forge-alchemy"
SAME = (PACKAGE, "dask", "distributed", "msgpack", "cloudpickle")
"""The packages that a task, and what is said of it, goes through on both sides."""
ADDED_BY = {
    LIGHT: "soundforge worker --light",
    DOWNLOAD: "soundforge worker --light",
    HEAVY: "soundforge worker --heavy",
}


@dataclass(frozen=True)
class Sight:
    """What a worker says of itself: where it is, and whether it sees somebody else's mark."""

    machine: str
    place: str
    """Where its artifacts are kept, as `place_of` says it."""
    database: bool = False
    store: bool = False
    fault: str | None = None


def connect_remote(settings: Settings, *, joining: bool = False) -> Client:
    """Return a client of the cluster at DASK_SCHEDULER; one that is `joining` as a worker needs no others there.

    Raises `UnavailableError` where it can't be reached, or could not do this library's work.
    """
    address, security = scheduler_address(settings), tls(settings)
    try:
        with ThreadPoolExecutor(1) as thread:  # this one may have an event loop of its own
            thread.submit(asyncio.run, _greet(address, security)).result()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Dask's own look at versions: ours follows
            client = open_client(address, security=security, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise UnavailableError(
            f"No Dask scheduler answers at DASK_SCHEDULER={address} ({str(error) or 'it took too long'}). Start it with "
            "`soundforge scheduler`, or unset DASK_SCHEDULER to use this machine.",
            code="no_cluster",
        ) from None
    try:
        _check_scheduler(client, address)
        _check_workers(client, settings, joining=joining)
    except (OSError, TimeoutError) as error:
        client.close(timeout=1)
        raise UnavailableError(f"The Dask cluster at {address} was lost: {error}", code="no_cluster") from None
    except BaseException:
        client.close(timeout=1)
        raise
    return client


async def _greet(address: str, security: Security | None) -> None:
    """Say hello to a scheduler; a client of Dask would wait for ever where somebody listens who never answers."""
    from distributed import Security
    from distributed.comm import connect

    async with asyncio.timeout(CONNECT_SECONDS):
        shown = (security or Security()).get_connection_args("client")
        comm = await connect(address, timeout=CONNECT_SECONDS, **shown)
        await comm.close()


def scheduler_address(settings: Settings) -> str:
    """Return DASK_SCHEDULER with its protocol; raises `InvalidInputError` where it is none of ours."""
    given = settings.dask_scheduler or ""
    address = given if "://" in given else f"tcp://{given}"
    if not address.startswith(("tcp://", "tls://")):
        raise InvalidInputError(
            f"DASK_SCHEDULER={given[:200]} is no scheduler's address. Write tcp://host:8786 or tls://host:8786.",
            code="bad_setting",
        )
    if address.startswith("tcp://") and tls(settings) is not None:
        raise InvalidInputError(
            f"DASK_SCHEDULER is {address[:200]}, but certificates are configured (SOUNDFORGE_TLS_CA …), so it must begin "
            "with tls://.",
            code="bad_setting",
        )
    if address.startswith("tls://") and tls(settings) is None:
        raise InvalidInputError(
            "DASK_SCHEDULER begins with tls://, so SOUNDFORGE_TLS_CA, SOUNDFORGE_TLS_CERT and SOUNDFORGE_TLS_KEY must name "
            "the cluster's certificates.",
            code="bad_setting",
        )
    return address


def tls(settings: Settings) -> Security | None:
    """Return Dask's security of the certificates that are configured, None where none are.

    Raises `InvalidInputError` where only some of the three are named, or one can't be read.
    """
    named = {
        "SOUNDFORGE_TLS_CA": settings.tls_ca, "SOUNDFORGE_TLS_CERT": settings.tls_cert,
        "SOUNDFORGE_TLS_KEY": settings.tls_key,
    }  # fmt: skip
    if not any(named.values()):
        return None
    for variable, file in named.items():
        try:
            if file is None:
                raise InvalidInputError(f"{variable} is not set: TLS needs {', '.join(named)}.", code="bad_setting")
            file.read_bytes()
        except OSError as error:
            raise InvalidInputError(
                f"{variable}={file} can't be read ({error.strerror}).", code="bad_setting"
            ) from None
    from distributed import Security

    shown = {
        f"tls_{role}_{part}": str(file)
        for role in ("client", "scheduler", "worker")
        for part, file in (("cert", settings.tls_cert), ("key", settings.tls_key))
    }
    return Security(require_encryption=True, tls_ca_file=str(settings.tls_ca), **shown)


def _check_scheduler(client: Client, address: str) -> None:
    found = client.sync(_versions, client, None, callback_timeout=ANSWER_SECONDS)
    _compare(found, f"the scheduler at {address}")
    if client.run_on_scheduler(_failures_allowed) < DASK_CONFIG["distributed.scheduler.allowed-failures"]:
        raise UnavailableError(
            f"The scheduler at {address} was not started by `soundforge scheduler`: it would give up on jobs whose worker "
            "died, which the table of jobs is there to count. Start that one instead.",
            code="wrong_scheduler",
        )


def _check_workers(client: Client, settings: Settings, *, joining: bool) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not joining:
        _check_resources(workers)
    if not workers:
        return
    shared = Shared(settings)
    try:
        with landmark(shared) as mark:
            answers = client.sync(_ask_all, client, list(workers), mark, callback_timeout=2 * ANSWER_SECONDS)
    finally:
        shared.close()
    for address, (versions, sight) in answers.items():
        name = f"the worker {workers[address]['name']} at {address}"
        _compare(versions, name)
        if isinstance(sight, BaseException):
            raise UnavailableError(f"Of {name[4:]} nothing could be learnt: {sight!r}", code="bad_worker")
        _check_sight(sight, name, settings)


def _check_resources(workers: dict[str, Any]) -> None:
    offered = {name for worker in workers.values() for name in worker["resources"]}
    missing = [name for name in (HEAVY, LIGHT, DOWNLOAD) if name not in offered]
    if missing:
        raise UnavailableError(
            f"No worker of the Dask cluster offers the resource {' or '.join(missing)!r}, so such jobs would wait for "
            f"ever. Start one with `{ADDED_BY[missing[0]] if len(missing) < 3 else 'soundforge worker'}`.",
            code="no_worker",
        )


def _check_sight(sight: Sight, name: str, settings: Settings) -> None:
    if sight.machine != machine_id() and settings.sqlalchemy_url.startswith("sqlite"):
        raise UnavailableError(
            "Some Dask workers run on other machines, which can't share a SQLite file. Set DATABASE_URL to a PostgreSQL "
            "database that all of them reach.",
            code="no_shared_database",
        )
    if sight.fault is not None:
        raise UnavailableError(f"T{name[1:]} can't open its library: {sight.fault}", code="bad_worker")
    if not sight.database:
        raise UnavailableError(
            f"T{name[1:]} has another database than this process, and would never find its jobs. Give "
            "both the same DATABASE_URL (or, on one machine, the same AUDIO_DATA_PATH).",
            code="no_shared_database",
        )
    here = place_of(settings)
    if sight.place != here or not (here or sight.store):
        raise UnavailableError(
            f"T{name[1:]} does not see this library's files. Let AUDIO_DATA_PATH name one shared folder on both "
            "sides, or configure the same Supabase Storage for both.",
            code="no_shared_store",
        )


def _compare(theirs: dict[str, Any], name: str) -> None:
    """Raise `UnavailableError`, which names both sides, where `name` runs other software than this process."""
    from distributed.versions import get_versions

    mine = _relevant(get_versions(packages=[PACKAGE]))
    if not theirs:
        return
    differing = [part for part, version in mine.items() if _relevant(theirs)[part] != version]
    if differing:
        ours = ", ".join(f"{part} {mine[part]}" for part in differing)
        other = ", ".join(f"{part} {_relevant(theirs)[part] or '(none)'}" for part in differing)
        raise UnavailableError(
            f"This process has {ours}, but {name} has {other}. Install the same release on both sides.",
            code="version_mismatch",
        )


def _relevant(versions: dict[str, Any]) -> dict[str, str | None]:
    packages = versions["packages"]
    python = ".".join(str(packages["python"]).split(".")[:2])
    return {"Python": python, **{name: packages.get(name) for name in SAME}}


async def _versions(client: Client, worker: str | None) -> dict[str, Any]:
    """Ask the scheduler, or a worker, for its versions in Dask's own words, which need no code of ours over there."""
    if worker is None:
        found: dict[str, Any] = await client.scheduler.versions(packages=[PACKAGE])
        return found
    asked = {"op": "versions", "packages": [PACKAGE]}
    answers = await client.scheduler.broadcast(msg=asked, workers=[worker], on_error="ignore")
    return answers.get(worker) or {}


async def _ask_all(client: Client, workers: list[str], mark: str) -> dict[str, tuple[dict[str, Any], Any]]:
    """Return what each worker that answers says: its versions, and what it sees or why it can't say."""

    async def ask(worker: str) -> tuple[dict[str, Any], Any] | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                versions = await _versions(client, worker)
                said = await client._run(look, mark, workers=[worker], on_error="return")
        except (OSError, TimeoutError):
            return None
        if not versions or isinstance(said.get(worker), OSError):
            return None
        return versions, said.get(worker)

    answers = dict(zip(workers, await asyncio.gather(*map(ask, workers)), strict=True))
    for worker in (worker for worker, answer in answers.items() if answer is None):
        log.warning("The worker at %s does not answer; it is left out until it does.", worker)
    return {worker: answer for worker, answer in answers.items() if answer is not None}


async def look(mark: str) -> Sight:
    """Run on a worker: return whether it sees a mark through its own settings."""
    from sfwidgets.jobs.worker import _settings, _shared

    try:
        return Sight(machine_id(), place_of(_settings()), *await asyncio.to_thread(lambda: sees(_shared(), mark)))
    except SoundForgeError as error:
        return Sight(machine_id(), "", fault=error.message)


def place_of(settings: Settings) -> str:
    """Return what tells one store elsewhere from another; "" for a folder, which only a look into it can tell."""
    return f"{settings.supabase_url} {settings.storage_bucket}" if settings.in_supabase else ""


def _failures_allowed(dask_scheduler: Any) -> int:
    return int(dask_scheduler.allowed_failures)
