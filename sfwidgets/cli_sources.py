"""The commands that bring audio into the library: files and folders, Spotify links, downloads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from sfwidgets.answers import ask, print_json, report, say
from sfwidgets.cli_options import AsJson, Library, workbench
from sfwidgets.errors import InvalidInputError, SlowDownError, UpstreamTimeoutError

if TYPE_CHECKING:
    from sfwidgets.jobs import JobHandle
    from sfwidgets.models import SourceList
    from sfwidgets.workbench import Workbench
    from sfwidgets.workbench.tracks import AddedFiles, Fate

Next = Literal["separate", "analyze"]

PATIENCE = 15.0
"""Seconds after which a person is told that looking something up takes long."""
LONGEST_WAIT = 900.0
"""Seconds. Whoever is asked to come back later than this gets that answer, and no wait."""


def add(
    paths: Annotated[list[Path], typer.Argument(help="Audio files and folders.", metavar="PATH…", show_default=False)],
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Add audio files to the library, and folders with all that is in them."""
    words = {"added": "added", "known": "was there", "refused": "refused"}
    counts = dict.fromkeys(words, 0)

    def told(file: Path, fate: Fate, said: str) -> None:
        counts[fate] += 1
        if fate == "refused":
            typer.echo(f"refused    {_shown(file)}: {_shown(said)}", err=True)
        else:
            say(as_json, f"{words[fate]:<9}  {_shown(file)}")

    def finish(_index: int, found: AddedFiles) -> dict[str, Any]:
        return {
            "added": [track.to_json() for track in found.added],
            "known": [track.to_json() for track in found.known],
            "refused": [{"file": _shown(file), "error": _shown(why)} for file, why in found.refused.items()],
            "failed": len(found.refused),
        }

    def summary() -> None:
        say(as_json, f"{counts['added']} added, {counts['known']} there already, {counts['refused']} refused")

    with workbench(library) as wb:
        asked = [
            ask(path, lambda p: wb.add_folder(p, told) if p.is_dir() else wb.add_files([p], told)) for path in paths
        ]
        report(paths, asked, finish, as_json, summary)


def _shown(text: Path | str) -> str:
    """Return a path, or text with one in it, as it can be printed, whatever bytes are in it."""
    return str(text).encode(errors="replace").decode()


def fetch(
    url: Annotated[
        str | None,
        typer.Argument(help="A Spotify link or URI: a track, an album, a playlist, an artist.", show_default=False),
    ] = None,
    search: Annotated[str | None, typer.Option(help="Search Spotify for this instead.", show_default=False)] = None,
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Show what a Spotify link leads to."""
    if (url is None) == (search is None):
        raise InvalidInputError("Give a Spotify link, or --search and what to look for.", code="url_required")
    with workbench(library) as wb:
        found = wb.search(search) if search is not None else _look_up(wb, str(url))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(str(found))
    width = len(str(len(found)))
    for number, track in enumerate(found.tracks, 1):
        typer.echo(f"{number:>{width}}  {track}" + ("" if track.duration is None else f"  {_clock(track.duration)}"))
    if found.left_out:
        typer.echo(f"Left out: {found.left_out} that can't be had (removed, local files, podcasts).")


def download(
    urls: Annotated[list[str], typer.Argument(help="Spotify links or URIs.", metavar="URL…", show_default=False)],
    then: Annotated[
        str,
        typer.Option(help="What to make of each track: separate, analyze, or both with a comma.", show_default=False),
    ] = "",
    format: Annotated[str, typer.Option(help="opus, m4a, mp3, flac, ogg or wav.")] = "opus",
    bitrate: Annotated[str, typer.Option(help="auto, 96k, 128k, 160k, 192k, 256k or 320k.")] = "auto",
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Download what Spotify links lead to. Only download what you have the right to.

    Run again, it downloads only what is missing.
    """
    from sfwidgets.cli_progress import follow
    from sfwidgets.models import Bitrate, DownloadFormat

    wanted = tuple(name.strip() for name in then.split(",") if name.strip())
    _check("--then", wanted, get_args(Next))
    _check("--format", [format], get_args(DownloadFormat))
    _check("--bitrate", [bitrate], get_args(Bitrate))
    options: dict[str, Any] = {"then": wanted, "format": format, "bitrate": bitrate}
    with workbench(library) as wb:

        def submit(url: str) -> tuple[SourceList, JobHandle | None]:
            found = _look_up(wb, url)
            return found, wb.download(found, **options) if found.tracks else None

        def finish(_index: int, submitted: tuple[SourceList, JobHandle | None]) -> dict[str, Any]:
            found, handle = submitted
            typer.echo(str(found), err=True)
            parts = [] if handle is None else follow(handle)
            for part in parts:
                say(as_json, f"{part.state:<9}  {part.title}" + (f": {part.error}" if part.error else ""))
            failed = sum(part.state in ("failed", "cancelled") for part in parts)
            say(as_json, _summary(len(parts), failed))
            return {
                "name": found.name, "type": found.type, "url": found.url, "leftOut": found.left_out,
                "jobId": None if handle is None else handle.id, "failed": failed,
                "tracks": [part.to_json() for part in parts],
            }  # fmt: skip

        report(urls, [ask(url, submit) for url in urls], finish, as_json)


def _look_up(wb: Workbench, url: str) -> SourceList:
    """Read what a link leads to; while that takes long, say why."""
    said = ""
    while True:
        try:
            return wb.fetch(url, patience=PATIENCE)
        except (SlowDownError, UpstreamTimeoutError) as error:
            if error.retry_after is None or error.retry_after > LONGEST_WAIT:
                raise
            if error.message != said:
                said = error.message
                typer.echo(said, err=True)
            time.sleep(max(1.0, error.retry_after))


def _clock(seconds: float) -> str:
    """Return `m:ss`, and `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _summary(total: int, failed: int) -> str:
    if not failed:
        return f"All {total} are in the library." if total != 1 else "It is in the library."
    missing = "the missing track is" if failed == 1 else f"the {failed} missing tracks are"
    return f"{total - failed} of {total} are in the library. Run the same command again: only {missing} fetched."


def _check(option: str, given: Iterable[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            raise InvalidInputError(f"{option} takes {', '.join(known)}; not {value!r}.", code="bad_option")
