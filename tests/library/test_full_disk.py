"""A disk that is full: new work is turned away with a sentence, and what is finished stays as it was."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sfwidgets import Workbench
from sfwidgets.errors import DiskFullError
from sfwidgets.jobs.worker import _work

MB = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_takes_no_new_job(
    small_disk: Path, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDFORGE_SPARE_MB", "8")
    with Workbench(small_disk / "library") as wb:
        track = wb.add(song(2))
        content = song(2).read_bytes()
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 17 * MB)
        for ask in (lambda: wb.separate(track, "embedded"), lambda: wb.analyze(track)):
            with pytest.raises(DiskFullError, match="Make room, then try again"):
                ask()
        assert wb.jobs() == []
        assert not (wb.settings.library / "run" / "cluster.json").exists(), "no workers were started in vain"
        assert wb.path(track).read_bytes() == content
        filler.unlink()
        wb._shared.store.check_room()


def test_work_that_was_asked_for_before_begins_on_no_full_disk(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    monkeypatch.setitem(__import__("sfwidgets.jobs.work", fromlist=["KINDS"]).KINDS, "analysis", begun.append)
    attempt = cast("Any", SimpleNamespace(library=wb._library, job=SimpleNamespace(kind="analysis")))
    _work(attempt)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=400 * 10**6))
    with pytest.raises(DiskFullError):
        _work(attempt)
    assert begun == [attempt]
