"""spotDL, run as a program: it pins what conflicts with ours, so `make setup` gives it an environment of its own."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sfwidgets.audio import full_disk_is_told
from sfwidgets.errors import InvalidInputError, NotFoundError, SoundForgeError, UnavailableError, UpstreamError
from sfwidgets.models import Bitrate, DownloadFormat, SourceList, SourceTrack
from sfwidgets.settings import Settings
from sfwidgets.sources import ffmpeg, process
from sfwidgets.sources.links import SpotifyLink, parse_link
from sfwidgets.sources.process import Turn
from sfwidgets.sources.spotdl_output import CONVERTING, DOWNLOADING, Output
from sfwidgets.sources.spotdl_songs import song, source_list

Progress = Callable[[float, str], None]
"""Told the share done, 0 to 1, and the stage; what it raises ends the work."""

_BYTES_A_SECOND = 17_000
"""Of what YouTube sends, about: how far a download is, is reckoned with it."""
_NOT_THERE = re.compile(
    "not available or not accessible|no longer exists|http status: 404|passed correct|Wrong playlist"
)


def program(settings: Settings) -> Path | None:
    """Return the spotDL that is used: the configured one, the one of `make setup`, or the one on the path; else None."""
    ours = Path(sys.prefix, "spotdl", "bin", "spotdl")
    found = shutil.which(settings.spotdl or ours)
    if found is None and settings.spotdl is None:
        found = shutil.which("spotdl")
    return None if found is None else Path(found).absolute()


def version(settings: Settings) -> str:
    """Return spotDL's version, as it says itself; raises `UnavailableError` where it is not there or does not start."""
    with _place() as place:
        said = _run(settings, ["--version"], place, lambda _: None, lambda: None, seconds=60).tail.strip()
    if re.fullmatch(r"\d+(\.\w+)+", said) is None:
        raise UnavailableError(
            f"spotDL does not start, it says: {said[-200:]} Install it anew: make setup.", code="no_spotdl"
        )
    return said


def download(
    url: str,
    folder: Path,
    settings: Settings,
    *,
    format: DownloadFormat,
    bitrate: Bitrate,
    audio: str,
    progress: Progress,
    seconds: float,
    track: SourceTrack | None = None,
    turn: Turn = nullcontext,
) -> Path:
    """Get one track into a folder, with tags and cover; returns the file, the only thing that is left there.

    `turn` makes what is held while the program runs.

    `audio` is where spotDL looks: youtube-music, youtube, soundcloud, bandcamp or piped. It asks Spotify for what `track`
    says, where that is not given. `progress` is told several times a second. At bit rate `auto` opus and m4a keep what
    is offered.

    Raises
    ------
    InvalidInputError
        For what is no link to a track.
    SlowDownError, UpstreamError, UpstreamTimeoutError
        Where somebody wants a pause, where it failed (`no_match`, `no_network`, `download_failed`), after `seconds`.
    DiskFullError, UnavailableError
        Where there is no room, or no spotDL (`no_spotdl`).
    """
    link = parse_link(url)
    if link.kind != "track":
        raise InvalidInputError(
            "That is no link to a track. Fetch the list, and download its tracks.", code="invalid_url"
        )
    output = Output()
    with _place(folder) as place:
        made = place / f"audio.{format}"
        known = None if track is None else song(track)
        if known is not None:
            (place / "song.spotdl").write_text(json.dumps([known]), encoding="utf-8")
        arguments = [
            "download", link.url if known is None else "song.spotdl",
            "--audio", audio,
            "--format", format,
            "--bitrate", bitrate,
            "--output", "audio.{output-ext}",
            "--overwrite", "force",
            "--threads", "1",
            *_common(),
        ]  # fmt: skip
        with turn():
            _run(
                settings, arguments, place, output.read, lambda: progress(*_state(output, place, made, track)), seconds
            )
        if output.downloaded and made.is_file():
            return made.rename(folder / made.name)
        raise output.error(audio=audio, more=_left_behind(place))


