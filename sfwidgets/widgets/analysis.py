"""The analysis of one track: its picture, its numbers, chords and sections in step with a player, and corrections."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from html import escape
from io import BytesIO
from threading import Lock
from typing import Any, Literal

from traitlets import Int, Unicode

from sfwidgets.errors import InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import Analysis, Corrections, Job, Track, stem_rank
from sfwidgets.widgets import facts
from sfwidgets.widgets.following import FollowingView
from sfwidgets.widgets.handover import Handover
from sfwidgets.workbench import TrackLike, Workbench

CORRECTABLE = ("tempo", "timeSignature", "key", "downbeat")
STILL_WIDTH, STILL_COLOURS = 900, 64
"""Pixels, and colours, of the picture that a notebook keeps."""

_DRAWING = Lock()
"""Pictures are drawn one at a time: matplotlib's fonts are shared."""


class AnalysisView(Handover, FollowingView):
    """Everything that is known of a track, in step with a player where there is one.

    >>> AnalysisView(wb, track, player=player)
    """

    BUNDLE = "analysis"

    track_id = Unicode().tag(sync=True)
    """The track's id; "" while there is none."""
    player_key = Unicode().tag(sync=True)
    """Under which the player publishes itself on the page (`js/lib/players.js`); "" without a player."""
    revision = Int().tag(sync=True)
    """Raised whenever there is something new to show."""

    def __init__(self, wb: Workbench, track: TrackLike | None = None, player: Any = None) -> None:
        self._wb = wb
        self._changed: list[Callable[[str], object]] = []
        self._pictures: dict[tuple[str, int, str], bytes] = {}
        super().__init__(player_key="" if player is None else str(getattr(player, "key", "") or player.model_id))
        if track is not None:
            self.load(track)

    def load(self, track: TrackLike) -> None:
        """Show another track, or the same one anew; raises `NotFoundError`."""
        whole = self._wb.track(track)
        self._pictures = {}
        self.track_id = whole.id
        running = [job for job in self._wb.jobs(whole, kind="analysis", limit=1) if not job.value.done]
        self.follow(running[0] if running else None, self._analysed)
        self.revision += 1

    def on_change(self, changed: Callable[[str], object]) -> None:
        """Call `changed` with the track's id after a correction or a new analysis, on a thread of the view's."""
        self._changed.append(changed)

    def close(self) -> None:
        """Take the view down."""
        self.drop_handed()
        super().close()

    def answer_analysis(self) -> dict[str, Any]:
        """Return all that the page shows, but for the picture."""
        if not self.track_id:
            return {"state": "none"}
        track = self._wb.track(self.track_id)
        head = {"title": _title(track), "duration": track.duration}
        try:
            measured = self._wb.analysis(track)
        except NotFoundError:
            return {"state": "missing", **head}
        found = self._wb.analysis(track, corrected=True)
        return {"state": "ready", **head, **_shown(found), "corrections": _corrections(measured)}

    def answer_overview(self, theme: str) -> tuple[dict[str, str], list[bytes]]:
        """Return the overview as a PNG, and what it shows in words."""
        if theme not in ("light", "dark"):
            raise InvalidInputError("A picture is light or dark. Reload the page.")
        return {"alt": self._alt()}, [self._picture("dark" if theme == "dark" else "light")]

    def answer_correct(self, said: dict[str, Any]) -> None:
        """Take a person's word for some fields, or take it back where a field is None."""
        if not isinstance(said, dict) or not said or not set(said) <= set(CORRECTABLE):
            raise InvalidInputError(f"What can be corrected here is {', '.join(CORRECTABLE)}. Reload the page.")
        self._wb.correct(self._track(), **said)
        self._tell()

    def answer_analyze(self) -> None:
        """Ask for the track's analysis, and show how far it is."""
        self.follow(self._wb.analyze(self._track()), self._analysed)

    def answer_retry(self) -> None:
        """Ask for work that failed again."""
        handle: JobHandle | None = self._handle
        if handle is not None:
            self.follow(handle.retry(), self._analysed)

    def answer_export(self, format: str) -> dict[str, Any]:
        """Write the analysis into a file for the person, and say how the page gets it."""
        track, suffix = self._track(), self._wb.check_export([str(format)])[format]
        write = partial(self._wb.export_analysis, track, format=format)
        return self.hand_over(f"{_title(track)}{suffix}", write)

    def still(self) -> str:
        """Return the overview as a picture for a notebook that nobody runs."""
        if not self.track_id:
            return ""
        try:
            picture = b64encode(_small(self._picture("light"))).decode()
            return f'<img src="data:image/png;base64,{picture}" alt="{escape(self._alt())}" style="max-width: 100%">'
        except SoundForgeError as error:
            return f"<p>{escape(error.message)}</p>"

    def _track(self) -> Track:
        if not self.track_id:
            raise InvalidInputError("No track is open. Open one first.")
        return self._wb.track(self.track_id)

    def _analysed(self, _job: Job) -> None:
        self._tell()

    def _tell(self) -> None:
        self._pictures = {}
        self.revision += 1
        for changed in self._changed:
            changed(self.track_id)

    def _picture(self, theme: Literal["light", "dark"]) -> bytes:
        asked = (self.track_id, self.revision, theme)
        with _DRAWING:
            pictures = self._pictures
            if asked not in pictures:
                pictures[asked] = self._wb.overview(self._track(), theme=theme)._repr_png_()
            return pictures[asked]

    def _alt(self) -> str:
        track = self._track()
        found = self._wb.analysis(track, corrected=True)
        tempo = "no steady tempo" if found.tempo is None else f"{found.tempo:.1f} BPM"
        loud = "no loudness" if found.loudness is None else f"{found.loudness:.1f} LUFS"
        form = " ".join(section.label for section in found.sections) or "not found"
        return (
            f"Overview of {_title(track)}: {tempo}, {found.time_signature or 'no clear metre'}, "
            f"{found.key or 'no clear key'}, {loud}; sections {form}. From the top: sections, cue points, waveform, "
            "beats and bars, keys, chords, energy, loudness, mean spectrum and pitch classes."
        )


