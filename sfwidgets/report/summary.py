"""The summary of a batch: a table for programs (CSV) and a page for people, which says what is there and what isn't."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sfwidgets.audio import write_whole
from sfwidgets.models.base import utc_now
from sfwidgets.report.facts import NOTHING, clock
from sfwidgets.report.template import TEMPLATES, write_page


@dataclass(frozen=True)
class Row:
    """One file of a batch, and what came of it."""

    input: str
    folder: str
    ok: bool | None = None
    """None: it was not run yet."""
    title: str = ""
    artist: str = ""
    model: str = ""
    duration: float | None = None
    bpm: int | None = None
    key: str | None = None
    loudness: float | None = None
    seconds: float | None = None
    """How long the separation took."""
    error: str = ""

    @property
    def status(self) -> str:
        """Done, failed or waiting."""
        return "waiting" if self.ok is None else "done" if self.ok else "failed"


def write_table(rows: Iterable[Row], file: Path) -> Path:
    """Write the files that were run into a CSV file, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Row)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows if row.ok is not None)
    return write_whole(file, text.getvalue().encode(errors="surrogateescape"))


def write_index(rows: Sequence[Row], file: Path) -> Path:
    """Write the page that lists a batch's files, whole or not at all; it links their reports beside it."""
    return write_page(
        file,
        "index.html",
        script=(TEMPLATES / "index.js").read_text(encoding="utf-8"),
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
        rows=[_shown(row, file.parent) for row in rows],
        figures=_figures(rows),
        complete=all(row.ok is not None for row in rows),
        failed=any(row.ok is False for row in rows),
        nothing=NOTHING,
        made=utc_now(),
    )


def _figures(rows: Sequence[Row]) -> dict[str, str]:
    """Return what somebody wants to know of all of them together."""
    music = sum(row.duration or 0.0 for row in rows)
    work = sum(row.seconds or 0.0 for row in rows)
    count = {status: sum(row.status == status for row in rows) for status in ("done", "failed", "waiting")}
    figures = {"Tracks": str(len(rows)), "Done": str(count["done"])}
    figures |= {status.capitalize(): str(count[status]) for status in ("failed", "waiting") if count[status]}
    figures["Music"] = clock(music)
    if work:
        figures["Separated in"] = f"{work:.1f} s" if work < 60 else clock(work)
        figures["× real time"] = f"{music / work:.1f}"
    return figures


def _shown(row: Row, out: Path) -> dict[str, Any]:
    folder = out / row.folder
    links = {name: quote(f"{row.folder}/{file}", errors="surrogateescape") for name, file in _PAGES.items()}
    return {
        **asdict(row),
        "status": row.status,
        "title": row.title or _printable(Path(row.input).name),
        "input": _printable(row.input),
        "length": NOTHING if row.duration is None else clock(row.duration),
        "report": links["report"] if row.ok else None,
        "notebook": links["notebook"] if row.ok is not None and (folder / _PAGES["notebook"]).exists() else None,
    }


_PAGES = {"report": "report.html", "notebook": "notebook.ipynb"}


def _printable(name: str) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
