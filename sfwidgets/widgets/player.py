"""The stem player: a track's lanes on one clock, on a page and from Python."""

from __future__ import annotations

import atexit
import logging
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from threading import Lock, Timer
from typing import Any, Literal
from weakref import WeakSet

from pydantic import ValidationError
from traitlets import Bool, Dict, Float, Instance, Int, List, Unicode

from sfwidgets.audio import Peaks
from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.models import MIXTURE, Loop, Mix, StemFormat, StemSet, check_format
from sfwidgets.widgets.base import View
from sfwidgets.widgets.handover import Handover
from sfwidgets.widgets.player_export import Export
from sfwidgets.widgets.player_mixer import Strip, Strips, checked, moment
from sfwidgets.widgets.player_track import OpenTrack
from sfwidgets.workbench import TrackLike, Workbench

log = logging.getLogger(__name__)

SAVED_AFTER = 1.0
"""Seconds from a change of the mix until it is saved with the track."""
STILL_WIDTH, STILL_COLOURS = 900, 32
"""Pixels, and colours, of the picture that a notebook keeps."""
TAGS = ("title", "artist", "album", "comment")


class _Seconds(Float[float, float]):
    """A moment of the track."""

    def validate(self, obj: Any, value: Any) -> float:
        """Return a moment that the track has; raises `InvalidInputError`."""
        return moment(value, obj.duration)


class _Heard(Instance[Mix]):
    """How the track is heard."""

    def validate(self, obj: Any, value: Any) -> Mix:
        """Return a mix, also of its wire form; raises `InvalidInputError`."""
        return value if isinstance(value, Mix) else checked(Mix, value)


