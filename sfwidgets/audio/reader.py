"""Any frames of a file, at once: what players and mixers read from."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfwidgets.audio.blocks import Block
from sfwidgets.errors import AudioError, NotFoundError

_FULL_SCALE = 32768


class Reader:
    """Random access to the frames of a FLAC or WAV file, as two channels; one channel is heard on both sides.

    Several threads may read at once. `frames` cuts the file to that length, or follows it with silence. Raises
    `NotFoundError` (`audio_missing`) where the file is not there, also in the middle of reading, and `AudioError`
    (`audio_undecodable`) where it can't be read.
    """

    channels = 2

    def __init__(self, path: Path, *, etag: str, frames: int | None = None) -> None:
        import soundfile

        self._path = path
        self._check()
        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise self._damaged() from error
        self._lock = threading.Lock()
        self._held: int = self._file.frames
        self.sample_rate: int = self._file.samplerate
        self.frames: int = self._held if frames is None else frames
        """How many frames there are to read."""
        self.etag = etag
        """What tells this audio from any other."""

    def read(self, start: int, count: int) -> NDArray[np.int16]:
        """Return frames from `start` on, of shape (n, 2), in 16 bits; n is less than `count` at the end."""
        steps: NDArray[np.float32] = np.rint(self._samples(start, count) * np.float32(_FULL_SCALE))
        return np.clip(steps, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)

    def block(self, start: int, end: int) -> Block:
        """Return frames `start` to `end` as they are in the file, of shape (2, frames)."""
        return self._samples(start, end - start).T

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._file.close()

    def _samples(self, start: int, count: int) -> NDArray[np.float32]:
        import soundfile

        self._check()
        first = min(max(start, 0), self.frames)
        wanted = min(max(count, 0), self.frames - first)
        there = min(wanted, max(0, self._held - first))
        samples = np.zeros((wanted, 2), dtype=np.float32)
        if there:
            try:
                with self._lock:
                    if self._file.tell() != first:
                        self._file.seek(first)
                    found = self._file.read(there, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise self._damaged() from error
            samples[: len(found)] = found
        return samples

    def _check(self) -> None:
        if not self._path.exists():
            raise NotFoundError(
                "This audio has been deleted. Open the track again, or add it again.", code="audio_missing"
            )

    def _damaged(self) -> AudioError:
        return AudioError(f"{self._path.name} can't be read: it is damaged. Add the track again.")


def readable_directly(path: Path, *, sample_rate: int, frames: int | None) -> bool:
    """Return whether a `Reader` gives of this file just what `decode` does: it is plain WAV or FLAC of that rate.

    `frames` is how many `decode` is known to give; a damaged file, or one whose header lies, has another number.
    """
    import soundfile

    try:
        found = soundfile.info(path)
    except soundfile.LibsndfileError:
        return False
    plain = found.format in ("WAV", "WAVEX", "RF64", "FLAC") and found.subtype.startswith(("PCM_", "FLOAT", "DOUBLE"))
    right = found.samplerate == sample_rate and found.channels <= Reader.channels
    return plain and right and found.frames > 0 and frames in (None, found.frames)
