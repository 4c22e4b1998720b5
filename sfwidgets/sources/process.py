"""Programs of others: run in a process group of their own that ends with the call, and with us, whatever happens."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from sfwidgets.errors import UnavailableError, UpstreamTimeoutError
from sfwidgets.models import one_line

Turn = Callable[[], AbstractContextManager[None]]
"""Makes what is held while somebody on the network is asked."""

TICK_SECONDS = 0.2
GRACE_SECONDS = 2.0
"""How long a program that is told to end may take before it is killed."""
TAIL_LENGTH = 4096
LINE_LENGTH = 4096
"""Longer lines are cut."""

_REAPER = Path(__file__).with_name("reaper.py")
_SECRET = re.compile(
    r"PASS|PWD|SECRET|TOKEN|CREDENTIAL|KEY|COOKIE|WEBHOOK|_PAT$|_URL$|_DSN$|^SUPABASE_|^POSTGRES_|^PG[A-Z]+$|^SPOTIFY_",
    re.IGNORECASE,
)
"""What a program that downloads needs to know nothing of, by its name; addresses may hold passwords."""
_OURS = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "FORCE_COLOR", "TTY_COMPATIBLE"})
_PLAIN_OUTPUT = {
    "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8", "COLUMNS": "2000", "NO_COLOR": "1",
    "TERM": "dumb",
}  # fmt: skip
"""Every line at once, in English, in one encoding, unwrapped and without colours."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    returncode: int
    """Negative: the number of the signal that ended it."""
    tail: str
    """The last of what it said, about 4 kB."""


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    on_line: Callable[[str], None],
    tick: Callable[[], None],
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program in a folder until it ends, and hand on each line that it writes.

    `tick` is called several times a second. What it or `on_line` raises ends the program with all its children, and
    goes on. `environment` is added to ours, which is handed on without its secrets. Raises `UpstreamTimeoutError` after
    `seconds` of running, `UnavailableError` where the program can't be started.
    """
    try:
        process = subprocess.Popen(
            list(argv), cwd=folder, env=_environment(environment or {}), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise UnavailableError(f"{argv[0]} can't be started: {error.strerror}.", code="not_startable") from error
    output = _Output(on_line)
    try:
        _reaper.watch(process.pid)
        if not _follow(process, output, tick, time.monotonic() + seconds):
            raise UpstreamTimeoutError(
                f"{Path(argv[0]).name} did not get done within {_duration(seconds)} and was stopped. Try again later.",
                code="download_timeout",
            )
        return Ended(process.returncode, output.tail)
    finally:
        _end(process)
        _reaper.forget(process.pid)


def _follow(process: subprocess.Popen[bytes], output: _Output, tick: Callable[[], None], deadline: float) -> bool:
    """Read what the program says until it has ended; False where the deadline came first."""
    pipe = cast("IO[bytes]", process.stdout).fileno()
    open_, next_tick = True, 0.0
    while True:
        now = time.monotonic()
        if now >= next_tick:
            next_tick = now + TICK_SECONDS
            tick()
            if now >= deadline:
                return False
        ended = process.poll() is not None
        if ended:
            _signal(process.pid, signal.SIGKILL)  # what it left running, and what would hold the pipe open
        if open_ and _readable(pipe, 0 if ended else TICK_SECONDS):
            chunk = os.read(pipe, 65536)
            output.add(chunk)
            open_ = bool(chunk)
        elif ended:
            output.close()
            return True
        elif not open_:
            _wait(process, TICK_SECONDS)


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and whatever it left running in its group."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        _wait(process, GRACE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    process.wait()
    cast("IO[bytes]", process.stdout).close()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _OURS and not _SECRET.search(name)}
    # Deno is beside Python: yt-dlp and spotDL run YouTube's JavaScript with it.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**ours, **_PLAIN_OUTPUT, "PATH": path, **extra}


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} minute{'' if seconds == 60 else 's'}"


class _Output:
    """Makes lines of the bytes of a pipe and hands them on; a carriage return ends one, as progress bars have it."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.tail = ""
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = ""

    def add(self, chunk: bytes) -> None:
        """Hand on the lines that end in these bytes."""
        *whole, begun = re.split(r"[\r\n]", self._begun + self._decoder.decode(chunk))
        self._begun = begun[:LINE_LENGTH]
        for line in whole:
            self._tell(line)

    def close(self) -> None:
        """Hand on the line that was begun."""
        self._tell(self._begun + self._decoder.decode(b"", final=True))

    def _tell(self, line: str) -> None:
        if text := one_line(line)[:LINE_LENGTH]:
            self.tail = f"{self.tail}{text}\n"[-TAIL_LENGTH:]
            self._on_line(text)


class _Reaper:
    """The process that ends our programs where we are killed: one for all of them, started with the first."""

    def __init__(self) -> None:
        self.forget_all()

    def forget_all(self) -> None:
        """Begin anew: in a process that was forked, the programs and the reaper are its parent's."""
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """Have a process group killed if we are."""
        with self._lock:
            self._groups.add(group)
            self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Say that a process group has ended."""
        with self._lock:
            self._groups.discard(group)
            self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        if self._process is not None:
            with suppress(BrokenPipeError):
                _write(self._process, line)
                return
            self._process.wait()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_REAPER)], cwd="/", env=_environment({}), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True,
        )  # fmt: skip
        _write(self._process, "".join(f"+{group}\n" for group in self._groups))


def _write(process: subprocess.Popen[bytes], text: str) -> None:
    cast("IO[bytes]", process.stdin).write(text.encode())


_reaper = _Reaper()
os.register_at_fork(after_in_child=_reaper.forget_all)
