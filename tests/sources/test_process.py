"""Programs run by us: what of theirs reaches us, what of ours reaches them, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from sfwidgets.errors import JobCancelledError, UnavailableError, UpstreamTimeoutError
from sfwidgets.sources import process

HOSTILE = ("$(touch bad)", "`touch bad`", "; touch bad", "a b\tc", "'\"", "\n", "*", "--flag", "é🎵", "")
ENDLESS = "sleep 1000 & echo $!; wait"
"""A program with a child, whose number it tells."""


def run(script: str, folder: Path, *arguments: str, seconds: float = 60, **options: object) -> list[str]:
    """Run a shell script, and return the lines that it wrote."""
    lines: list[str] = []
    given: dict[str, object] = {"on_line": lines.append, "tick": lambda: None, **options}
    process.run(["sh", "-c", script, "sh", *arguments], folder=folder, seconds=seconds, **given)  # type: ignore[arg-type]
    return lines


def is_running(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_lines_end_at_line_feeds_and_carriage_returns_and_come_from_both_outputs(tmp_path: Path) -> None:
    lines = run(r"printf 'one\ntwo\r\nthree\rfour'; sleep 0.05; printf '\n\n five\tsix\033[1m' >&2", tmp_path)
    assert lines == ["one", "two", "three", "four", "five six [1m"]


def test_bytes_that_are_no_text_and_endless_lines_are_taken(tmp_path: Path) -> None:
    assert run(r"printf '\377\303'; sleep 0.05; printf '\251\n'", tmp_path) == ["�é"]
    (line,) = run("yes a | head -c 300000 | tr '\\n' b; echo end", tmp_path)
    assert line.startswith("abab")
    assert len(line) == process.LINE_LENGTH


def test_how_it_ended_is_told_with_the_last_that_it_said(tmp_path: Path) -> None:
    def ended(script: str) -> process.Ended:
        return process.run(["sh", "-c", script], folder=tmp_path, on_line=lambda _: None, tick=lambda: None, seconds=60)

    assert ended("echo a; echo b; exit 3") == process.Ended(3, "a\nb\n")
    assert ended("kill -9 $$").returncode == -signal.SIGKILL
    tail = ended("seq 5000").tail
    assert tail.endswith("4999\n5000\n")
    assert len(tail) == process.TAIL_LENGTH


def test_arguments_arrive_as_they_are_and_there_is_nothing_to_read(tmp_path: Path) -> None:
    lines = run('cat; pwd; for a in "$@"; do printf "<%s>" "$a" | tr "\\n\\t" NT; echo; done', tmp_path, *HOSTILE)
    assert lines == [str(tmp_path), *(f"<{a}>".replace("\n", "N").replace("\t", "T") for a in HOSTILE)]
    assert not list(tmp_path.iterdir())


def test_what_is_secret_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = (
        "SPOTIFY_CLIENT_SECRET", "DATABASE_URL", "REDIS_URL", "SUPABASE_KEY", "SUPABASE_SERVICE_KEY", "JUPYTER_TOKEN",
        "POSTGRES_PASSWORD", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "SOME_API_KEY",
    )  # fmt: skip
    for name in secrets:
        monkeypatch.setenv(name, "hush")
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "/ours")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    lines = run("env", tmp_path, environment={"HOME": "/elsewhere", "LC_ALL": "C"})
    assert not any("hush" in line or "/ours" in line for line in lines)
    assert {"HTTPS_PROXY=http://proxy:1", "HOME=/elsewhere", "LC_ALL=C", "PYTHONUNBUFFERED=1"} <= set(lines)


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    for argv in (["/nowhere/spotdl"], [str(tmp_path)]):
        with pytest.raises(UnavailableError, match="can't be started") as raised:
            process.run(argv, folder=tmp_path, on_line=print, tick=lambda: None, seconds=60)
        assert raised.value.code == "not_startable"


@pytest.mark.parametrize("from_line", [True, False], ids=["line", "tick"])
def test_what_is_raised_ends_the_program_with_its_children(tmp_path: Path, from_line: bool) -> None:
    children: list[int] = []

    def stop() -> None:
        if children:
            raise JobCancelledError("Cancelled.")

    def on_line(line: str) -> None:
        children.append(int(line))
        if from_line:
            stop()

    with pytest.raises(JobCancelledError):
        run(ENDLESS, tmp_path, on_line=on_line, tick=stop)
    until(lambda: not is_running(children[0]))


def test_after_its_time_it_is_ended_even_where_it_does_not_want_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    lines: list[str] = []
    with pytest.raises(UpstreamTimeoutError, match=r"^sh did not get done within 0\.5 s") as raised:
        run("trap '' TERM; echo $$; while :; do sleep 0.1; done", tmp_path, on_line=lines.append, seconds=0.5)
    assert raised.value.code == "download_timeout"
    assert not is_running(int(lines[0]))


@pytest.mark.parametrize("left", ["exec sleep 1000", "exec yes", "trap '' TERM; sleep 1000"])
def test_what_a_program_leaves_running_is_ended_and_not_waited_for(tmp_path: Path, left: str) -> None:
    first, *_ = run(f"(sh -c 'echo $$; {left.replace(chr(39), chr(34))}' &); sleep 0.1", tmp_path)
    until(lambda: not is_running(int(first)))


def test_a_program_that_says_no_more_is_still_waited_for(tmp_path: Path) -> None:
    run("exec >&- 2>&-; sleep 0.3; : > done", tmp_path)
    assert (tmp_path / "done").exists()


PARENT = f"""
import os, signal, sys, threading, time
from pathlib import Path
from sfwidgets.sources import process

signal.signal(signal.SIGTERM, lambda *_: None)  # an ignored one would be ignored by the reaper, too

def tell(line):
    os.write(1, f"{{line}}\\n".encode())

arguments = dict(folder=Path("/"), on_line=tell, tick=lambda: None, seconds=1000)
for _ in range(2):
    threading.Thread(target=process.run, args=(["sh", "-c", {ENDLESS!r}],), kwargs=arguments).start()
while len(process._reaper._groups) < 2:
    time.sleep(0.01)
forked = os.fork()
if not forked:
    time.sleep(1000)
tell(forked)
"""


def test_programs_die_with_us_when_we_are_killed() -> None:
    numbers: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        try:
            assert parent.stdout is not None
            numbers += [int(parent.stdout.readline()) for _ in range(3)]
            children = [number for number in numbers if os.getpgid(number) != parent.pid]
            assert len(children) == 2
            os.killpg(parent.pid, signal.SIGTERM)  # as one who ends a server does; the reaper stays
            assert all(map(is_running, numbers))
            parent.kill()
            # A process that was forked from the parent lives on, and must not hold the reaper's pipe open.
            until(lambda: not any(map(is_running, children)))
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_a_reaper_that_died_is_replaced(tmp_path: Path) -> None:
    run("true", tmp_path)
    first = process._reaper._process
    assert first is not None
    first.kill()
    first.wait()
    assert run("echo on", tmp_path) == ["on"]
    second = process._reaper._process
    assert second is not None
    assert second.pid != first.pid
    assert second.poll() is None
    assert not process._reaper._groups


def test_many_at_once_keep_apart(tmp_path: Path) -> None:
    together = threading.Barrier(32, timeout=60)

    def one(number: int) -> list[str]:
        together.wait()
        return run(f"for i in 1 2 3; do echo {number}.$i; done", tmp_path)

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(32))) == [[f"{n}.{i}" for i in (1, 2, 3)] for n in range(32)]
    assert not process._reaper._groups
