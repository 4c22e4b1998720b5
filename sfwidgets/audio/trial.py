"""`probe`, in a process of its own: for files from elsewhere.

A file of one megabyte can ask FFmpeg for gigabytes (compressed headers and tags), or make it crash. What it does to this
process it does to nobody else, and a file that passes is harmless to whoever opens it afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from sfwidgets.audio.probe import probe
from sfwidgets.errors import AudioError, InvalidInputError, SoundForgeError
from sfwidgets.models import AudioInfo

SECONDS = 60.0
MOST_MEMORY = 128 * 2**20
"""Bytes that opening a file may take; a large cover takes a tenth of it."""
_REFUSED = 2
_TOO_MUCH = 3

_two = threading.BoundedSemaphore(2)
"""As many at once, so that many bad files together do no harm either."""


def try_out(path: Path) -> AudioInfo:
    """Return what `probe` returns, and raise what it raises; and `AudioError` for a file that is not safe to open.

    That is one whose opening takes more memory or time than any real file's, or crashes.
    """
    command = [sys.executable, "-P", "-m", "sfwidgets.audio.trial", str(path.absolute())]
    try:
        with _two:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise _unsafe(path) from error
    if done.returncode == _TOO_MUCH or done.returncode < 0:
        raise _unsafe(path)
    if done.returncode == _REFUSED:
        told = json.loads(done.stdout)
        kind = AudioError if told["status"] == AudioError.status else InvalidInputError
        raise kind(told["error"], code=told["code"])
    if done.returncode != 0:
        raise RuntimeError(f"The trial of a file failed:\n{done.stderr.decode(errors='replace')}")
    return AudioInfo.model_validate_json(done.stdout)


def _unsafe(path: Path) -> AudioError:
    return AudioError(
        f"{path.name} can't be read: its headers or its cover picture are damaged, or too large. Convert it, or get it "
        "again.",
        code="audio_undecodable",
    )


def _guard(most: int) -> None:
    """End the process once it takes that much memory: FFmpeg lets other threads run while it opens a file."""
    process = psutil.Process()
    while process.memory_info().rss < most:
        time.sleep(0.005)
    os._exit(_TOO_MUCH)


def main(path: Path) -> int:
    """Probe the file, print what it is or why it is refused, and return the exit code."""
    import av  # noqa: F401  what it takes itself is no fault of the file

    most = psutil.Process().memory_info().rss + MOST_MEMORY
    threading.Thread(target=_guard, args=(most,), daemon=True).start()
    try:
        code, told = 0, probe(path).model_dump_json()
    except SoundForgeError as error:
        code, told = _REFUSED, json.dumps({**error.to_dict(), "status": error.status})
    sys.stdout.write(told)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
