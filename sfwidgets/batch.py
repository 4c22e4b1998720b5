"""The pipeline notebook over files: papermill, one executed notebook and one report a track, and a summary."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sfwidgets.audio import writable_folder, write_whole
from sfwidgets.errors import SoundForgeError
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

RESULT = "result.json"
"""Written last, so that a track's folder which holds it is complete."""


@dataclass(frozen=True)
class Row:
    """One line of the summary."""

    input: str
    folder: str
    ok: bool
    model: str = ""
    duration: float | None = None
    bpm: int | None = None
    key: str | None = None
    loudness: float | None = None
    seconds: float | None = None
    error: str = ""


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

    A file that fails becomes a row with its sentence, and the others go on. Writes `summary.csv` in `out`.
    """
    writable_folder(out)
    rows = []
    for number, file in enumerate(files, 1):
        say(f"[{number}/{len(files)}] {file.name}")
        rows.append(_run_one(file, out, parameters, library, say))
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
    _write_report(executed, out / "report.html")
    measured = json.loads((out / "pipeline.json").read_text())
    (out / "pipeline.json").unlink()
    result = {"fingerprint": _fingerprint(audio, parameters), **measured}
    write_whole(out / RESULT, json.dumps(result, indent=2, ensure_ascii=False).encode())
    return result


def _run_one(
    file: Path, out: Path, parameters: dict[str, Any], library: Path | None, say: Callable[[str], None]
) -> Row:
    folder = out / _folder_name(file)
    try:
        result = _finished(file, folder, parameters)
        if result is not None:
            say("  finished before")
        else:
            result = run_pipeline(file, folder, parameters=parameters, library=library)
    except SoundForgeError as error:
        say(f"  {error.message}")
        return Row(input=str(file), folder=folder.name, ok=False, error=error.message)
    analysis = result["analysis"]
    return Row(
        input=str(file), folder=folder.name, ok=True, model=result["model"], seconds=result["seconds"],
        **{name: analysis[name] for name in ("duration", "bpm", "key", "loudness")},
    )  # fmt: skip


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

    said = json.dumps([audio_files.content_hash(file), parameters], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _write_report(notebook: Path, target: Path) -> None:
    from nbconvert import HTMLExporter

    # Nothing is fetched from outside: the report has no formulas, and no widgets that need require.js.
    exporter = HTMLExporter(
        exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True, embed_images=True,
        mathjax_url="", require_js_url="", mermaid_js_url="",
    )  # fmt: skip
    page, _resources = exporter.from_filename(str(notebook))
    write_whole(target, page.encode())


def _summarise(rows: list[Row], out: Path) -> None:
    temporary = out / ".summary.csv.part"
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    temporary.replace(out / "summary.csv")


@contextmanager
def _progress(library: Path | None) -> Iterator[None]:
    """Show, on a terminal, how far the jobs are that the notebook asks for."""
    import sys

    from tqdm import tqdm

    over = threading.Event()
    began = time.time()
    layout = "  {desc:<24}{percentage:3.0f}% |{bar}| {elapsed}"

    def draw(bar: tqdm[Any], label: str, percent: int) -> None:
        if (label, percent) != (bar.desc, bar.n):
            bar.set_description_str(label, refresh=False)
            bar.n = percent
            bar.refresh()

    def show() -> None:
        with Workbench(library) as wb, tqdm(total=100, bar_format=layout, file=sys.stderr) as bar:
            while not over.wait(0.25):
                for handle in wb.jobs(limit=1):
                    job = handle.value
                    if job.created_at.timestamp() >= began:
                        draw(bar, job.stage or f"{job.kind} {job.status}", job.progress)

    thread = threading.Thread(target=show, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
