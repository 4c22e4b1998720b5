"""The typed values that cross every boundary: tracks, jobs, stems, analyses, events and model descriptions.

In Python their fields are snake_case; on the wire (`to_json`) they are camelCase, as in the HTTP contract.
"""

from sfwidgets.models.analysis import (
    Analysis,
    Chord,
    Corrections,
    CuePoint,
    EnergyCurve,
    KeySpan,
    LoudnessCurve,
    Measurements,
    Note,
    Section,
    Span,
    StemAnalysis,
    TempoPoint,
    camelot,
    open_key,
)
from sfwidgets.models.base import Moment, Value, check_id, fit_for_file_names, one_line, utc_now
from sfwidgets.models.health import Health, PartState, Services
from sfwidgets.models.jobs import TERMINAL, Event, Job, JobKind, JobStatus
from sfwidgets.models.mixes import MIXTURE, Lane, Loop, Mix
from sfwidgets.models.sources import Bitrate, DownloadFormat, SourceKind, SourceList, SourceTrack
from sfwidgets.models.stats import Limits, Pace, Stats
from sfwidgets.models.stems import (
    STEM_ORDER,
    ModelInfo,
    Scores,
    SeparationOptions,
    Stem,
    StemFormat,
    StemSet,
    check_format,
    stem_rank,
)
from sfwidgets.models.tracks import AudioInfo, Track, Usage

__all__ = [
    "MIXTURE",
    "STEM_ORDER",
    "TERMINAL",
    "Analysis",
    "AudioInfo",
    "Bitrate",
    "Chord",
    "Corrections",
    "CuePoint",
    "DownloadFormat",
    "EnergyCurve",
    "Event",
    "Health",
    "Job",
    "JobKind",
    "JobStatus",
    "KeySpan",
    "Lane",
    "Limits",
    "Loop",
    "LoudnessCurve",
    "Measurements",
    "Mix",
    "ModelInfo",
    "Moment",
    "Note",
    "Pace",
    "PartState",
    "Scores",
    "Section",
    "SeparationOptions",
    "Services",
    "SourceKind",
    "SourceList",
    "SourceTrack",
    "Span",
    "Stats",
    "Stem",
    "StemAnalysis",
    "StemFormat",
    "StemSet",
    "TempoPoint",
    "Track",
    "Usage",
    "Value",
    "camelot",
    "check_format",
    "check_id",
    "fit_for_file_names",
    "one_line",
    "open_key",
    "stem_rank",
    "utc_now",
]
