"""The commands that bring audio into the library: files and folders, Spotify links, downloads."""

from __future__ import annotations

import filecmp
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from sfwidgets.answers import FAILED, WRONG, StoppedWatchingError, ask, print_json, report, say
from sfwidgets.cli_options import AsJson, Library, workbench
from sfwidgets.errors import DiskFullError, InvalidInputError, SlowDownError, SoundForgeError, UpstreamTimeoutError

if TYPE_CHECKING:
    from sfwidgets.cli_progress import Part
    from sfwidgets.jobs import JobHandle
    from sfwidgets.models import SourceList
    from sfwidgets.workbench import Workbench
    from sfwidgets.workbench.tracks import Fate

PATIENCE = 15.0
"""Seconds after which a person is told that looking something up takes long."""
LONGEST_WAIT = 900.0
"""Seconds. Whoever is asked to come back later than this gets that answer, and no wait."""
NOTHING_TO_ADD = "is_a_link", "no_audio_files"
"""Codes of what was given to `add` and leads to no file."""
NOT_OFFERED = "no_match", "unfit_download"
"""Codes of downloads that fail again when they are asked for again."""
LONGEST_NAME = 200
"""Bytes of a copy's name, without its suffix."""
_LINK = re.compile(r"https?://|spotify:[a-z]+:", re.IGNORECASE)