def save(link: SpotifyLink, settings: Settings, waiting: Callable[[str], None] = lambda _: None) -> SourceList:
    """Return what a link leads to, as spotDL knows it without credentials; of an artist, all that is out.

    `waiting` is told a sentence several times a second; what it raises ends that. Raises `NotFoundError`
    (`not_on_spotify`), and what `download` raises.
    """
    output = Output()

    def tick() -> None:
        name = "" if output.name is None else f" “{output.name}”, {output.listed} songs,"
        waiting(f"Spotify asks to wait {output.wait:.0f} s" if output.wait else f"Reading the list{name} with spotDL")

    with _place() as place:
        saved = place / "list.spotdl"
        # The provider is not asked anything, but has to be one that asks nothing when it is made.
        argv = ["save", link.url, "--save-file", saved.name, "--audio", "youtube", "--threads", "4", *_common()]
        _run(settings, argv, place, output.read, tick, settings.download_minutes * 60)
        if not saved.is_file():
            raise _not_saved(link, output)
        songs = _read(saved)
    missing = output.missing_error()
    if missing is not None:
        raise missing
    if link.kind == "track" and not songs:
        raise _not_saved(link, output)
    return source_list(link, songs, name=output.name, listed=output.listed)


def _common() -> list[str]:
    return [
        "--lyrics",  # none: they would be asked for from others
        "--simple-tui",
        "--print-errors",
        "--log-level", "DEBUG",
        "--log-format", "%(message)s",
        "--ffmpeg", str(ffmpeg.program()),
    ]  # fmt: skip


def _run(
    settings: Settings,
    arguments: list[str],
    place: Path,
    on_line: Callable[[str], None],
    tick: Callable[[], None],
    seconds: float,
) -> process.Ended:
    found = program(settings)
    if found is None:
        missing = "is not installed" if settings.spotdl is None else f"is not at {settings.spotdl} (SOUNDFORGE_SPOTDL)"
        raise UnavailableError(f"spotDL {missing}: make setup installs it.", code="no_spotdl")
    # Its own home: no one's configuration changes what it does, and nothing of it stays.
    environment = {
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place / ".config"),
        "XDG_CACHE_HOME": str(place / ".cache"),
        "TMPDIR": str(place),
    }
    argv = [str(found), *arguments]
    return process.run(argv, folder=place, on_line=on_line, tick=tick, seconds=seconds, environment=environment)


@contextmanager
def _place(folder: Path | None = None) -> Iterator[Path]:
    """Yield a folder to be spotDL's home, gone afterwards: in `folder`, or among the temporary ones."""
    with TemporaryDirectory(prefix="spotdl-", dir=folder, ignore_cleanup_errors=True) as name:
        place = Path(name)
        with full_disk_is_told(place):
            (place / ".spotdl").mkdir()
            (place / ".spotdl" / "config.json").write_text("{}")  # else it writes one
            yield place


def _state(output: Output, place: Path, made: Path, track: SourceTrack | None) -> tuple[float, str]:
    """Return the share done and the stage: spotDL says when it begins to download, and then nothing until it tags."""
    if output.stage != DOWNLOADING:
        return output.share, output.stage
    if made.exists():
        return 0.8, CONVERTING
    if track is None or not track.duration:
        return output.share, DOWNLOADING
    fetched = 0
    with suppress(FileNotFoundError):  # it is renamed when it is whole
        fetched = sum(file.stat().st_size for file in (place / ".spotdl" / "temp").glob("*.part"))
    return output.share + 0.5 * min(1.0, fetched / (track.duration * _BYTES_A_SECOND)), DOWNLOADING


def _read(saved: Path) -> Any:
    try:
        return json.loads(saved.read_bytes())
    except ValueError as error:
        raise UpstreamError("What spotDL saved of the list can't be read. Try again.") from error


def _left_behind(place: Path) -> str:
    """Return the last that ffmpeg said, which spotDL writes to a file."""
    reports = (place / ".spotdl" / "errors").glob("*.txt")
    return "\n".join(report.read_text(encoding="utf-8", errors="replace")[-2000:] for report in reports)


def _not_saved(link: SpotifyLink, output: Output) -> SoundForgeError:
    error = output.error()
    if isinstance(error, UpstreamError) and error.code == "download_failed":
        if _NOT_THERE.search(output.complaints):
            return NotFoundError(
                f"Spotify has no {link.kind} with that link: it is gone, or private.", code="not_on_spotify"
            )
        return UpstreamError(f"The {link.kind} could not be read. {error.message}")
    return error
