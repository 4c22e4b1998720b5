"""Audio in other forms than it is kept in: each is made once, and then kept beside what it was made of."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sfwidgets.errors import DiskFullError, NotFoundError, SoundForgeError
from sfwidgets.library.store import ArtifactStore
from sfwidgets.library.uploads import SPARE_BYTES
from sfwidgets.models import StemFormat

READ_SECONDS = 3600.0
"""How often it is noted that a file was read, at most."""


def rendition(
    store: ArtifactStore, owner: str, content_hash: str, source: Path, *, sample_rate: int, frames: int | None
) -> Path:
    """Return a file for `audio.Reader` with what `audio.decode` gives of the source at that rate, in two channels at most.

    It is the source itself where that will do, else a FLAC file beside it, which is made the first time. `frames` is how
    many there are at that rate, where it is known. Raises what `audio.decode` does, `NotFoundError` where the source is
    deleted meanwhile, and `DiskFullError`.
    """
    from sfwidgets import audio

    if audio.readable_directly(source, sample_rate=sample_rate, frames=frames):
        return source

    def make(target: Path) -> None:
        channels = min(audio.probe(source).channels, 2)
        with audio.Encoder(target, sample_rate=sample_rate, channels=channels) as encoder:
            for block in audio.decode(source, sample_rate=sample_rate, channels=channels):
                encoder.write(block)

    return _made_once(store, source, store.rendition_name(owner, content_hash, sample_rate), make)


def in_format(store: ArtifactStore, source: Path, format: StemFormat, *, make: bool = True) -> Path:
    """Return a stored file in another format, kept as `<its stem>.in.<format>` beside it, so that it goes when that goes.

    Without `make` it is returned only where it is there already; else `NotFoundError` (`not_made`) is raised. Raises what
    `audio.transcode` does, `NotFoundError` where the source is deleted meanwhile, and `DiskFullError`.
    """
    from sfwidgets import audio

    name = source.with_name(f"{source.stem}.in.{format}").relative_to(store.root)
    if not make and not store.exists(name):
        raise NotFoundError(f"This audio has not been made as {format} yet.", code="not_made")
    return _made_once(store, source, name, lambda target: audio.transcode(source, target, format=format))


def outline(store: ArtifactStore, owner: str, content_hash: str, source: Path, *, make: bool = True) -> Path:
    """Return the file of an audio file's peaks, which is drawn the first time: all of the audio is read for it.

    `make` and what is raised are as in `in_format`.
    """
    from sfwidgets import audio

    name = store.peaks_name(owner, content_hash)
    if not make and not store.exists(name):
        raise NotFoundError("The waveform has not been drawn yet.", code="not_made")

    def draw(target: Path) -> None:
        rate = audio.probe(source).sample_rate
        with audio.PeakWriter(target, sample_rate=rate) as peaks:
            for block in audio.decode(source, sample_rate=rate, channels=2):
                peaks.write(block)

    return _made_once(store, source, name, draw)


def _made_once(store: ArtifactStore, source: Path, name: Path, make: Callable[[Path], None]) -> Path:
    """Return the file of that name, which `make` writes where it is not there; others who ask meanwhile wait."""
    from sfwidgets import audio

    if store.exists(name):
        return _read_now(store.fetch(name))
    _check_room(store, source)
    kept = source.relative_to(store.root)
    try:
        with audio.full_disk_is_told(store.path(name)), store.lock(str(name)):
            if not store.exists(name):
                _make(store, name, make)
    except DiskFullError as error:
        raise DiskFullError(
            "There is no room left in the library for this file: free some space, and try again."
        ) from error
    except SoundForgeError:
        if store.exists(kept):
            raise
        raise _gone() from None
    if not store.exists(kept):
        store.remove(name)
        raise _gone()
    return store.fetch(name)


def _read_now(file: Path) -> Path:
    """Note that a file is read, which many file systems do once a day or never; what nobody reads for long may go."""
    try:
        found = file.stat()
        if time.time() - found.st_atime > READ_SECONDS:
            os.utime(file, ns=(time.time_ns(), found.st_mtime_ns))
    except FileNotFoundError:
        raise _gone() from None
    return file


def _check_room(store: ArtifactStore, source: Path) -> None:
    """Raise `DiskFullError` where all of a file's samples, at 24 bits, may find no room: a small file can hold hours."""
    from sfwidgets import audio

    info = audio.probe(source)
    needed = int(info.duration * info.sample_rate * info.channels * 3)
    if shutil.disk_usage(store.root).free < needed + SPARE_BYTES:
        raise DiskFullError("There may be no room left in the library for this file: free some space, and try again.")


def _make(store: ArtifactStore, name: Path, make: Callable[[Path], None]) -> None:
    workspace = store.workspace(f"rendition-{uuid.uuid4().hex}")
    try:
        make(workspace / name.name)
        store.publish(workspace / name.name, name)
    finally:
        store.discard_workspace(workspace.name)


def _gone() -> NotFoundError:
    return NotFoundError("This audio has been deleted. Open the track again, or add it again.", code="audio_missing")