def _title(track: Track) -> str:
    return " – ".join(filter(None, (track.artist, track.title)))


def _shown(found: Analysis) -> dict[str, Any]:
    said = found.corrections
    return {
        "duration": found.duration,
        "groups": facts.groups(found, said),
        "notices": found.notices,
        "chords": [
            [chord.start, chord.end, facts.chord_name(chord.label), round(chord.confidence, 2)]
            for chord in found.chords
        ],
        "sections": [[section.start, section.end, section.label, section.role] for section in found.sections],
        "beats": found.beats,
        "stems": {
            name: {
                "groups": facts.groups(stem),
                "active": [[span.start, span.end] for span in stem.active],
                "notes": [[note.start, note.end, note.pitch, note.name, note.cents] for note in stem.notes],
            }
            for name, stem in sorted(found.stems.items(), key=lambda item: stem_rank(item[0]))
        },
    }


def _corrections(measured: Analysis) -> dict[str, Any]:
    said = measured.corrections or Corrections()
    return {
        "tempo": {"measured": measured.tempo, "alternative": measured.tempo_alternative, "said": said.tempo},
        "timeSignature": {"measured": measured.time_signature, "said": said.time_signature},
        "key": {"measured": measured.key, "alternative": measured.key_alternative, "said": said.key},
        "downbeat": {"measured": next(iter(measured.downbeats), None), "said": said.downbeat},
    }


def _small(png: bytes) -> bytes:
    """Return a picture with fewer pixels and colours."""
    from PIL import Image

    whole = Image.open(BytesIO(png)).convert("RGB")
    height = round(whole.height * STILL_WIDTH / whole.width)
    reduced = whole.resize((STILL_WIDTH, height), Image.Resampling.LANCZOS).quantize(STILL_COLOURS)
    buffer = BytesIO()
    reduced.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
