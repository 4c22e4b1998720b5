"""The teaching notebooks, each run from beginning to end in a kernel of its own: what they say is what comes out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from sfwidgets.jobs import stop_cluster
from sfwidgets.settings import Settings

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSONS = sorted((NOTEBOOKS / "learn").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the notebooks' kernels take for the system's temporary one: their library is made in it."""
    folder = tmp_path_factory.mktemp("learn")
    yield folder
    stop_cluster(Settings(library=folder / "soundforge-learning"))


@pytest.fixture(scope="module")
def lesson(temporary: Path) -> Any:
    """Return what runs a lesson, once, and gives its cells."""
    ran: dict[int, Any] = {}

    def run(number: int) -> Any:
        if number not in ran:
            notebook = nbformat.read(LESSONS[number - 1], as_version=4)
            environment = {**os.environ, "TMPDIR": str(temporary), "AUDIO_DATA_PATH": str(temporary / "yours")}
            NotebookClient(notebook, timeout=120, kernel_name="python3").execute(
                env=environment, cwd=str(NOTEBOOKS / "learn")
            )
            ran[number] = notebook
        return ran[number]

    return run


def said(notebook: Any) -> str:
    """Return all text and HTML that a notebook's cells gave."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found += [output.get("text", ""), data.get("text/html", ""), data.get("text/plain", "")]
    return "\n".join(found)


def widgets(notebook: Any) -> list[str]:
    """Return the names of the bundles whose widgets a notebook shows."""
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    shown = [state[data[WIDGET]["model_id"]]["state"] for data in outputs if WIDGET in data]
    return [view["_anywidget_id"].rsplit(".", 1)[-1] for view in shown]


def test_there_are_five_lessons_and_a_table_of_contents_that_names_them() -> None:
    contents = (NOTEBOOKS / "README.md").read_text()
    assert len(LESSONS) == 5
    for path in [*LESSONS, NOTEBOOKS / "pipeline.ipynb", NOTEBOOKS / "workbench.ipynb"]:
        assert f"({path.relative_to(NOTEBOOKS)})" in contents


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_links_between_lessons_lead_somewhere(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
    assert all(link.startswith("https://") or (path.parent / link).exists() for link in links), links


def test_the_first_separation_plays_and_says_how_good_it_is(lesson: Any) -> None:
    notebook = lesson(1)
    assert widgets(notebook) == ["JobProgress", "StemPlayer"]
    assert "Stems by embedded" in said(notebook)
    assert re.search(r"<th>vocals</th><td>\d+\.\d dB", said(notebook))


def test_which_model_when_measures_what_is_here_and_says_what_is_not(lesson: Any) -> None:
    notebook = lesson(2)
    assert "SDR vocals, dB" in said(notebook) and "memory, MB" in said(notebook)
    assert "htdemucs is not on this machine, so it was not measured." in said(notebook)


def test_the_analysis_agrees_with_what_was_played_and_does_not_guess(lesson: Any) -> None:
    text = said(lesson(3))
    tempo = re.search(r"'tempo': \((\d+\.\d+),", text)
    assert tempo is not None and abs(float(tempo[1]) - 100) < 1
    assert "'key': ('A minor'" in text
    assert "(128, 64, 50.0, 1.0)" in text
    assert "tempo: None" in text
    assert widgets(lesson(3)) == ["StemPlayer", "AnalysisView"]


def test_the_karaoke_track_and_the_loop_are_files(lesson: Any, temporary: Path) -> None:
    import soundfile

    assert widgets(lesson(4)) == ["StemPlayer"]
    out = temporary / "soundforge-learning" / "Falcon 69"
    whole = soundfile.info(out / "Falcon 69 (karaoke).mp3").duration
    assert whole == pytest.approx(soundfile.info(out / "Falcon 69 (karaoke, a tone lower).mp3").duration, abs=0.1)
    assert soundfile.info(out / "Falcon 69 (loop).wav").duration == pytest.approx(4.0, abs=0.01)


def test_a_thousand_tracks_leaves_reports_and_an_index_and_goes_on_after_a_broken_file(
    lesson: Any, temporary: Path
) -> None:
    notebook = lesson(5)
    album = temporary / "soundforge-learning" / "album"
    assert (album / "index.html").exists()
    assert len(list(album.glob("*/report.html"))) == 2
    assert "can't be decoded" in said(notebook)
    assert "JobQueue" in widgets(notebook)
    assert "\nTrue\n" in said(notebook)


@pytest.mark.parametrize("number", range(1, 6))
def test_a_lesson_that_was_run_is_small_and_touches_nothing_of_the_users(
    lesson: Any, temporary: Path, number: int
) -> None:
    assert len(nbformat.writes(lesson(number))) < 1_000_000
    assert not (temporary / "yours").exists()
    assert not list((NOTEBOOKS / "learn").glob("[!1-9.]*"))
