"""Without sign-in, only this machine is served: whoever could be reached by others refuses to serve the API at all."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from callers import SOCKETS, ask
from jupyter_server.serverapp import ServerApp
from serving import until
from traitlets import TraitError

from server_ext.app import SoundForge

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import free_port


def test_without_sign_in_nothing_is_served_to_other_machines(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=0.0.0.0", f"--port={port}",
        "--IdentityProvider.token=x", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={tmp_path}",
        "--SoundForge.sign_in=False",
    ]  # fmt: skip
    log = tmp_path / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        until(lambda: process.poll() is not None or listens(url))
        for path in ("health", "api/config", "api/tracks", "openapi.json", *SOCKETS.values()):
            if process.poll() is None:
                assert ask(url + path).status in (302, 404), path  # 302: to the path without its last slash
        assert "Without sign-in the server may only listen on this machine's own address" in log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "asked",
    [{"ip": "0.0.0.0"}, {"ip": "::"}, {"ip": ""}, {"ip": "*"}, {"ip": "192.0.2.7"}, {"allow_remote_access": True}],
    ids=str,
)
def test_without_sign_in_the_extension_refuses_every_server_that_others_reach(asked: dict[str, Any]) -> None:
    with pytest.raises(TraitError, match="Without sign-in"):
        extension(asked).initialize_settings()
    for ip in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        extension({"ip": ip}).initialize_settings()


def extension(asked: dict[str, Any]) -> SoundForge:
    found = SoundForge(sign_in=False)
    found.serverapp = ServerApp(**asked)
    found.settings = {}
    return found


def listens(url: str) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(f"{url}api/status").status > 0
    return False
