"""The ffmpeg program: which one is used, and the one call that turns what was fetched into what is kept.

It runs as a process only: the binary in the wheel `imageio-ffmpeg` is under the GPL, which binds what is linked with it.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sfwidgets.audio import probe
from sfwidgets.errors import DiskFullError, UnavailableError, UpstreamError
from sfwidgets.models import AudioInfo, Bitrate, DownloadFormat, one_line
from sfwidgets.sources.artwork import Picture
from sfwidgets.sources.process import run

log = logging.getLogger(__name__)

_CODECS: dict[DownloadFormat, tuple[str, list[str]]] = {
    "opus": ("opus", ["-c:a", "libopus", "-b:a", "160k"]),
    "m4a": ("aac", ["-c:a", "aac", "-b:a", "192k"]),
    "mp3": ("mp3", ["-c:a", "libmp3lame", "-b:a", "256k"]),
    "ogg": ("vorbis", ["-c:a", "libvorbis", "-b:a", "192k"]),
    "flac": ("flac", ["-c:a", "flac", "-sample_fmt", "s16"]),
    "wav": ("pcm_s16le", ["-c:a", "pcm_s16le"]),
}
"""The codec that each format holds, as `probe` names it, and how it is made at bit rate `auto`: a little above what
YouTube sends, so that the second coding costs little."""

_MUXERS: dict[DownloadFormat, str] = {"m4a": "ipod"}
"""FFmpeg's names of the formats that it calls otherwise."""

_PICTURES = {"image/jpeg": "jpeg_pipe", "image/png": "png_pipe"}

_SPECIAL = re.compile(r"[=;#\\\n]")


def program() -> Path:
    """Return the ffmpeg to use: the system's where there is one, else the one in the wheel `imageio-ffmpeg`.

    Raises `UnavailableError` (`no_ffmpeg`) where there is neither.
    """
    found = shutil.which("ffmpeg")
    if found is not None:
        return Path(found)
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return Path(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise UnavailableError(
            "There is no ffmpeg here, which downloads are converted with. Install it with `pip install imageio-ffmpeg`.",
            code="no_ffmpeg",
        ) from error


def convert(
    source: Path,
    target: Path,
    *,
    format: DownloadFormat,
    bitrate: Bitrate,
    tags: Mapping[str, str],
    picture: Picture | None,
    progress: Callable[[float], None],
    seconds: float,
) -> None:
    """Write the source's first audio stream to `target`, with these tags and this cover instead of its own.

    At bit rate `auto` audio that fits the format is copied as it is. `tags` are any of title, artist, album, date and
    isrc; M4A and WAV have no place for the last, WAV none for a picture. `progress` is told the share done, 0 to 1,
    at least four times a second, and may raise to stop it. What is needed beside is written to `target`'s folder.

    Raises `AudioError` where the source is not audio, `DiskFullError`, `UpstreamError` (`download_failed`) where it can't
    be converted, `UpstreamTimeoutError` after `seconds`, `UnavailableError` (`no_ffmpeg`).
    """
    info = probe(source)
    described = target.with_suffix(".ffmetadata")
    described.write_text(_metadata(format, tags, picture), encoding="utf-8")
    pictured = target.with_suffix(".picture")
    attached = picture is not None and format in ("mp3", "m4a", "flac")
    argv = [str(program()), "-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-progress", "pipe:1", "-y"]
    # The container is named, so that a file can't be a playlist that has ffmpeg read others.
    argv += ["-protocol_whitelist", "file", "-f", info.container, "-i", source.name]
    argv += ["-f", "ffmetadata", "-i", described.name]
    if picture is not None and attached:
        pictured.write_bytes(picture.data)
        argv += ["-f", _PICTURES[picture.mime], "-i", pictured.name]
    argv += ["-map", "0:a:0", "-map_metadata", "1", "-map_metadata:s:a", "-1", "-map_chapters", "-1"]
    if attached:
        argv += ["-map", "2:v:0", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    argv += [*_coding(format, bitrate, info), "-f", _MUXERS.get(format, format), target.name]

    done = 0.0

    def on_line(line: str) -> None:
        nonlocal done
        name, _, value = line.partition("=")
        if name == "out_time_us" and value.isdigit():
            done = min(int(value) / 1e6 / info.duration, 1.0)

    ended = run(argv, folder=target.parent, on_line=on_line, tick=lambda: progress(done), seconds=seconds)
    if ended.returncode == 0:
        return
    if "No space left on device" in ended.tail:
        raise DiskFullError(f"There is no room left to write in {target.parent}: free some space and try again.")
    log.error("ffmpeg failed (%d): %s", ended.returncode, ended.tail)
    raise UpstreamError(
        f"The audio that was fetched can't be converted to {format}. Try again, or choose another format.",
        code="download_failed",
    )


def _coding(format: DownloadFormat, bitrate: Bitrate, info: AudioInfo) -> list[str]:
    held, making = _CODECS[format]
    if bitrate == "auto" and info.codec == held:
        return ["-c:a", "copy"]
    if "-b:a" not in making:
        return making
    # Not every codec has every bit rate for other rates and channels than these.
    rate = 44_100 if info.sample_rate == 44_100 and format != "opus" else 48_000
    return [*making, *(() if bitrate == "auto" else ("-b:a", bitrate)), "-ac", "2", "-ar", str(rate)]


def _metadata(format: DownloadFormat, tags: Mapping[str, str], picture: Picture | None) -> str:
    """Return FFmpeg's metadata file: an argument may not be as long as a picture is."""
    said = {name: one_line(value) for name, value in tags.items()}
    isrc = said.pop("isrc", "")
    if format == "mp3":
        said["TSRC"] = isrc
    elif format in ("opus", "ogg", "flac"):
        said["isrc"] = isrc
    if picture is not None and format in ("opus", "ogg"):
        said["METADATA_BLOCK_PICTURE"] = picture.flac_block()
    lines = (f"{name}={_SPECIAL.sub(lambda found: chr(92) + found[0], value)}" for name, value in said.items() if value)
    return "\n".join((";FFMETADATA1", *lines, ""))
