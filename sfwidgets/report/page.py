"""The report of a track: one file of HTML with a player of its stems, the picture, the numbers, and what to know of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from sfwidgets.bundles import bundle
from sfwidgets.models import MIXTURE, Analysis, Scores, Stem, StemSet, Track, stem_rank
from sfwidgets.models.base import utc_now
from sfwidgets.report import facts, sound
from sfwidgets.report.template import TEMPLATES, inline, write_page

if TYPE_CHECKING:
    from sfwidgets.audio import Peaks
    from sfwidgets.workbench import TrackLike, Workbench

LONGEST = 15 * 60
"""Seconds: the sound of a longer track is linked, not embedded, or its page would take a browser too long to open."""

_LARGEST_COVER = 1_000_000


def write_report(
    wb: Workbench,
    track: TrackLike,
    file: str | Path,
    *,
    stem_set: StemSet | None = None,
    scores: Scores | None = None,
) -> Path:
    """Write the report of a track that is separated and analysed; a file of that name is replaced. Returns its path.

    The page holds a player of the stems (the newest, unless `stem_set` says which) and plays from a file, without a
    server. It links what lies beside it: `stems/`, `analysis.json`, `notebook.ipynb`. Of a track of more than 15
    minutes the sound is linked only. `scores` are what `wb.score` said, if it was asked already.

    Raises `NotFoundError` where there are no stems or no analysis, `InvalidInputError` where the file can't be
    written, `DiskFullError`.
    """
    target = Path(file).expanduser()
    whole = wb.track(track)
    stems = stem_set or wb.stems(whole)
    analysis = wb.analysis(whole, corrected=True)
    embedded = analysis.duration <= LONGEST
    player, players_style = bundle("report")
    return write_page(
        target,
        "report.html",
        title=" – ".join(filter(None, (whole.artist, whole.title))),
        track=whole,
        cover=_cover(wb, whole),
        stems=stems,
        analysis=analysis,
        headline=facts.headline(analysis),
        groups=facts.groups(analysis),
        notices=[*stems.notices, *analysis.notices],
        pictures={theme: _picture(wb, whole, theme) for theme in ("light", "dark")},
        scores=wb.score(whole, stems) if scores is None else scores,
        beside=_beside(target.parent),
        embedded=embedded,
        longest=LONGEST // 60,
        script=player,
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8") + players_style,
        data=_data(wb, whole, stems, analysis) if embedded else None,
        lanes=_lanes(wb, whole, stems) if embedded else {},
        clock=facts.clock,
        chord=facts.chord,
        made=utc_now(),
    )


def _in_order(stems: StemSet) -> list[Stem]:
    return sorted(stems.stems, key=lambda stem: stem_rank(stem.type))


def _names(stems: StemSet) -> list[str]:
    return [Path(stem.name).stem for stem in _in_order(stems)]


def _lanes(wb: Workbench, track: Track, stems: StemSet) -> dict[str, Iterator[str]]:
    """Return each lane's segments as JSON, made while the page is written."""
    return {name: sound.lane(wb.reader(track, name, stems)) for name in [*_names(stems), MIXTURE]}


def _data(wb: Workbench, track: Track, stems: StemSet, analysis: Analysis) -> dict[str, Any]:
    """Return what the player is made from beside the sound: what a widget would be told by its kernel."""
    mixture = wb.reader(track, MIXTURE, stems)
    lanes = [{"name": Path(stem.name).stem, "type": stem.type, "group": "stems"} for stem in _in_order(stems)]
    marks = ("tempo", "timeSignature", "key", "beats", "downbeats", "sections", "cuePoints", "chords")
    return {
        "track": {
            "id": track.id, "title": track.title, "artist": track.artist, "album": track.album,
            "duration": mixture.frames / mixture.sample_rate, "sampleRate": mixture.sample_rate,
            "frames": mixture.frames, "lanes": [*lanes, {"name": MIXTURE, "type": MIXTURE, "group": MIXTURE}],
            "preview": stems.model if stems.preview else "", "notices": [],
        },
        "peaks": {name: _outline(peaks) for name, peaks in wb.peaks(track, stems).items()},
        "analysis": {name: value for name, value in analysis.to_json().items() if name in marks},
        "mix": wb.mix(track).to_json(),
    }  # fmt: skip


def _outline(peaks: Peaks) -> dict[str, Any]:
    """Return peaks as pairs of bytes, lowest and highest, full scale at ±127, in base64."""
    pairs = np.stack((np.floor(peaks.minima * 127), np.ceil(peaks.maxima * 127)), axis=1).astype(np.int8)
    return {
        "sampleRate": peaks.sample_rate,
        "samplesPerPixel": peaks.samples_per_pixel,
        "pairs": b64encode(pairs.tobytes()).decode(),
    }


def _picture(wb: Workbench, track: Track, theme: Any) -> str:
    return inline("image/png", wb.overview(track, theme=theme)._repr_png_())


def _cover(wb: Workbench, track: Track) -> str | None:
    found = wb.artwork(track)
    if found is None or len(found[0]) > _LARGEST_COVER or found[1] not in ("image/jpeg", "image/png"):
        return None
    return inline(found[1], found[0])


def _beside(folder: Path) -> dict[str, dict[str, str]]:
    """Return the files that the page links: stems as name → address, others as address → what they are."""
    stems = sorted(file.name for file in (folder / "stems").glob("*.*"))
    others = {"analysis.json": "the whole analysis", "notebook.ipynb": "the notebook that made this"}
    return {
        "stems": {name: quote(f"stems/{name}") for name in stems},
        "others": {name: what for name, what in others.items() if (folder / name).exists()},
    }
