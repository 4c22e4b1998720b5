"""The commands that make a cluster of several machines: a scheduler, and workers that join it."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from typing import Annotated

import typer

from sfwidgets.cli_options import Library, settings_of
from sfwidgets.errors import InvalidInputError, UnavailableError


def scheduler(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 means all of this machine's.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 means any that is free.")
    ] = 8786,
) -> None:
    """Run the scheduler of a cluster of several machines, until it is told to stop.

    Servers and workers find it by DASK_SCHEDULER=tcp://host:8786; with SOUNDFORGE_TLS_CA, SOUNDFORGE_TLS_CERT and
    SOUNDFORGE_TLS_KEY it speaks tls:// only.
    """
    _prepare()
    from sfwidgets.jobs.hosting import run_scheduler

    run_scheduler(settings_of(None), host, port)


def worker(
    library: Library = None,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Separate on this machine's NVIDIA GPUs: one worker process a GPU.")
    ] = False,
    heavy: Annotated[bool, typer.Option("--heavy", help="Only separate.")] = False,
    light: Annotated[bool, typer.Option("--light", help="All but separate: analyses, downloads.")] = False,
    nthreads: Annotated[
        int | None,
        typer.Option(min=1, help="How many analyses run at once.", show_default="one a core"),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="What all worker processes here may use together: 8GB. One that takes more than its share is killed, and "
            "its job tried again; 0 sets no limit.",
            show_default="90 % of the machine's",
        ),
    ] = None,
) -> None:
    """Work for the cluster at DASK_SCHEDULER, until told to stop.

    It waits for a scheduler that is not there yet, and begins anew where it is lost. The database, the library and all
    else are this machine's own settings: DATABASE_URL, AUDIO_DATA_PATH, REDIS_URL, MODELS_DIR.
    """
    settings = settings_of(library)
    if heavy and light:
        raise InvalidInputError("Say --heavy or --light; a worker does both where neither is said.")
    if gpu and light:
        raise InvalidInputError("--gpu is for separations, which --light leaves to others.")
    if settings.dask_scheduler is None:
        raise InvalidInputError(
            "DASK_SCHEDULER is not set: it says whom to work for, like tcp://host:8786. On this machine alone no worker "
            "need be started, that happens by itself.",
            code="bad_setting",
        )
    os.environ["AUDIO_DATA_PATH"] = str(settings.library)
    if gpu:
        os.environ["SOUNDFORGE_DEVICE"] = "cuda"
    _prepare()
    from sfwidgets.jobs.joining import Offer, run_worker

    offer = Offer(
        heavy=not light, light=not heavy, gpus=_gpus() if gpu else (), nthreads=nthreads or 0, memory=_bytes(memory)
    )
    run_worker(settings, offer)


def _prepare() -> None:
    from sfwidgets.jobs.cluster import WORKER_ENVIRONMENT

    for name, value in WORKER_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
    logging.getLogger("sfwidgets").setLevel(logging.INFO)


def _gpus() -> tuple[str, ...]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = tuple(name.strip() for name in visible.split(",") if name.strip())
    elif (program := shutil.which("nvidia-smi")) is None:
        named = ()
    else:
        listed = subprocess.run(
            [program, "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, check=False
        )
        named = tuple(line.strip() for line in listed.stdout.splitlines() if line.strip().isdigit())
    if not named:
        raise UnavailableError(
            "This machine has no NVIDIA GPU that nvidia-smi, or CUDA_VISIBLE_DEVICES, names. Leave out --gpu.",
            code="no_gpu",
        )
    return named


def _bytes(memory: str | None) -> int:
    from dask.utils import parse_bytes
    from distributed.system import MEMORY_LIMIT

    if memory is None:
        return int(MEMORY_LIMIT * 0.9)
    try:
        return int(parse_bytes(memory))
    except ValueError:
        raise InvalidInputError(f"--memory {memory[:40]} is no amount of memory; write 8GB or 6GiB.") from None
