"""The pipeline notebook over files: papermill, one executed notebook and one report a track, a summary and an index."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfwidgets.audio import writable_folder, write_whole
from sfwidgets.errors import SoundForgeError
from sfwidgets.report import Row, write_index, write_table
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

RESULT = "result.json"
"""Written last, so that a track's folder which holds it is complete."""


def pipeline_notebook() -> Path:
    """Return the pipeline notebook: the checkout's, or the one in the installed package."""
    here = Path(__file__).parent
    for candidate in (here.parent / "notebooks" / "pipeline.ipynb", here / "notebooks" / "pipeline.ipynb"):
        if candidate.exists():
            return candidate
    raise SoundForgeError("The pipeline notebook is not part of this installation. Install the package again.")


def run_batch(
    files: list[Path],
    out: Path,
    *,
    parameters: dict[str, Any],
    library: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> list[Row]:
    """Run the pipeline over files; a track that was finished with the same parameters before is not run again.

    A file that fails becomes a row with its sentence, and the others go on. Leaves in `out` a folder for each file,
    `summary.csv` and the page `index.html`, both written anew after every file: they are right whenever it stops.
    """
    writable_folder(out)
    rows = [_before(file, out, parameters) for file in files]
    _summarise(rows, out)
    for number, file in enumerate(files):
        say(f"[{number + 1}/{len(files)}] {file.name}")
        if not rows[number].ok:
            rows[number] = _before(file, out, parameters)  # the same file may have been given twice
        if rows[number].ok:
            say("  finished before")
        else:
            rows[number] = _run_one(file, out, parameters, library, say)
            _summarise(rows, out)
    return rows


def run_pipeline(audio: Path, out: Path, *, parameters: dict[str, Any], library: Path | None = None) -> dict[str, Any]:
    """Run the pipeline notebook on one file; returns what it found.

    Leaves in `out`: `stems/`, `analysis.json`, `notebook.ipynb` (executed), `report.html`, and at last `result.json`.
    Raises `SoundForgeError` with the sentence of what failed in the notebook.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from sfwidgets import audio as audio_files

    audio_files.probe(audio)
    writable_folder(out)
    (out / RESULT).unlink(missing_ok=True)
    given = {
        "audio": str(audio.absolute()), "out": str(out.absolute()),
        "library": None if library is None else str(library.absolute()), **parameters,
    }  # fmt: skip
    executed = out / "notebook.ipynb"
    try:
        with _progress(library):
            papermill.execute_notebook(
                pipeline_notebook(),
                executed,
                parameters=given,
                progress_bar=False,
                log_output=False,
                cwd=str(out),
                extra_arguments=["--log-level=ERROR"],
            )
    except PapermillExecutionError as error:
        raise SoundForgeError(
            f"{error.evalue or error.ename} The notebook {executed} shows where.", code="pipeline_failed"
        ) from None
    measured = json.loads((out / "pipeline.json").read_text())
    (out / "pipeline.json").unlink()
    result = {"fingerprint": _fingerprint(audio, parameters), **measured}
    write_whole(out / RESULT, json.dumps(result, indent=2, ensure_ascii=False).encode())
    return result


def _before(file: Path, out: Path, parameters: dict[str, Any]) -> Row:
    """Return what an earlier run made of a file, if it had these parameters."""
    folder = out / _folder_name(file)
    result = _finished(file, folder, parameters)
    return Row(input=str(file), folder=folder.name) if result is None else _row(file, folder, result)


def _run_one(
    file: Path, out: Path, parameters: dict[str, Any], library: Path | None, say: Callable[[str], None]
) -> Row:
    folder = out / _folder_name(file)
    began = time.monotonic()
    try:
        result = run_pipeline(file, folder, parameters=parameters, library=library)
    except SoundForgeError as error:
        say(f"  {error.message}")
        return Row(input=str(file), folder=folder.name, ok=False, error=error.message)
    say(f"  done in {time.monotonic() - began:.0f} s: {folder / 'report.html'}")
    return _row(file, folder, result)


def _row(file: Path, folder: Path, result: dict[str, Any]) -> Row:
    analysis = result["analysis"]
    return Row(
        input=str(file), folder=folder.name, ok=True,
        **{name: result[name] for name in ("title", "artist", "model", "seconds")},
        **{name: analysis[name] for name in ("duration", "bpm", "key", "loudness")},
    )  # fmt: skip


def _summarise(rows: list[Row], out: Path) -> None:
    write_table(rows, out / "summary.csv")
    write_index(rows, out / "index.html")


def folder_name(file: Path) -> str:
    """Return a name for the folder of what is made of a file: the file's own, where that may name a folder."""
    name = file.stem.removesuffix(".stem").strip(". ")
    return name.encode(errors="surrogateescape")[:150].decode(errors="ignore") or "track"


def _folder_name(file: Path) -> str:
    """Return a name that two files of the same name in different folders do not share."""
    path = str(file.absolute()).encode(errors="surrogateescape")
    return f"{folder_name(file)}-{hashlib.sha256(path).hexdigest()[:6]}"


def _finished(file: Path, folder: Path, parameters: dict[str, Any]) -> dict[str, Any] | None:
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text())
    except (OSError, json.JSONDecodeError):
        return None
    whole = all((folder / name).exists() for name in ("stems", "analysis.json", "notebook.ipynb", "report.html"))
    same = file.is_file() and result.get("fingerprint") == _fingerprint(file, parameters)
    return result if whole and same else None


def _fingerprint(file: Path, parameters: dict[str, Any]) -> str:
    from sfwidgets import audio as audio_files

    notebook = hashlib.sha256(pipeline_notebook().read_bytes()).hexdigest()
    said = json.dumps([audio_files.content_hash(file), notebook, parameters], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


@contextmanager
def _progress(library: Path | None) -> Iterator[None]:
    """Show, on a terminal, what the notebook is at: the jobs that it asks for, and what it does between them."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    over = threading.Event()
    began = time.time()
    columns = (TextColumn("  {task.description:<24}"), BarColumn(32), TaskProgressColumn(), TimeElapsedColumn())

    def follow(shown: Progress) -> None:
        line = shown.add_task("Starting", total=None)
        with Workbench(library) as wb:
            while not over.wait(0.25):
                newest = [handle.value for handle in wb.jobs(limit=1)]
                for job in newest:
                    if job.created_at.timestamp() < began:
                        continue
                    if job.done:
                        shown.update(line, description=_AFTERWARDS.get(job.kind, "Going on"), total=None)
                    else:
                        stage = job.stage or "Waiting for a worker"
                        shown.update(
                            line, description=stage, completed=job.progress, total=100 if job.progress else None
                        )

    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as shown:
        thread = threading.Thread(target=follow, args=(shown,), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


_AFTERWARDS = {"processing": "Writing the stems", "analysis": "Writing the report"}
"""What the notebook does once a job of that kind is done."""
