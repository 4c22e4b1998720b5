"""The scheduler of a cluster of several machines, as `soundforge scheduler` runs it."""

from __future__ import annotations

import asyncio
import logging
import signal

from sfwidgets.errors import InvalidInputError, UnavailableError
from sfwidgets.jobs.cluster import DASK_CONFIG
from sfwidgets.jobs.remote import tls
from sfwidgets.logs import use_configured_format
from sfwidgets.settings import Settings, is_loopback

log = logging.getLogger(__name__)


def run_scheduler(settings: Settings, host: str, port: int) -> None:
    """Run a scheduler until SIGTERM; raises `UnavailableError` where it can't listen there."""
    asyncio.run(_serve(settings, host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    import dask
    from distributed import Scheduler

    dask.config.set(DASK_CONFIG)  # after the import, which would fill what is empty here with its defaults
    use_configured_format(settings)
    security = tls(settings)
    protocol = "tcp" if security is None else "tls"
    if security is None and not is_loopback(host):
        log.warning(
            "Without TLS, whoever reaches %s:%d can run any program on the workers. Let only trusted machines do so, "
            "or set SOUNDFORGE_TLS_CA, SOUNDFORGE_TLS_CERT and SOUNDFORGE_TLS_KEY.", host, port,
        )  # fmt: skip
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    scheduler = Scheduler(
        host=host, port=port, protocol=protocol, security=security, dashboard=False, dashboard_address="127.0.0.1:0"
    )
    try:
        async with scheduler:
            log.info("The scheduler listens at %s.", scheduler.address)
            await stop.wait()
    except OSError as error:
        raise UnavailableError(
            f"The scheduler can't listen at {host}:{port} ({error.strerror or error}).", code="port_taken"
        ) from None
    except ValueError as error:
        raise InvalidInputError(f"The scheduler can't listen at {host}:{port}: {error}") from None
    log.info("The scheduler is down.")
