"""Audio as streams of blocks: look into files, decode, resample, encode, and draw their peaks.

A block is an array of shape (channels, frames), float32, full scale at ±1. Nothing here ever holds a whole file.
"""

from sfwidgets.audio.content import content_hash, copy_hashed, copy_whole
from sfwidgets.audio.cover import cover
from sfwidgets.audio.decode import decode
from sfwidgets.audio.disk import (
    NO_ROOM,
    full_disk_is_told,
    sync_file,
    sync_folder,
    whole_file,
    writable_folder,
    write_whole,
)
from sfwidgets.audio.encode import TAGS, Encoder, nearest_rate
from sfwidgets.audio.peaks import Peaks, PeakWriter, read_peaks
from sfwidgets.audio.probe import probe, stream_count
from sfwidgets.audio.reader import Reader, readable_directly
from sfwidgets.audio.resample import resample
from sfwidgets.audio.transcode import transcode

__all__ = [
    "NO_ROOM",
    "TAGS",
    "Encoder",
    "PeakWriter",
    "Peaks",
    "Reader",
    "content_hash",
    "copy_hashed",
    "copy_whole",
    "cover",
    "decode",
    "full_disk_is_told",
    "nearest_rate",
    "probe",
    "read_peaks",
    "readable_directly",
    "resample",
    "stream_count",
    "sync_file",
    "sync_folder",
    "transcode",
    "whole_file",
    "writable_folder",
    "write_whole",
]
