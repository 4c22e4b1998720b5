"""Audio as files, in the format that somebody asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from sfwidgets.errors import NotFoundError, SoundForgeError
from sfwidgets.library.rendition import in_format, outline
from sfwidgets.models import AudioInfo, Stem, StemFormat, StemSet
from sfwidgets.workbench.base import TrackLike, track_id
from sfwidgets.workbench.stems import WithStems


class WithFiles(WithStems):
    """The files of tracks and stems; those in a format that is not kept are made the first time, and then kept.

    With `make` False nothing is made: what is not there yet raises `NotFoundError` (`not_made`).
    """

    def audio_info(self, track: TrackLike) -> AudioInfo:
        """Return what a track's file says of itself, its container and its codec; raises `NotFoundError`."""
        whole = self.track(track)
        source = self.path(whole)
        with _called(source, whole.title):
            return _info(source)

    def audio_file(self, track: TrackLike, *, format: StemFormat | None = None, make: bool = True) -> Path:
        """Return the path of a track's own file, or of one with its audio in that format.

        Raises `NotFoundError`, `InvalidInputError` where the format can't hold the audio, `AudioError`, `DiskFullError`.
        """
        whole = self.track(track)
        source = self.path(whole)
        if format is None or _is(self.audio_info(whole), format):
            return source
        with _called(source, whole.title):
            return in_format(self._library.store, source, format, make=make)

    def signed_url(self, thing: TrackLike | Stem, *, called: str | None = None) -> str | None:
        """Return an address at which anybody can get a track's own file, or a stem's, for an hour, from where it is kept.

        None where that is this machine: then it is read by its path. With `called`, a name without suffix, browsers keep
        it under that name. Raises `NotFoundError`.
        """
        name = thing.path if isinstance(thing, Stem) else Path(self._library.tracks.audio_path(track_id(thing)))
        return self._library.store.signed_url(name, called=None if called is None else called + name.suffix)

    def outline_file(self, track: TrackLike, *, make: bool = True) -> Path:
        """Return the path of the peaks of a track's audio, which `peaks` reads; raises `NotFoundError`, `DiskFullError`."""
        whole = self.track(track)
        source = self.path(whole)
        with _called(source, whole.title):
            return outline(self._library.store, self.owner, str(whole.content_hash), source, make=make)

    def stem_file(
        self,
        track: TrackLike,
        stem: str,
        *,
        format: StemFormat | None = None,
        stem_set: StemSet | None = None,
        make: bool = True,
    ) -> Path:
        """Return the path of a stem, by its name with or without suffix: as it is kept, or in that format.

        Without `stem_set`, of the newest stems. Raises `NotFoundError`, `DiskFullError`.
        """
        found = self.stem(stem_set or self.stems(track), stem)
        source = self.path(found)
        if format is None or format == source.suffix.removeprefix("."):
            return source
        with _called(source, Path(found.name).stem):
            return in_format(self._library.store, source, format, make=make)

    def stem_set(self, track: TrackLike, set_id: str | None = None) -> StemSet:
        """Return a track's set of stems of that id, or its newest; raises `NotFoundError`."""
        if set_id is None:
            return self.stems(track)
        for found in self.stem_sets(track):
            if found.id == set_id:
                return found
        raise NotFoundError("This track has no such set of stems. Open the track again.", code="no_stems")

    def stem(self, stem_set: StemSet, name: str) -> Stem:
        """Return a set's stem of that name, with or without suffix; raises `NotFoundError` where there is none."""
        try:
            return stem_set[name]
        except KeyError:
            names = ", ".join(Path(stem.name).stem for stem in stem_set.stems)
            raise NotFoundError(f"There is no stem {name!r} among these: {names}.", code="no_stems") from None


@lru_cache(maxsize=1024)
def _info(path: Path) -> AudioInfo:
    """Look into a file of the library once: its name says what is in it, and nothing is ever changed in place."""
    from sfwidgets import audio

    return audio.probe(path)


def _is(info: AudioInfo, format: StemFormat) -> bool:
    """Return whether a file is what `audio.transcode` would make of it, as far as its format goes."""
    codecs = {"flac": "flac", "wav": "pcm_", "mp3": "mp3", "ogg": "vorbis"}
    return info.container == format and info.codec.startswith(codecs[format])


@contextmanager
def _called(source: Path, name: str) -> Iterator[None]:
    """Put a name that a person knows where an error names the library's own file."""
    try:
        yield
    except SoundForgeError as error:
        error.message = error.message.replace(source.name, name)
        raise