def add(
    paths: Annotated[list[str], typer.Argument(help="Audio files and folders.", metavar="PATH…", show_default=False)],
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Add audio files to the library, and folders with all that is in them."""
    words = {"added": "added", "known": "was there", "refused": "refused"}
    rows: list[_Row] = []
    with workbench(library) as wb:
        for row in _take(wb, paths):
            rows.append(row)
            if row.code in NOTHING_TO_ADD:
                typer.echo(row.error, err=True)
            elif row.state == "refused":
                typer.echo(f"refused    {row.file}: {row.error}", err=True)
            else:
                say(as_json, f"{words[row.state]:<9}  {row.file}")
    states = [row.state for row in rows if row.code not in NOTHING_TO_ADD]
    if states:
        counts = states.count("added"), states.count("known"), states.count("refused")
        say(as_json, "{} added, {} there already, {} refused".format(*counts))
    if as_json:
        print_json([asdict(row) for row in rows])
    if "refused" in states:
        raise typer.Exit(FAILED)
    if len(states) < len(rows):
        raise typer.Exit(WRONG)


@dataclass
class _Row:
    """What became of one file."""

    file: str
    state: Fate
    id: str | None = None
    error: str = ""
    code: str = ""


def _take(wb: Workbench, paths: Iterable[str]) -> Iterator[_Row]:
    """Add what is given, file by file; a full disk ends it."""
    from sfwidgets.models import utc_now

    begun, seen = utc_now(), set[str]()
    for file in _files(wb, paths):
        if isinstance(file, _Row):
            yield file
            continue
        try:
            track = wb.add(file)
        except (SoundForgeError, OSError) as error:
            yield _refused(file, error)
            if isinstance(error, DiskFullError):
                return
            continue
        new = track.id not in seen and track.created_at >= begun
        seen.add(track.id)
        yield _Row(_shown(file), "added" if new else "known", track.id)


def _files(wb: Workbench, paths: Iterable[str]) -> Iterator[Path | _Row]:
    """Yield the files behind what is given, and a row where there is none."""
    from sfwidgets.audio.folder import audio_files

    for given in paths:
        if _LINK.match(given):
            yield _Row(given, "refused", None, f"{given} is a link: soundforge download", "is_a_link")
        elif not Path(given).is_dir():
            yield Path(given)
        else:
            faults: list[OSError] = []
            files = audio_files(Path(given), faults.append, without=wb.settings.library)
            first = next(files, None)
            if first is not None:
                yield first
                yield from files
            elif not faults:
                yield _Row(_shown(given), "refused", None, f"No audio files in {_shown(given)}.", "no_audio_files")
            for fault in faults:
                sentence = f"The folder {fault.filename} may not be read: {fault.strerror}."
                yield _Row(_shown(fault.filename), "refused", None, _shown(sentence), "file_unreadable")


def _refused(file: Path, error: SoundForgeError | OSError) -> _Row:
    from sfwidgets.audio.folder import SUFFIXES

    if not isinstance(error, SoundForgeError):
        return _Row(_shown(file), "refused", None, _shown(f"{error}."), "file_unreadable")
    sentence = error.message
    if error.code == "audio_undecodable" and file.suffix.lower() not in SUFFIXES:
        sentence = f"{file.name} is no audio file."
    return _Row(_shown(file), "refused", None, _shown(sentence), error.code)


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
    if not found.tracks:
        typer.echo(_nothing(found))
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
    out: Annotated[
        Path | None, typer.Option(help="Copy each track there, too: Artist - Title.opus", show_default=False)
    ] = None,
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Download what Spotify links lead to. Only download what you have the right to.

    Run again, it downloads only what is missing.
    """
    from sfwidgets.audio import writable_folder
    from sfwidgets.cli_progress import follow
    from sfwidgets.models import Bitrate, DownloadFormat
    from sfwidgets.workbench.sources import Then

    wanted = tuple(name.strip() for name in then.split(",") if name.strip())
    _check("--then", wanted, get_args(Then))
    _check("--format", [format], get_args(DownloadFormat))
    _check("--bitrate", [bitrate], get_args(Bitrate))
    options: dict[str, Any] = {"then": wanted, "format": format, "bitrate": bitrate}
    if out is not None:
        writable_folder(out)
    begun: list[JobHandle] = []
    with workbench(library) as wb:

        def submit(url: str) -> tuple[SourceList, JobHandle]:
            found = _look_up(wb, url)
            if not found.tracks:
                raise InvalidInputError(_nothing(found), code="nothing_to_download")
            begun.append(wb.download(found, **options))
            return found, begun[-1]

        def finish(_index: int, submitted: tuple[SourceList, JobHandle]) -> dict[str, Any]:
            found, handle = submitted
            typer.echo(str(found), err=True)
            parts = follow(handle, wb.path)
            for part in parts:
                if out is not None and part.path is not None:
                    part.copy = str(_copy(wb, part.track_id, out))
                say(as_json, f"{part.state:<9}  {part.title}" + (f": {part.error}" if part.error else ""))
            say(as_json, _summary(parts, wb.settings.library, out))
            return {
                "name": found.name, "type": found.type, "url": found.url, "leftOut": found.left_out,
                "jobId": handle.id, "failed": sum(part.state in ("failed", "cancelled") for part in parts),
                "tracks": [part.to_json() for part in parts],
            }  # fmt: skip

        try:
            report(urls, [ask(url, submit) for url in urls], finish, as_json)
        except KeyboardInterrupt:
            running = [handle.id for handle in begun if not handle.value.done]
            if not running:
                raise
            named = [] if library is None else ["--library", str(library)]
            command = shlex.join(["soundforge", "cancel", *running, *named])
            raise StoppedWatchingError(
                f"stopped watching. The download goes on: the same command follows it again, `{command}` ends it."
            ) from None


def _copy(wb: Workbench, track_id: str, folder: Path) -> Path:
    """Copy a track's audio, named after the track, with a number where that is taken; a copy that is there stays."""
    from sfwidgets.audio import copy_whole
    from sfwidgets.models import fit_for_file_names

    track, source = wb.track(track_id), wb.path(track_id)
    whole = fit_for_file_names(" - ".join(filter(None, (track.artist, track.title)))) or track.id
    name = whole.encode(errors="replace")[:LONGEST_NAME].decode(errors="ignore")
    target, number = folder / f"{name}{source.suffix}", 1
    while target.exists():
        if target.is_file() and filecmp.cmp(source, target, shallow=False):
            return target
        number += 1
        target = folder / f"{name} ({number}){source.suffix}"
    copy_whole(source, target)
    return target


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


def _nothing(found: SourceList) -> str:
    name = found.name or "this list"
    if not found.left_out:
        return f"There is nothing to download in {name}: it is empty."
    return f"There is nothing to download in {name}: {found.left_out} left out (removed, local files, podcasts)."


def _summary(parts: Sequence[Part], library: Path, out: Path | None) -> str:
    """Return where the tracks are, and what to do about those that are missing."""
    total, missing = len(parts), sum(part.path is None for part in parts)
    there = f"{total - missing} of {total} are" if missing else ("It is" if total == 1 else f"All {total} are")
    said = [f"{there} in the library, {library}."]
    if out is not None and missing < total:
        said.append(f"Copies are in {out}.")
    not_offered = sum(part.code in NOT_OFFERED for part in parts)
    if any(part.state in ("failed", "cancelled") and part.code not in NOT_OFFERED for part in parts):
        said.append("Run the same command again: only what is missing is made.")
    if not_offered:
        which = "One is" if not_offered == 1 else f"{not_offered} are"
        said.append(f"{which} not offered anywhere as it should be: add the song as a file (`soundforge add`).")
    return " ".join(said)


def _check(option: str, given: Iterable[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            raise InvalidInputError(f"{option} takes {', '.join(known)}; not {value!r}.", code="bad_option")
