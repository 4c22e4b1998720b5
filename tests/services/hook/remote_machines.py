"""A library's cluster in a test run with --services: `soundforge scheduler` and `soundforge worker`, as on other machines.

It stands where the library's own cluster would: whoever needs workers first starts it, and it tells of itself in the same
file. It ends, with all that it started, when it is told to, when one of its members ends, and with the session of tests.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from sfwidgets.jobs.cluster import address_file, run_folder
from sfwidgets.jobs.daemon import _announce
from sfwidgets.jobs.preload import PR_SET_PDEATHSIG
from sfwidgets.logs import use_configured_format
from sfwidgets.settings import Settings

LOOK_SECONDS = 0.05


def main() -> None:
    """Run a scheduler and a worker for the library that the environment names."""
    settings, session = Settings(), Path(os.environ["SF_TEST_SERVICES"])
    logging.basicConfig(level=logging.INFO)
    use_configured_format(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    environment = {**os.environ, "DASK_SCHEDULER": address}
    log = run_folder(settings) / "cluster.log"
    steps = [
        ("scheduler", ["--port", str(port)], f"listens at {address}"),
        ("worker", [], f"works for {address}"),
    ]
    members: list[subprocess.Popen[bytes]] = []

    def go_on() -> bool:
        return not stop.wait(LOOK_SECONDS) and session.exists() and all(member.poll() is None for member in members)

    try:
        for verb, options, ready in steps:
            command = [sys.executable, "-m", "sfwidgets.cli", verb, *options]
            members.append(subprocess.Popen(command, env=environment, preexec_fn=_die_with_its_parent))  # noqa: PLW1509
            while ready not in log.read_text():
                if not go_on():
                    return
        _announce(settings, address, {})
        logging.getLogger("sfwidgets.remote_machines").info("The cluster is up at %s.", address)
        while go_on():
            pass
    finally:
        address_file(settings).unlink(missing_ok=True)
        for member in members:
            member.kill()


def _die_with_its_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


main()
