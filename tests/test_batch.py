"""Batches: a notebook and a report a track, and an index that is right whenever it stops."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from simple_song import write_song

from sfwidgets.batch import run_batch
from sfwidgets.jobs import stop_cluster
from sfwidgets.report import Row
from sfwidgets.settings import Settings

MODEL = {"model": "embedded", "format": "flac"}
LEFT = {"stems", "analysis.json", "notebook.ipynb", "report.html", "result.json"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("batch") / "library"
    yield folder
    stop_cluster(Settings(library=folder))


@pytest.fixture
def batch(library: Path, tmp_path: Path) -> Callable[..., list[Row]]:
    def run(files: list[Path], say: Callable[[str], None] = lambda _line: None) -> list[Row]:
        return run_batch(files, tmp_path / "album", parameters=MODEL, library=library, say=say)

    return run


def states(index: Path) -> dict[str, int]:
    text = index.read_text()
    return {state: text.count(f'<span class="badge">{state}</span>') for state in ("done", "failed", "waiting")}


def test_what_is_there_when_a_batch_is_stopped_is_right_and_it_goes_on(
    batch: Callable[..., list[Row]], tmp_path: Path
) -> None:
    files = [write_song(tmp_path / f"{name}.wav", 2, seed=seed) for seed, name in enumerate("abc")]
    files[2].write_text("not music")
    index, said = tmp_path / "album" / "index.html", []

    def stop_at_the_second(line: str) -> None:
        said.append(line)
        if line.startswith("[2/3]"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(files, stop_at_the_second)
    assert states(index) == {"done": 1, "failed": 0, "waiting": 2}
    rows = batch(files, said.append)
    assert [row.ok for row in rows] == [True, True, False]
    assert states(index) == {"done": 2, "failed": 1, "waiting": 0}
    assert said.count("  finished before") == 1
    with (tmp_path / "album" / "summary.csv").open() as file:
        assert [row["title"] for row in csv.DictReader(file)] == ["a", "b", ""]


def test_a_file_given_twice_is_run_once(batch: Callable[..., list[Row]], tmp_path: Path) -> None:
    file, said = write_song(tmp_path / "a.wav", 2, seed=3), []
    first, second = batch([file, file], said.append)
    assert first == second and said.count("  finished before") == 1


def test_the_demo_says_where_the_report_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sfwidgets.demo", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=240, env=os.environ,
    )  # fmt: skip
    stop_cluster(Settings(library=tmp_path / "library"))
    assert done.returncode == 0, done.stderr
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    report = Path(facts["report"])
    assert 'id="player"' in report.read_text()
    assert {path.name for path in report.parent.iterdir()} == LEFT
    assert "SDR" in facts


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_tracks_leave_fifty_notebooks_fifty_reports_and_an_index(
    batch: Callable[..., list[Row]], tmp_path: Path
) -> None:
    files = [write_song(tmp_path / f"{seed:02d}.wav", 2, seed=100 + seed) for seed in range(50)]
    rows = batch(files)
    assert all(row.ok for row in rows)
    folders = [tmp_path / "album" / row.folder for row in rows]
    assert len(set(folders)) == 50
    assert all({path.name for path in folder.iterdir()} == LEFT for folder in folders)
    assert all(json.loads((folder / "result.json").read_text())["sdr"] == {} for folder in folders)
    assert states(tmp_path / "album" / "index.html") == {"done": 50, "failed": 0, "waiting": 0}
