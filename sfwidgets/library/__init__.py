"""What is known and kept: rows in the database, files in the artifact store."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from sfwidgets.errors import NotFoundError, UnavailableError
from sfwidgets.library.database import Database
from sfwidgets.library.jobs import Claim, JobTable, LeaseLostError
from sfwidgets.library.limits import check_storage, limits_of
from sfwidgets.library.lost_jobs import MAX_ATTEMPTS, Unfinished
from sfwidgets.library.metadata import MetadataCache, Wish, Wishes
from sfwidgets.library.mixes import Mixes
from sfwidgets.library.redis_link import RedisLink, redis_state
from sfwidgets.library.remote_store import RemoteStore
from sfwidgets.library.rendition import rendition
from sfwidgets.library.results import Results, StemsExistError
from sfwidgets.library.retention import forget_daily
from sfwidgets.library.store import ArtifactStore
from sfwidgets.library.supabase_storage import SupabaseStorage
from sfwidgets.library.sweep import sweep, workspace_name
from sfwidgets.library.tracks import Page, StoredAudio, Tracks, owners_of_trash, track_fields
from sfwidgets.library.uploads import Upload
from sfwidgets.models import AudioInfo, Track, Usage, check_id, one_line
from sfwidgets.settings import LOCAL_OWNER, Settings

__all__ = [
    "MAX_ATTEMPTS", "Claim", "JobTable", "LeaseLostError", "Library", "Page", "RedisLink", "Shared", "StemsExistError",
    "StoredAudio", "Unfinished", "Upload", "Wish", "redis_state", "track_fields", "workspace_name",
]  # fmt: skip


TRASH_SECONDS = 24 * 3600.0
"""How long a track that was put into the trash can be had back."""


class Shared:
    """What all owners share: the database, the store, and the table of jobs."""

    def __init__(self, settings: Settings) -> None:
        try:
            self.database = Database(settings)
            self.store = _store(settings)
        except OSError as error:
            raise UnavailableError(
                f"Nothing can be kept in {settings.library} ({error.strerror}). Set AUDIO_DATA_PATH to a folder that "
                "can be written to.",
                code="library_unavailable",
            ) from None
        self.limits = limits_of(settings)
        self._keep_days = settings.keep_days
        self.jobs = JobTable(self.database, self.limits)
        self.redis = None if settings.redis_url is None else RedisLink(settings.redis_url)
        self.metadata = MetadataCache(self.database, self.redis)

    def of(self, owner: str) -> Library:
        """Return one owner's part."""
        return Library(self, owner)

    def sweep(self) -> list[str]:
        """Remove what processes that died left half made, old trash, and what is kept for some days only.

        Returns the names of what went.
        """
        thrown = [name for owner in owners_of_trash(self.database) for name in self.of(owner).empty_trash()]
        forgotten = forget_daily(self.database, self.store, self._keep_days)
        return thrown + forgotten + sweep(self.database, self.store)

    def close(self) -> None:
        """Give the connections back."""
        if self.redis is not None:
            self.redis.close()
        self.store.close()
        self.database.close()


