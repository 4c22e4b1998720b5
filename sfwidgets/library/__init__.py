"""What is known and kept: rows in the database, files in the artifact store."""

from __future__ import annotations

import uuid
from pathlib import Path

from sfwidgets.errors import ConflictError, NotFoundError, UnavailableError
from sfwidgets.library.database import Database
from sfwidgets.library.jobs import MAX_ATTEMPTS, Claim, JobTable, LeaseLostError, Unfinished
from sfwidgets.library.results import Results
from sfwidgets.library.store import ArtifactStore
from sfwidgets.library.sweep import sweep, workspace_name
from sfwidgets.library.tracks import Page, Tracks
from sfwidgets.models import Track, Usage, check_id
from sfwidgets.settings import LOCAL_OWNER, Settings

__all__ = [
    "MAX_ATTEMPTS", "Claim", "JobTable", "LeaseLostError", "Library", "Page", "Shared", "Unfinished", "workspace_name",
]  # fmt: skip


class Shared:
    """What all owners share: the database, the store, and the table of jobs."""

    def __init__(self, settings: Settings) -> None:
        try:
            self.database = Database(settings)
            self.store = ArtifactStore(settings.library)
        except OSError as error:
            raise UnavailableError(
                f"Nothing can be kept in {settings.library} ({error.strerror}). Set AUDIO_DATA_PATH to a folder that "
                "can be written to.",
                code="library_unavailable",
            ) from None
        self.jobs = JobTable(self.database)

    def of(self, owner: str) -> Library:
        """Return one owner's part."""
        return Library(self, owner)

    def sweep(self) -> list[str]:
        """Remove what processes that died left half made; returns the names of what went."""
        return sweep(self.database, self.store)

    def close(self) -> None:
        """Give the database's connections back."""
        self.database.close()


class Library:
    """One owner's tracks and what was made of them. Everything asked here is asked for that owner alone."""

    def __init__(self, shared: Shared, owner: str = LOCAL_OWNER) -> None:
        self.owner = check_id(owner, "owner")
        self.shared = shared
        self.store = shared.store
        self.tracks = Tracks(shared.database, owner)
        self.results = Results(shared.database, owner)

    def add(self, source: Path, *, track_id: str | None, fields: dict[str, str]) -> Track:
        """Copy an audio file into the library as a track; the same file twice is one track.

        The track's id is the start of the SHA-256 of the file's bytes where none is given. Raises `InvalidInputError`
        and `AudioError` for what is not audio, `ConflictError` where the id is taken by other audio, `DiskFullError`.
        """
        from sfwidgets import audio

        if track_id is not None:
            check_id(track_id)
        info = audio.probe(source)
        workspace = self.store.workspace(f"add-{uuid.uuid4().hex}")
        try:
            copy = workspace / "audio"
            digest = audio.copy_hashed(source, copy)
            recorded = self.tracks.audio_name(digest)
            name = Path(recorded) if recorded else self.store.audio_name(self.owner, digest, source.suffix)
            self.store.publish(copy, name)
            found = {
                "title": info.title or source.stem.removesuffix(".stem"), "artist": info.artist or "",
                "album": info.album or "", "source": "file",
            }  # fmt: skip
            try:
                return self.tracks.add(
                    track_id or digest[:16], content_hash=digest, audio_path=str(name),
                    size=self.store.size(name), info=info, found=found, given=fields,
                )  # fmt: skip
            except ConflictError:
                if recorded is None:
                    self.store.remove(name)
                raise
        finally:
            self.store.discard_workspace(workspace.name)

    def audio_path(self, track_id: str) -> Path:
        """Return the absolute path of a track's audio; raises `NotFoundError` where it has none, or the file has gone."""
        path = self.store.path(self.tracks.audio_path(track_id))
        if not path.exists():
            raise NotFoundError("Track file not found. Download the track first.", code="audio_missing")
        return path

    def delete(self, track_id: str) -> None:
        """Delete a track and everything made of it that no other track shares."""
        content_hash = self.tracks.get(track_id).content_hash
        folders, audio_name = self.tracks.delete(track_id)
        for folder in folders:
            self.store.remove(folder)
        if audio_name is not None and content_hash is not None:
            self.store.remove(audio_name)
            self.store.remove(self.store.peaks_name(self.owner, content_hash))

    def delete_stems(self, track_id: str) -> None:
        """Delete a track's stems, and keep its audio and analysis."""
        for folder in self.tracks.delete_stems(track_id):
            self.store.remove(folder)

    def usage(self, track_id: str) -> Usage:
        """Return how many bytes a track takes."""
        track = self.tracks.get(track_id)
        held = 0
        if track.content_hash is not None:
            held = self.store.size(self.tracks.audio_path(track_id))
            held += self.store.size(self.store.peaks_name(self.owner, track.content_hash))
        stems, analysis = self.results.sizes(track_id)
        return Usage(audio=held, stems=stems, analysis=analysis)
