"""JAMS: which annotations would a researcher compare with other people's?

JAMS is the JSON Annotated Music Specification (Humphrey et al., ISMIR 2014; McFee et al., "Pump up the JAMS", 2015).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from sfwidgets import __version__
from sfwidgets.analysis.export.entry import positions
from sfwidgets.models import Analysis, Span, Track

if TYPE_CHECKING:
    from jams import JAMS

_TOOL = f"Sound Forge Alchemy {__version__}"
Observation = tuple[float, float, Any, float | None]
"""Time, duration, value and confidence."""


def jams(analysis: Analysis, track: Track | None = None) -> str:
    """Return a JAMS 0.3 document, as `jams.load` reads it.

    It has one annotation each, where there is something to tell, in the namespaces `beat` (values are places in the
    bar), `tempo` (the whole; a second one, where the tempo is not constant, holds the curve), `key_mode` (likewise: the
    whole, then the changes), `chord`, `segment_open` (labels; a second one holds the roles), `onset`, `blob` (cue points:
    label and type; no namespace for marks keeps both) and, for each stem with notes, `note_midi` (with cents as fractions).
    An annotation's `data_source` is `manual` where a person said what it holds, else `program`.
    """
    from jams import JAMS, FileMetadata

    document = JAMS(
        file_metadata=FileMetadata(
            title=track.title if track else "",
            artist=track.artist if track else "",
            release=track.album if track else "",
            duration=analysis.duration,
            identifiers={"track_id": analysis.track_id},
        )
    )
    whole = analysis.duration

    counted = zip(analysis.beats, positions(analysis.beats, analysis.downbeats), strict=True)
    said_rhythm = any(_said(analysis, field) for field in ("tempo", "time_signature")) or _downbeat_said(analysis)
    _add(document, "beat", ((time, 0.0, position, None) for time, position in counted), said_rhythm)

    if analysis.tempo is not None:
        said = _said(analysis, "tempo")
        _add(document, "tempo", [(0.0, whole, analysis.tempo, analysis.tempo_confidence)], said)
    curve = analysis.tempo_curve
    if len({point.bpm for point in curve}) > 1:
        ends = [*(point.time for point in curve[1:]), max(whole, curve[-1].time)]
        spans = zip(curve, ends, strict=True)
        _add(
            document,
            "tempo",
            ((p.time, end - p.time, p.bpm, analysis.tempo_confidence) for p, end in spans),
            said_rhythm,
        )

    if analysis.key is not None:
        said = _said(analysis, "key")
        _add(document, "key_mode", [(0.0, whole, _key_mode(analysis.key), analysis.key_strength)], said)
    if len(analysis.key_changes) > 1:
        _add(document, "key_mode", (_over(span, _key_mode(span.key), span.strength) for span in analysis.key_changes))

    _add(document, "chord", (_over(chord, chord.label, chord.confidence) for chord in analysis.chords))

    said = _said(analysis, "sections")
    _add(document, "segment_open", (_over(s, s.label, s.confidence) for s in analysis.sections), said)
    roles = (_over(s, s.role, s.confidence) for s in analysis.sections if s.role)
    _add(document, "segment_open", roles, said, sandbox={"of": "roles"})

    _add(document, "onset", ((time, 0.0, None, None) for time in analysis.onsets))
    cues = ((cue.time, 0.0, {"label": cue.label, "type": cue.type}, None) for cue in analysis.cue_points)
    _add(document, "blob", cues, _said(analysis, "cue_points"), sandbox={"of": "cue points"})
    for name, stem in analysis.stems.items():
        notes = (_over(note, note.pitch + note.cents / 100, None) for note in stem.notes)
        _add(document, "note_midi", notes, sandbox={"stem": name})
    return cast(str, document.dumps(indent=1))


def _over(span: Span, value: Any, confidence: float | None) -> Observation:
    return span.start, span.end - span.start, value, confidence


def _key_mode(key: str) -> str:
    return key.replace(" ", ":")


def _said(analysis: Analysis, field: str) -> bool:
    """Return whether a person said what the field holds."""
    said, held = getattr(analysis.corrections, field, None), getattr(analysis, field)
    return said is not None and (set(said) == set(held) if isinstance(said, list) else said == held)


def _downbeat_said(analysis: Analysis) -> bool:
    said = None if analysis.corrections is None else analysis.corrections.downbeat
    return said is not None and any(abs(downbeat - said) < 1e-3 for downbeat in analysis.downbeats)


def _add(
    document: JAMS,
    namespace: str,
    observations: Iterable[Observation],
    manual: bool = False,
    sandbox: dict[str, str] | None = None,
) -> None:
    """Add an annotation of the whole file, unless it would be empty."""
    from jams import Annotation, AnnotationMetadata, Curator

    annotation = Annotation(
        namespace,
        time=0.0,
        duration=document.file_metadata.duration,
        annotation_metadata=AnnotationMetadata(
            curator=Curator(name="Sound Forge Alchemy"),
            version=__version__,
            annotation_tools=_TOOL,
            data_source="manual" if manual else "program",
        ),
        sandbox=sandbox,
    )
    for time, duration, value, confidence in observations:
        annotation.append(time=time, duration=duration, value=value, confidence=confidence)
    if annotation.data:
        document.annotations.append(annotation)
