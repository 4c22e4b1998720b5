"""Tracks: added, found, changed, and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sfwidgets.errors import DiskFullError, InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.library import Page, Upload, track_fields
from sfwidgets.models import Stem, Track, Usage, utc_now
from sfwidgets.workbench.base import Base, TrackLike, track_id

Fate = Literal["added", "known", "refused"]
Told = Callable[[Path, Fate, str], object]
"""Called with a file, what became of it, and its title or the sentence that says why it can't be taken."""


@dataclass
class AddedFiles:
    """What became of several files that were to be added."""

    added: list[Track] = field(default_factory=list)
    """Those that are new."""
    known: list[Track] = field(default_factory=list)
    """Those that were in the library already, each once."""
    refused: dict[Path, str] = field(default_factory=dict)
    """Why the others could not be taken: a sentence a file."""

    def __str__(self) -> str:
        parts = (len(self.added), "added"), (len(self.known), "there already"), (len(self.refused), "refused")
        return ", ".join(f"{count} {what}" for count, what in parts)


class WithTracks(Base):
    """The tracks of a library."""

    def add(
        self,
        source: str | Path,
        *,
        id: str | None = None,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
    ) -> Track:
        """Copy an audio file into the library.

        The track gets an id from its content, or takes the one given (1 to 64 of `A-Z a-z 0-9 _ -`). The same file twice
        is one track. Raises `InvalidInputError` (no such file, a folder, a bad id), `AudioError` (not audio, empty),
        `ConflictError` (the id is taken by other audio).
        """
        return self._library.add(Path(source).expanduser(), track_id=id, fields=track_fields(title, artist, album))

    def add_folder(self, folder: str | Path, told: Told = lambda file, fate, said: None) -> AddedFiles:
        """Add the audio files of a folder and of all folders in it, as `add_files` does; hidden ones are left out.

        The library itself is left out, too. Which files are audio is told by their names (`audio.folder.SUFFIXES`); a
        folder that may not be read is refused like a file. Raises `InvalidInputError` where there is no such folder,
        `DiskFullError`.
        """
        from sfwidgets.audio.folder import audio_files

        place = Path(folder).expanduser()
        if not place.is_dir():
            raise InvalidInputError(f"There is no folder {place}: check the name.", code="folder_missing")
        faults: list[OSError] = []
        found = self.add_files(audio_files(place, faults.append, without=self.settings.library), told)
        for fault in faults:
            place = Path(fault.filename)
            found.refused[place] = f"The folder {place} may not be read: {fault.strerror}."
            told(place, "refused", found.refused[place])
        return found

    def add_files(self, files: Iterable[str | Path], told: Told = lambda file, fate, said: None) -> AddedFiles:
        """Copy audio files into the library, each as `add` does; one that can't be taken never stops the others.

        `told` is called with what became of every file, as they come. Raises `DiskFullError`;
        what was added until then stays.
        """
        begun, seen, found = utc_now(), set[str](), AddedFiles()
        for file in map(Path, files):
            try:
                track = self.add(file)
            except DiskFullError:
                raise
            except (SoundForgeError, OSError) as error:
                found.refused[file] = error.message if isinstance(error, SoundForgeError) else f"{file}: {error}."
                told(file, "refused", found.refused[file])
                continue
            new = track.id not in seen and track.created_at >= begun
            if track.id not in seen:
                seen.add(track.id)
                (found.added if new else found.known).append(track)
            told(file, "added" if new else "known", track.title)
        return found

    def upload(self, name: str, size: int | None = None) -> Upload:
        """Begin to take a file of that name and size (bytes) in parts: `write` them in order, then `finish`.

        Without a size, `finish` says where the file ends. Raises `InvalidInputError` for a size of 0, `TooLargeError`
        for more than 4 GiB, `DiskFullError` where there is no room.
        """
        return Upload(self._library, name, size)

    def track(self, track: TrackLike) -> Track:
        """Return a track as it is now; raises `NotFoundError`, for one in the trash, too."""
        return self._library.tracks.get(track_id(track))

    def tracks(self, search: str = "", *, sort: str = "-created", limit: int = 50, offset: int = 0) -> Page:
        """Return a page of the tracks whose title, artist or album contains `search`, or whose id it is.

        `sort`: created, title, artist or duration; with a leading `-`, the other way round.
        """
        return self._library.tracks.page(search=search, sort=sort, limit=limit, offset=offset)

    def edit(
        self, track: TrackLike, *, title: str | None = None, artist: str | None = None, album: str | None = None
    ) -> Track:
        """Set a track's title, artist or album."""
        return self._library.tracks.edit(track_id(track), track_fields(title, artist, album))

    def delete(self, track: TrackLike) -> None:
        """Delete a track, its stems and its analysis; raises `ConflictError` while a job works on it."""
        self._library.delete(track_id(track))

    def trash(self, track: TrackLike) -> None:
        """Hide a track; `restore` has it back within a day, as does adding its file again. Then it is deleted.

        A job that works on it goes on.
        """
        self._library.tracks.trash(track_id(track))

    def restore(self, track: TrackLike) -> Track:
        """Have a track back from the trash; raises `NotFoundError` where it was deleted for good."""
        return self._library.tracks.restore(track_id(track))

    def path(self, thing: TrackLike | Stem) -> Path:
        """Return the absolute path of a track's audio, or of a stem; raises `NotFoundError` where the file has gone."""
        if isinstance(thing, Stem):
            try:
                return self._library.store.fetch(thing.path)
            except NotFoundError:
                raise NotFoundError(
                    "The stems' files are gone. Separate the track again.", code="audio_missing"
                ) from None
        return self._library.audio_path(track_id(thing))

    def check_audio(self, track: TrackLike) -> None:
        """Raise `NotFoundError` where a track has no audio, or its file has gone; nothing is read."""
        self._library.check_audio(track_id(track))

    def artwork(self, track: TrackLike) -> tuple[bytes, str] | None:
        """Return the picture that a track's file carries, and its MIME type; None where there is none."""
        from sfwidgets import audio

        return audio.cover(self.path(track))

    def usage(self, track: TrackLike) -> Usage:
        """Return how many bytes a track takes: its audio, its stems, its analysis."""
        return self._library.usage(track_id(track))