class Library:
    """One owner's tracks and what was made of them. Everything asked here is asked for that owner alone."""

    def __init__(self, shared: Shared, owner: str = LOCAL_OWNER) -> None:
        self.owner = check_id(owner, "owner")
        self.shared = shared
        self.store = shared.store
        self.tracks = Tracks(shared.database, owner, shared.limits)
        self.results = Results(shared.database, owner, shared.limits)
        self.mixes = Mixes(shared.database, owner)
        self.wishes = Wishes(shared.database, owner)

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
            return self.admit(copy, digest, info, name=source.name, track_id=track_id, fields=fields)
        finally:
            self.store.discard_workspace(workspace.name)

    def admit(
        self, file: Path, digest: str, info: AudioInfo, *, name: str, track_id: str | None, fields: dict[str, str]
    ) -> Track:
        """Make a finished file of a workspace, with that SHA-256, the audio of a track. `name` is what it was called."""
        called = Path(name)
        found = {
            "title": one_line(info.title or "") or one_line(called.stem.removesuffix(".stem")),
            "artist": one_line(info.artist or ""), "album": one_line(info.album or ""), "source": "file",
        }  # fmt: skip
        chosen = track_id or self.tracks.trashed(digest) or digest[:16]
        with self.placed(file, digest, info, called.suffix) as stored, self.shared.database.write() as connection:
            self.tracks.put(connection, chosen, stored, found=found, given=fields)
        return self.tracks.get(chosen)

    @contextmanager
    def placed(self, file: Path, digest: str, info: AudioInfo, suffix: str) -> Iterator[StoredAudio]:
        """Move a finished file to where audio is kept, for a block that records it; where that fails, it goes again."""
        from sfwidgets import audio

        with self._placing(digest):
            recorded = self.tracks.audio_name(digest)
            name = Path(recorded) if recorded else self.store.audio_name(self.owner, digest, suffix)
            self.store.publish(file, name)
            path = self.store.fetch(name)
            try:
                yield StoredAudio(digest, str(name), self.store.size(name), info, audio.cover(path) is not None)
            except BaseException:
                if recorded is None and self.tracks.audio_name(digest) is None:
                    self.store.remove(name)
                raise

    def audio_path(self, track_id: str) -> Path:
        """Return the absolute path of a track's audio; raises `NotFoundError` where it has none, or the file has gone."""
        name = self.tracks.audio_path(track_id)
        try:
            return self.store.fetch(name)
        except NotFoundError:
            raise _audio_missing() from None

    def check_audio(self, track_id: str) -> None:
        """Raise what `audio_path` does, without getting the file from where it is kept."""
        if not self.store.exists(self.tracks.audio_path(track_id)):
            raise _audio_missing()

    def rendition(self, track_id: str, *, sample_rate: int, frames: int | None) -> Path:
        """Return a file in which any frame of a track's audio can be read at once; raises `NotFoundError`."""
        source = self.audio_path(track_id)
        content_hash = str(self.tracks.get(track_id).content_hash)
        return rendition(self.store, self.owner, content_hash, source, sample_rate=sample_rate, frames=frames)

    def delete(self, track_id: str) -> None:
        """Delete a track and everything made of it that no other track shares."""
        self._remove(*self.tracks.delete(track_id))

    def empty_trash(self) -> list[str]:
        """Delete the tracks that have been in the trash for more than a day; returns the names of what went.

        One that a job works on stays until that has ended.
        """
        gone = self.tracks.purge(time.time() - TRASH_SECONDS)
        return [name for folders, content_hash in gone for name in self._remove(folders, content_hash)]

    def delete_stems(self, track_id: str) -> None:
        """Delete a track's stems, and keep its audio and analysis."""
        self._remove(self.tracks.delete_stems(track_id), None)

    def usage(self, track_id: str) -> Usage:
        """Return how many bytes a track takes."""
        track = self.tracks.get(track_id)
        held = 0 if track.content_hash is None else self.store.audio_size(self.owner, track.content_hash)
        stems, analysis = self.results.sizes(track_id)
        return Usage(audio=held, stems=stems, analysis=analysis)

    def check_room(self, more: int) -> None:
        """Raise `QuotaError` where the owner may not keep so many more bytes."""
        with self.shared.database.read() as connection:
            check_storage(connection, self.shared.limits, self.owner, more)

    def _remove(self, folders: list[str], content_hash: str | None) -> list[str]:
        """Remove folders of stems, and audio with all that is beside it; returns their names."""
        for name in folders:
            self.store.remove(name)
        if content_hash is None:
            return folders
        with self._placing(content_hash):
            added_again = self.tracks.audio_name(content_hash) is not None
            return folders if added_again else [*folders, *self.store.remove_audio(self.owner, content_hash)]

    def _placing(self, content_hash: str) -> FileLock:
        """Return a lock for whoever adds or removes that audio: files and rows don't change in one step."""
        return self.store.lock(f"{self.owner}/{content_hash}", among="placing")


def _audio_missing() -> NotFoundError:
    return NotFoundError("Track file not found. Download the track first.", code="audio_missing")


def _store(settings: Settings) -> ArtifactStore:
    """Return where artifacts are kept: in the library's folder, or in Supabase Storage where that is configured."""
    spare = settings.spare_mb * 10**6
    if settings.supabase_url is None or settings.supabase_service_key is None:
        return ArtifactStore(settings.library, spare=spare)
    key = settings.supabase_service_key.get_secret_value()
    storage = SupabaseStorage(settings.supabase_url, key, settings.storage_bucket)
    return RemoteStore(settings.library, storage, cache_bytes=settings.cache_gb * 1e9, spare=spare)
