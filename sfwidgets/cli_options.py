"""What the commands have in common: options, and the library that they open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sfwidgets.settings import Settings
    from sfwidgets.workbench import Workbench

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else, on standard output.")]
Library = Annotated[
    Path | None, typer.Option(help="The folder to keep everything in (AUDIO_DATA_PATH).", show_default=False)
]


def settings_of(library: Path | None) -> Settings:
    """Return the settings, with that library where one is named."""
    from sfwidgets.settings import Settings

    settings = Settings()
    return settings if library is None else settings.model_copy(update={"library": library.expanduser().absolute()})


@contextmanager
def workbench(library: Path | None) -> Iterator[Workbench]:
    """Open a library for as long as a command runs."""
    from sfwidgets.workbench import Workbench

    with Workbench(settings=settings_of(library)) as wb:
        yield wb
