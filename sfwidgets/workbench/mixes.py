"""How a track is heard: its mixer, its audio for a player, and a file of what is heard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import MIXTURE, STEM_ORDER, Mix, Span, StemSet, Track
from sfwidgets.workbench.base import TrackLike, first_fault
from sfwidgets.workbench.stems import WithStems

if TYPE_CHECKING:
    from sfwidgets.audio import Reader

log = logging.getLogger(__name__)

_MAX_RATE = 192_000
"""Hz; a player gets no more of a track without stems."""


class WithMixes(WithStems):
    """Tracks as they are heard."""

    def mix(self, track: TrackLike) -> Mix:
        """Return how a track is heard: what was kept by `save_mix`, else every stem as it is."""
        return self._library.mixes.get(self.track(track).id)

    def save_mix(self, track: TrackLike, mix: Mix | dict[str, Any]) -> Mix:
        """Keep how a track is heard: lanes, speed, pitch, loops. Raises `InvalidInputError` for what can't be so."""
        from pydantic import ValidationError

        whole = self.track(track)
        try:
            checked = Mix.model_validate(mix)
        except ValidationError as error:
            raise InvalidInputError(first_fault("mix's setting", error), code="bad_mix") from None
        self._library.mixes.put(whole.id, checked)
        return checked

    def render(
        self,
        track: TrackLike,
        file: str | Path,
        *,
        mix: Mix | None = None,
        stem: str | None = None,
        span: Span | tuple[float, float] | None = None,
        format: str | None = None,
        sample_rate: int | None = None,
        bit_depth: int = 24,
        normalize: Literal["peak", "loudness"] | None = None,
        tags: Mapping[str, str] | None = None,
        stem_set: StemSet | None = None,
        progress: Callable[[float], None] | None = None,
        notices: list[str] | None = None,
    ) -> Path:
        """Write what is heard of a track into a file: the lanes at their gains, at the mix's speed and pitch, no click.

        `mix` is the one that was saved where none is given; without stems, the mixture is what is heard. `stem` writes one
        lane alone at gain 1 instead, at the mix's speed and pitch: a stem's name, or `mixture`. `span` is a stretch of
        the track in seconds.

        `format`, which the file's suffix says where none is given: wav, flac, mp3 or ogg. `sample_rate` (Hz, 8000 to
        192000) is the stems' by default; `bit_depth` is 16 or 24, and 32 for wav in floating point. `normalize` brings
        the highest sample to -1 dBFS ("peak"), or the loudness to -14 LUFS with a true peak of at most -1 dBTP
        ("loudness"). `tags`: title, artist, album, comment. `progress` is told the share done.

        A file of that name is replaced. What a person should know of the file is logged, and added to `notices`. Returns
        the file's path. Raises `InvalidInputError`, `NotFoundError`, `DiskFullError`.
        """
        from sfwidgets import mixing

        target = Path(file).expanduser()
        output = mixing.Output(mixing.format_of(target, format), sample_rate, bit_depth, normalize, tags)
        whole = self.track(track)
        chosen = stem_set or next(iter(self.stem_sets(whole)), None)
        heard = mix or self.mix(whole)
        if chosen is None:
            heard = heard.model_copy(update={"source": MIXTURE})
        names = [] if chosen is None else [Path(one.name).stem for one in chosen.stems]
        self._check_lanes(whole, heard)
        gains = mixing.gains(heard, [*names, MIXTURE]) if stem is None else {stem: (1.0, 1.0)}
        with ExitStack() as files:
            lanes = {
                name: files.enter_context(closing(self.reader(whole, name, chosen))) for name in gains or names[:1]
            }
            first = next(iter(lanes.values()))
            start, end = _frames(span, first)
            clipped = mixing.render(
                mixing.mixed(lanes, gains, start, end),
                target,
                output,
                sample_rate=first.sample_rate,
                frames=end - start,
                speed=heard.speed,
                pitch=heard.pitch,
                progress=progress,
            )
        if clipped:
            told = f"{clipped} samples of {target.name} were beyond full scale and were limited: lower the volume."
            log.warning(told)
            if notices is not None:
                notices.append(told)
        return target

    def _check_lanes(self, track: Track, mix: Mix) -> None:
        """Raise `InvalidInputError` where a mix speaks of a lane that no stems of the track, and no model, have."""
        known = {Path(one.name).stem for found in self.stem_sets(track) for one in found.stems} | {MIXTURE, *STEM_ORDER}
        wrong = [name for name in mix.lanes if name.removeprefix("no_") not in known and name not in known]
        if wrong:
            raise InvalidInputError(
                f"There is no stem {wrong[0]!r} to mix. There may be: {', '.join(sorted(known - {MIXTURE}))}.",
                code="bad_mix",
            )

    def reader(self, track: TrackLike, lane: str, stem_set: StemSet | None = None) -> Reader:
        """Return what reads any part of a lane at once: a stem's name, or `mixture`.

        Without `stem_set`, the newest stems. The mixture has their sample rate and number of frames, so that all lanes
        lie side by side. Raises `NotFoundError`.
        """
        from sfwidgets import audio

        whole = self.track(track)
        chosen = stem_set or next(iter(self.stem_sets(whole)), None)
        if lane != MIXTURE:
            if chosen is None:
                raise NotFoundError("This track has no stems yet. Separate it first.", code="no_stems")
            try:
                stem = chosen[lane]
            except KeyError:
                names = ", ".join(Path(stem.name).stem for stem in chosen.stems)
                raise NotFoundError(
                    f"There is no stem {lane!r} among these: {names}. Choose one, or {MIXTURE!r}.", code="no_stems"
                ) from None
            return audio.Reader(self.path(stem), etag=f"{chosen.id}-{Path(stem.name).stem}", frames=stem.frames)
        if chosen is None:
            rate, frames = min(whole.sample_rate or 44100, _MAX_RATE), None
        else:
            rate, frames = chosen.stems[0].sample_rate, chosen.stems[0].frames
        file = self._library.rendition(whole.id, sample_rate=rate, frames=frames)
        reader = audio.Reader(file, etag="", frames=frames)
        reader.etag = f"{whole.content_hash}-{rate}-{reader.frames}"
        return reader


def _frames(span: Span | tuple[float, float] | None, reader: Reader) -> tuple[int, int]:
    """Return the first frame of a stretch and the one after its last; raises `InvalidInputError` where there is none."""
    if span is None:
        return 0, reader.frames
    start, end = (span.start, span.end) if isinstance(span, Span) else span
    if not (0 <= start < end and start < reader.frames / reader.sample_rate):
        raise InvalidInputError(
            f"From {start:g} s to {end:g} s there is nothing of this track, which is "
            f"{reader.frames / reader.sample_rate:.1f} s long.",
            code="bad_span",
        )
    return round(start * reader.sample_rate), min(round(end * reader.sample_rate), reader.frames)
