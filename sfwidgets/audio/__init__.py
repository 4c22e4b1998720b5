"""Audio as streams of blocks: look into files, decode, resample, encode, and draw their peaks.

A block is an array of shape (channels, frames), float32, full scale at ±1. Nothing here ever holds a whole file.
"""

from sfwidgets.audio.content import content_hash, copy_hashed, copy_whole
from sfwidgets.audio.decode import decode
from sfwidgets.audio.disk import NO_ROOM, sync_folder, writable_folder, write_whole
from sfwidgets.audio.encode import Encoder
from sfwidgets.audio.peaks import Peaks, PeakWriter, read_peaks
from sfwidgets.audio.probe import probe, stream_count
from sfwidgets.audio.resample import resample
from sfwidgets.audio.transcode import transcode

__all__ = [
    "NO_ROOM",
    "Encoder",
    "PeakWriter",
    "Peaks",
    "content_hash",
    "copy_hashed",
    "copy_whole",
    "decode",
    "probe",
    "read_peaks",
    "resample",
    "stream_count",
    "sync_folder",
    "transcode",
    "writable_folder",
    "write_whole",
]