class StemPlayer(Handover, View):
    """Plays a track's stems in step, and its mixture to compare them with.

    >>> player = StemPlayer(wb, track)
    >>> player.stems["vocals"].muted = True
    >>> player.loop = (31.2, 39.2)
    >>> player.export("karaoke.flac")

    What is set here is set on the page at once, and the other way round; it is saved with the track. `stem_set` are the
    stems to play, the newest without it. Raises `NotFoundError`, and on setting what can't be so `InvalidInputError`.
    """

    BUNDLE = "player"

    key = Unicode().tag(sync=True)
    """What the page publishes the player as, for views that follow it (`js/lib/players.js`): its model's id."""
    track = Dict().tag(sync=True, from_json=lambda _said, player: player.track)
    """What the page shows of the track: id, title, artist, album, duration, sampleRate, frames, lanes, preview, notices."""
    mix = _Heard(Mix, ()).tag(
        sync=True, to_json=lambda mix, _player: mix.to_json(), from_json=lambda wire, player: player._mix_said(wire)
    )
    """How it is heard, all of it (`models.Mix`)."""
    time = _Seconds().tag(sync=True, from_json=lambda value, player: player._time_said(value))
    """Where the playhead is, in seconds; to set it is to seek. While it plays, told about four times a second."""
    playing = Bool().tag(sync=True)
    """Whether a page plays it."""
    page = Unicode().tag(sync=True)
    """The page that sounds, where several show the player."""
    cues: List[dict[str, Any]] = List().tag(sync=True, from_json=lambda _said, player: player.cues)
    """The track's cue points, as `answer_cues` left them."""
    revision = Int().tag(sync=True)
    """Raised when the analysis is to be read again."""

    def __init__(self, wb: Workbench, track: TrackLike, stem_set: StemSet | None = None) -> None:
        self._wb = wb
        self._open = OpenTrack(wb, track, stem_set)
        self._saving: Timer | None = None
        self._lock = Lock()
        self._export: Export | None = None
        self._kept = self._open.mix()
        key = uuid.uuid4().hex
        super().__init__(model_id=key, key=key, track=self._open.wire(), mix=self._kept, cues=self._open.cues())
        self.observe(self._save_later, "mix")
        _LIVING.add(self)

    def load(self, track: TrackLike, stem_set: StemSet | None = None) -> None:
        """Show another track in this one's place, or the same one anew; raises `NotFoundError`."""
        opened = OpenTrack(self._wb, track, stem_set)
        before, self._open = self._open, opened
        if opened.same(before):
            self._open = before
            self.refresh()
            return
        self._save(before)
        self._leave_export()
        with self.hold_sync():
            self.playing = False
            if opened.track.id != before.track.id:
                self.time = 0.0
            self.track = opened.wire()
            self.cues = opened.cues()
            self._show_mix(opened.mix())
            self.fault = ""
        before.close()

    def refresh(self) -> None:
        """Show the analysis and the cue points as they are now."""
        self.cues = self._open.cues()
        self.revision += 1

    def play(self) -> None:
        """Let the page play, from where the playhead is. A browser lets a page sound only after a first click in it."""
        self.playing = True

    def pause(self) -> None:
        """Let the page pause."""
        self.playing = False

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.track.get("duration", 0.0))

    @property
    def stems(self) -> Mapping[str, Strip]:
        """The stems' strips by name: `player.stems["vocals"].muted = True`."""
        return Strips(self, self._open.stems)

    @property
    def loop(self) -> Loop | None:
        """The loop that plays now; set as `(start, end)` in seconds, or None."""
        found: Loop | None = self.mix.loop
        return found

    @loop.setter
    def loop(self, value: tuple[float, float] | Loop | None) -> None:
        if value is None or isinstance(value, Loop):
            found = value
        else:
            try:
                start, end = value
            except (TypeError, ValueError):
                raise InvalidInputError("A loop is (start, end) in seconds, or None.", code="bad_mix") from None
            found = checked(Loop, {"start": start, "end": end})
        if found is not None and found.end > self.duration + 0.01:
            raise InvalidInputError(
                f"The loop ends at {found.end:g} s, and the track at {self.duration:.1f} s: choose an earlier end.",
                code="bad_mix",
            )
        self.change(loop=found)

    @property
    def speed(self) -> float:
        """0.25 to 2; the pitch stays."""
        return float(self.mix.speed)

    @speed.setter
    def speed(self, value: float) -> None:
        self.change(speed=value)

    @property
    def pitch(self) -> float:
        """Semitones up, -12 to 12; the speed stays."""
        return float(self.mix.pitch)

    @pitch.setter
    def pitch(self, value: float) -> None:
        self.change(pitch=value)

    @property
    def volume(self) -> float:
        """The master volume, 0 to 2."""
        return float(self.mix.volume)

    @volume.setter
    def volume(self, value: float) -> None:
        self.change(volume=value)

    @property
    def source(self) -> str:
        """What is heard: "stems", or "mixture" for the original."""
        return str(self.mix.source)

    @source.setter
    def source(self, value: Literal["stems", "mixture"]) -> None:
        self.change(source=value)

    @property
    def click(self) -> bool:
        """Whether the beats click."""
        return bool(self.mix.click)

    @click.setter
    def click(self, value: bool) -> None:
        self.change(click=value)

    def change(self, **settings: Any) -> None:
        """Set some fields of the mix; raises `InvalidInputError` for what can't be so."""
        self.mix = checked(Mix, {**dict(self.mix), **settings})

    def export(self, file: str | Path, **options: Any) -> Path:
        """Write what is heard into a file, as `Workbench.render` does, with its options; returns the file's path."""
        options = {"mix": self.mix, "stem_set": self._open.stem_set, **options}
        return self._wb.render(self._open.track, file, **options)

    def still(self) -> str:
        """Return a picture of the lanes, for a notebook that nobody runs."""
        title = " – ".join(filter(None, (self.track["artist"], self.track["title"])))
        peaks = self._open.peaks()
        lanes = {name: peaks[name] for name in self._open.stems or [MIXTURE] if name in peaks}
        if not lanes:
            return f"<p>{escape(title)}</p>"
        picture = b64encode(_drawn(lanes, title)).decode()
        alt = f"{title}: waveforms of {', '.join(lanes)}"
        return f'<img src="data:image/png;base64,{picture}" alt="{escape(alt)}" style="max-width: 100%">'

    def close(self) -> None:
        """Take the player down; what was set is saved."""
        if "_export" in self.__dict__ and self.comm is not None:
            self._save(self._open)
            self._leave_export()
            self.drop_handed()
            self._open.close()
        super().close()

    def answer_peaks(self, lane: str) -> tuple[dict[str, int] | None, list[bytes]]:
        """Return a lane's outline."""
        return self._open.outline(lane)

    def answer_analysis(self) -> dict[str, Any] | None:
        """Return what is drawn of the analysis; None where there is none."""
        return self._open.analysis()

    def answer_sound(self) -> dict[str, Any]:
        """Return how the lanes' audio is had over HTTP, and how much there is of it."""
        return self._open.sound()

    def answer_audio(self, lane: str, start: int, count: int) -> tuple[dict[str, int], list[bytes]]:
        """Return frames of a lane."""
        return {"start": start}, [self._open.audio(lane, start, count)]

    def answer_cues(self, cues: list[dict[str, Any]]) -> None:
        """Keep the track's cue points."""
        said = self._wb.correct(self._open.track, cue_points=cues)
        self.cues = [cue.to_json() for cue in said.cue_points or []]

    def answer_export(
        self,
        what: str,
        format: str,
        mix: dict[str, Any],
        span: list[float] | None = None,
        sampleRate: int | None = None,
        bitDepth: int | None = None,
        normalize: Literal["peak", "loudness"] | None = None,
        tags: dict[str, str] | None = None,
    ) -> str:
        """Begin to write what is heard ("mix") or a lane into a file for the page; returns the export's id."""
        opened, suffix = self._open, check_format(format)
        if what not in ("mix", MIXTURE, *opened.stems):
            raise InvalidInputError("There is no such lane to export. Reload the page.")
        if span is not None and (not isinstance(span, list) or len(span) != 2):
            raise InvalidInputError("A part of the track is a start and an end in seconds. Choose the loop again.")
        said = {name: str(value) for name, value in (tags or {}).items() if name in TAGS}
        heard = checked(Mix, mix)
        options: dict[str, Any] = {
            "mix": heard.model_copy(update={"source": "stems"}) if what == "mix" else heard,
            "stem": None if what == "mix" else what,
            "span": None if span is None else (moment(span[0], self.duration), moment(span[1], self.duration)),
            "sample_rate": sampleRate,
            "normalize": normalize,
            "tags": said,
            "stem_set": opened.stem_set,
        }
        if bitDepth is not None:
            options["bit_depth"] = bitDepth
        name = _file_name(opened, what, suffix)

        def make(progress: Callable[[float], None]) -> dict[str, Any]:
            notices: list[str] = []

            def write(path: Path) -> None:
                self._wb.render(opened.track, path, progress=progress, notices=notices, **options)
                notices[:] = [notice.replace(path.name, name) for notice in notices]

            return {**self.hand_over(name, write), "notices": notices}

        with self._lock:
            if self._export is not None and self._export.running:
                raise ConflictError("An export is being written already. Wait for it, or cancel it.", code="in_use")
            self._export = Export(make)
            return self._export.id

    def answer_exporting(self, job: str) -> dict[str, Any]:
        """Return how far an export is, and its file once it is there."""
        return self._exported(job).state()

    def answer_cancel_export(self, job: str) -> None:
        """Leave an export."""
        self._exported(job).cancel()

    def _exported(self, job: str) -> Export:
        found = self._export
        if found is None or found.id != job:
            raise NotFoundError("This export is no longer known. Export it again.", code="not_kept")
        return found

    def _leave_export(self) -> None:
        if self._export is not None:
            self._export.cancel()

    def _mix_said(self, wire: Any) -> Mix:
        """Return the mix that a page says; what it can't mean is left as it is."""
        try:
            return Mix.model_validate(wire)
        except ValidationError:
            log.warning("A page said a mix that can't be so: %.200r", wire)
            found: Mix = self.mix
            return found

    def _time_said(self, value: Any) -> float:
        """Return the time that a page says; a moment beyond the end is the end."""
        return min(max(float(value), 0.0), self.duration) if isinstance(value, int | float) else float(self.time)

    def _show_mix(self, mix: Mix) -> None:
        """Show a mix that is saved already."""
        self._kept = mix
        self.unobserve(self._save_later, "mix")
        self.mix = mix
        self.observe(self._save_later, "mix")

    def _save_later(self, _change: Any) -> None:
        with self._lock:
            if self._saving is not None:
                self._saving.cancel()
            self._saving = Timer(SAVED_AFTER, self._save, [self._open])
            self._saving.daemon = True
            self._saving.start()

    def _save(self, opened: OpenTrack) -> None:
        """Save now with the track what was changed; what another player of it has changed meanwhile stays."""
        with self._lock:
            waiting, self._saving = self._saving, None
        if waiting is None:
            return
        waiting.cancel()
        said: Mix = self.mix
        changed = {name: value for name, value in said if getattr(self._kept, name) != value}
        self._kept = said
        try:
            self._wb.save_mix(opened.track, self._wb.mix(opened.track).model_copy(update=changed))
        except SoundForgeError as error:
            self.fault = error.message


def _file_name(opened: OpenTrack, what: str, suffix: StemFormat) -> str:
    """Return what a person gets an export as: `Artist – Title (vocals).flac`."""
    name = " – ".join(filter(None, (opened.track.artist, opened.track.title)))
    return f"{name} ({what}).{suffix}"


def _drawn(lanes: dict[str, Peaks], title: str) -> bytes:
    """Return a small PNG of the lanes."""
    from PIL import Image

    from sfwidgets.analysis import plot

    whole = Image.open(BytesIO(plot.stems(lanes, title=title)._repr_png_())).convert("RGB")
    height = round(whole.height * STILL_WIDTH / whole.width)
    reduced = whole.resize((STILL_WIDTH, height), Image.Resampling.LANCZOS).quantize(STILL_COLOURS)
    buffer = BytesIO()
    reduced.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


_LIVING: WeakSet[StemPlayer] = WeakSet()


@atexit.register
def _save_all() -> None:
    """Save what was changed in the last second before the process ends."""
    for player in list(_LIVING):
        player._save(player._open)
