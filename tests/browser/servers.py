"""Real servers for tests: our dashboard (Voilà) and JupyterLab, each a process with folders and a port of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil

from sfwidgets.jobs import stop_cluster
from sfwidgets.settings import Settings

PATIENCE = 90.0
"""How long a server may take to answer at all, in seconds, before a test gives it up."""


@dataclass(frozen=True)
class Server:
    """A server that answers. `url` ends in a slash; `token` is "" where there is no sign-in."""

    url: str
    token: str
    process: subprocess.Popen[bytes]
    log: Path

    def address(self, path: str = "", **query: str) -> str:
        """Return the address of a page, the token in it: `server.address("lab/tree/workbench.ipynb")`."""
        asked = {**query, **({"token": self.token} if self.token else {})}
        return self.url + path + (f"?{urlencode(asked)}" if asked else "")

    def kernels(self) -> list[psutil.Process]:
        """Return the kernels that this server runs, preheated ones too."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any("ipykernel_launcher" in part for part in child.cmdline()):
                    found.append(child)
        return found

    def said(self) -> str:
        """Return what the server has printed so far."""
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def start_voila(
    notebook: Path, library: Path, *, pool: int = 1, options: tuple[str, ...] = (), environment: Mapping[str, str] = {}
) -> Iterator[Server]:
    """Run `soundforge dashboard` on a notebook and a library: `with start_voila(notebook, library) as server:`."""
    port = free_port()
    command = [
        sys.executable, "-m", "sfwidgets.cli", "dashboard", "--notebook", str(notebook.absolute()),
        "--library", str(library), "--port", str(port), "--pool", str(pool), "--no-browser", *options,
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}/", "", library, notebook.parent, environment) as server:
        yield server


@contextlib.contextmanager
def start_lab(
    root: Path,
    library: Path,
    extension: bool = True,
    *,
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] = {},
) -> Iterator[Server]:
    """Run JupyterLab on the folder `root`; without `extension`, the server does not load ours.

    The kernels' library is `library`, and so is the extension's. Open a notebook by
    `page.goto(server.address("lab/tree/name.ipynb"))`.
    """
    port, token = free_port(), secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True",
        *(() if extension else ("--ServerApp.jpserver_extensions={'server_ext': False}",)), *options,
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}/", token, library, root, environment) as server:
        yield server


@contextlib.contextmanager
def start_lab_command(folder: Path, library: Path) -> Iterator[Server]:
    """Run `soundforge lab`, as a user of an installed package does, with the notebooks in `folder`."""
    port, token = free_port(), secrets.token_hex(16)
    command = [
        sys.executable, "-m", "sfwidgets.cli", "lab", "--folder", str(folder), "--library", str(library),
        "--port", str(port), "--no-browser",
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}/", token, library, Path("/"), {"JUPYTER_TOKEN": token}) as server:
        yield server


@contextlib.contextmanager
def start_serve(
    library: Path, *options: str, environment: Mapping[str, str] = {}, stdin: int = subprocess.DEVNULL
) -> Iterator[Server]:
    """Run `soundforge serve` on a library, with copies of the notebooks; the port after its own is free, too."""
    port, token = free_port(2), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="sf-notebooks-") as folder:
        command = [
            sys.executable, "-m", "sfwidgets.cli", "serve", "--library", str(library), "--port", str(port),
            "--folder", folder, "--no-browser", *options,
        ]  # fmt: skip
        variables = {"JUPYTER_TOKEN": token, **environment}
        url = f"http://127.0.0.1:{port}/"
        with _running(command, url, token, library, Path(folder), variables, stdin) as server:
            yield server


def free_port(count: int = 1) -> int:
    """Return the first of some ports in a row that nobody listens on."""
    while True:
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError, OverflowError):
            port = 0
            for number in range(count):
                probe = probes.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port + number))
                port = port or int(probe.getsockname()[1])
            return port


@contextlib.contextmanager
def _running(
    command: list[str],
    url: str,
    token: str,
    library: Path,
    folder: Path,
    environment: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="sf-server-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        own = {
            variable: str(home / variable.lower())
            for variable in (
                "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
                "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR",
            )
        }  # fmt: skip
        log = home / "log.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=folder, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **own, "AUDIO_DATA_PATH": str(library), **environment},
            )  # fmt: skip
        server = Server(url, token, process, log)
        try:
            _wait(server)
            yield server
        finally:
            _end(process)
            stop_cluster(Settings(library=library))


def _wait(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise RuntimeError(f"The server ended with {server.process.returncode}.\n{server.said()}")
        try:
            urllib.request.urlopen(server.url + "api/status", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # an answer, even if it is a refusal
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server does not answer.\n{server.said()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started (kernels have process groups of their own)."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
