"""`soundforge backup` and `soundforge restore`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sfwidgets.answers import print_json, say
from sfwidgets.cli_options import AsJson, Library, settings_of
from sfwidgets.errors import NotFoundError

MOST_NAMED = 10
"""How many files a warning names."""


def backup(
    file: Annotated[Path, typer.Argument(help="Where the backup goes, a tar file.", show_default=False)],
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Back up the library, all owners' rows and files, while it is in use."""
    from sfwidgets.library import Shared
    from sfwidgets.library.backup import back_up

    settings = settings_of(library)
    if settings.database_url is None and not settings.sqlite_file.exists():
        raise NotFoundError(
            f"There is no library in {settings.library} to back up. Check AUDIO_DATA_PATH or --library, and DATABASE_URL.",
            code="no_library",
        )
    shared = Shared(settings)
    try:
        with _bar("Backing up") as progress:
            made = back_up(shared.database, shared.store, file.expanduser().absolute(), progress)
    finally:
        shared.close()
    _warn(made.missing, "The library has lost files; their tracks are backed up without them")
    _warn(made.damaged, "Audio that is not what was once added; it is backed up as it is")
    deleted = f" What was deleted meanwhile is not in it ({made.deleted})." if made.deleted else ""
    say(
        as_json,
        f"{made.path}: {made.tracks} tracks, {made.files} files, {made.path.stat().st_size / 1e6:.1f} MB.{deleted}",
    )
    if as_json:
        print_json(
            {
                "path": str(made.path), "tracks": made.tracks, "files": made.files, "size": made.path.stat().st_size,
                "deleted": made.deleted, "missing": made.missing, "damaged": made.damaged,
            }
        )  # fmt: skip


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `soundforge backup` made.", show_default=False)],
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Restore a backup into an empty library; jobs that had not ended are queued anew."""
    from sfwidgets.library import Shared
    from sfwidgets.library.restore import restore as put_back

    settings = settings_of(library)
    shared = Shared(settings)
    try:
        with _bar("Restoring") as progress:
            done = put_back(shared.database, shared.store, file.expanduser().absolute(), progress)
    finally:
        shared.close()
    if done.missing:
        typer.echo(f"{done.missing} files were lost before this backup was made.", err=True)
    queued = f" {done.jobs} jobs are queued, and begin when the library is next used." if done.jobs else ""
    say(as_json, f"{settings.library}: {done.tracks} tracks, {done.files} files.{queued}")
    if as_json:
        print_json(
            {
                "library": str(settings.library), "tracks": done.tracks, "files": done.files, "jobs": done.jobs,
                "missing": done.missing,
            }
        )  # fmt: skip


def _warn(names: list[str], what: str) -> None:
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        typer.echo(f"{what}: {', '.join(names[:MOST_NAMED])}{more}", err=True)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many bytes are done."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
