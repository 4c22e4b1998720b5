"""A track's audio as a file in which any frame can be read at once."""

from __future__ import annotations

import uuid
from pathlib import Path

from filelock import FileLock

from sfwidgets.library.store import ArtifactStore


def rendition(
    store: ArtifactStore, owner: str, content_hash: str, source: Path, *, sample_rate: int, frames: int | None
) -> Path:
    """Return a file for `audio.Reader` with what `audio.decode` gives of the source at that rate, in two channels at most.

    It is the source itself where that will do, else a FLAC file beside it, which is made the first time. `frames` is how
    many there are at that rate, where it is known. Raises what `audio.decode` does, and `DiskFullError`.
    """
    from sfwidgets import audio

    if audio.readable_directly(source, sample_rate=sample_rate, frames=frames):
        return source
    name = store.rendition_name(owner, content_hash, sample_rate)
    if not store.path(name).exists():
        with FileLock(store.root / "renditions.lock"):  # made by one, waited for by the others
            if not store.path(name).exists():
                _make(store, source, name, sample_rate)
    return store.path(name)


def _make(store: ArtifactStore, source: Path, name: Path, sample_rate: int) -> None:
    from sfwidgets import audio

    channels = min(audio.probe(source).channels, 2)
    workspace = store.workspace(f"rendition-{uuid.uuid4().hex}")
    try:
        with audio.Encoder(workspace / "audio.flac", sample_rate=sample_rate, channels=channels) as encoder:
            for block in audio.decode(source, sample_rate=sample_rate, channels=channels):
                encoder.write(block)
        store.publish(workspace / "audio.flac", name)
    finally:
        store.discard_workspace(workspace.name)
