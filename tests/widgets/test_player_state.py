"""The stem player from Python: what is set, what is refused, what is saved, and what a page may ask."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from sfwidgets import Workbench
from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError
from sfwidgets.models import Lane, Mix, Track
from sfwidgets.widgets import player as module
from sfwidgets.widgets.player import StemPlayer

SECONDS = 6


@pytest.fixture(scope="module")
def track(shared_wb: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Track:
    from simple_song import write_song

    track = shared_wb.add(
        write_song(tmp_path_factory.mktemp("songs") / "player.wav", SECONDS, seed=41), artist="Someone"
    )
    shared_wb.separate(track, "embedded").wait()
    return shared_wb.track(track)


@pytest.fixture
def player(shared_wb: Workbench, track: Track) -> Iterator[StemPlayer]:
    shared_wb.save_mix(track, Mix())
    player = StemPlayer(shared_wb, track)
    yield player
    player.close()


def from_page(player: StemPlayer, **state: Any) -> None:
    """Set traits as a page does."""
    player.set_state(state)


def test_what_is_set_is_there_for_the_page(player: StemPlayer) -> None:
    player.stems["vocals"].muted = True
    player.stems["drums"].pan = -0.5
    player.speed, player.pitch, player.volume = 0.75, 2, 0.5
    player.source, player.click = "mixture", True
    player.loop = (1, 3)
    state = player.get_state()
    assert state["mix"]["lanes"]["vocals"] == {"volume": 1, "pan": 0, "muted": True, "soloed": False}
    assert state["mix"]["lanes"]["drums"]["pan"] == -0.5
    assert state["mix"]["loop"] == {"start": 1, "end": 3, "label": ""}
    assert [state["mix"][name] for name in ("speed", "pitch", "volume", "source", "click")] == [
        0.75,
        2,
        0.5,
        "mixture",
        True,
    ]
    assert state["key"] == player.model_id
    assert list(player.stems) == ["vocals", "drums", "bass", "other"]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda player: setattr(player, "speed", 9),
        lambda player: setattr(player, "pitch", "high"),
        lambda player: setattr(player, "loop", (3, 1)),
        lambda player: setattr(player, "loop", (1, SECONDS + 1)),
        lambda player: setattr(player, "loop", 4),
        lambda player: setattr(player, "time", SECONDS + 1),
        lambda player: setattr(player, "time", float("nan")),
        lambda player: setattr(player, "mix", 3),
        lambda player: setattr(player, "source", "tape"),
        lambda player: setattr(player.stems["vocals"], "volume", -1),
        lambda player: player.stems["kazoo"],
    ],
)
def test_what_cannot_be_is_refused(player: StemPlayer, attempt: Callable[[StemPlayer], object]) -> None:
    before = player.mix
    with pytest.raises(InvalidInputError):
        attempt(player)
    assert player.mix == before
    assert player.time == 0


def test_what_a_page_says_is_taken_and_what_it_cannot_mean_is_not(player: StemPlayer) -> None:
    from_page(
        player, mix={**player.mix.to_json(), "speed": 0.5, "lanes": {"bass": {"soloed": True}}}, time=2.5, playing=True
    )
    assert player.speed == 0.5
    assert player.stems["bass"].soloed
    assert (player.time, player.playing) == (2.5, True)
    from_page(player, mix={"speed": 99}, time=SECONDS + 0.01)
    assert player.speed == 0.5
    assert player.time == SECONDS
    kept = player.track
    from_page(player, track={"id": "../../etc", "duration": 1e9}, cues=[{"time": 1}])
    assert player.track == kept
    assert player.cues == []


def test_the_mix_is_saved_with_the_track_a_moment_later_and_at_the_end(
    shared_wb: Workbench, track: Track, player: StemPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVED_AFTER", 0.05)
    player.stems["other"].volume = 0.25
    deadline = time.monotonic() + 20
    while "other" not in shared_wb.mix(track).lanes and time.monotonic() < deadline:
        time.sleep(0.02)
    assert shared_wb.mix(track).lanes["other"].volume == 0.25
    monkeypatch.setattr(module, "SAVED_AFTER", 600)
    player.loop = (2, 4)
    player.close()
    assert shared_wb.mix(track).loop is not None
    again = StemPlayer(shared_wb, track)
    assert again.loop is not None
    assert (again.loop.start, again.stems["other"].volume) == (2, 0.25)
    again.close()


def test_another_track_takes_its_place_and_each_keeps_its_own_mix(
    shared_wb: Workbench, track: Track, player: StemPlayer, song: Callable[..., Path]
) -> None:
    other = shared_wb.add(song(3, seed=42))
    shared_wb.save_mix(other, Mix(speed=1.5, lanes={"harp": Lane(soloed=True)}))
    player.pitch = -3
    player.time = 5
    player.load(other)
    assert shared_wb.mix(track).pitch == -3
    assert (player.speed, player.pitch, player.time, player.playing) == (1.5, 0, 0, False)
    assert player.track["title"] == "song"
    assert not player.mix.lanes, "a lane that this track doesn't have would silence the others"
    assert [lane["name"] for lane in player.track["lanes"]] == ["mixture"]
    shared_wb.separate(other, "embedded").wait()
    player.time = 2
    player.load(other)
    assert len(player.stems) == 4
    assert player.time == 2, "the same track with stems goes on where it was"


def test_a_page_gets_the_audio_that_the_stem_holds(shared_wb: Workbench, track: Track, player: StemPlayer) -> None:
    stems = shared_wb.stems(track)
    truth, _ = soundfile.read(shared_wb.path(stems["bass"]), dtype="int16", always_2d=True)
    head, [data] = player.answer_audio("bass", 1000, 4000)
    assert head == {"start": 1000}
    got = np.frombuffer(data, dtype="<i2").reshape(-1, 2)
    assert np.abs(got.astype(int) - truth[1000:5000]).max() <= 1
    _, [end] = player.answer_audio("bass", len(truth) - 10, 100)
    assert len(end) == 10 * 4
    sound = player.answer_sound()
    assert sound["frames"] == len(truth)
    assert next(lane["url"] for lane in sound["lanes"]) == f"api/tracks/{track.id}/stems/{stems.id}/vocals.wav"


def test_a_page_gets_outlines_of_eight_bits(player: StemPlayer) -> None:
    head, [pairs] = player.answer_peaks("mixture")
    assert head == {"sampleRate": 44100, "samplesPerPixel": 256}
    assert len(pairs) == 2 * -(-SECONDS * 44100 // 256)
    assert 20 < np.frombuffer(pairs, dtype=np.int8).max() <= 127


@pytest.mark.parametrize(
    "question",
    [
        lambda player: player.answer_audio("../../secret", 0, 10),
        lambda player: player.answer_audio("vocals", -1, 10),
        lambda player: player.answer_audio("vocals", 0, 10**9),
        lambda player: player.answer_audio("vocals", "0", 10),
        lambda player: player.answer_peaks("/etc/passwd"),
        lambda player: player.answer_export("mix", "../x", {}),
        lambda player: player.answer_export("../x", "wav", {}),
        lambda player: player.answer_export("mix", "wav", {}, span=[0, 99]),
        lambda player: player.answer_export("mix", "wav", {"speed": 99}),
        lambda player: player.answer_cues([{"time": 99, "label": "Far", "type": "cue"}]),
    ],
)
def test_a_page_that_asks_for_what_it_may_not_is_refused(
    player: StemPlayer, question: Callable[[StemPlayer], object]
) -> None:
    with pytest.raises(InvalidInputError):
        question(player)


def test_a_page_exports_what_is_heard(shared_wb: Workbench, track: Track, player: StemPlayer, tmp_path: Path) -> None:
    stems = shared_wb.stems(track)
    mix = Mix(lanes={"vocals": Lane(muted=True), "bass": Lane(volume=0.5), "drums": Lane(volume=0.25)})
    job = player.answer_export("mix", "wav", mix.to_json(), span=[1, 3], bitDepth=32, tags={"title": "Karaoke"})
    file = _finished(player, job)
    assert file["name"] == "Someone – player (mix).wav"
    data, offset = b"", 0
    while offset < file["size"]:
        _, [piece] = player.answer_handed(file["token"], offset)
        assert len(piece) <= 1_000_000
        data, offset = data + piece, offset + len(piece)
    got, rate = soundfile.read(BytesIO(data), dtype="float64")
    parts = {
        name: soundfile.read(shared_wb.path(stems[name]), dtype="float64", always_2d=True)[0][rate : 3 * rate]
        for name in ("drums", "bass", "other")
    }
    assert np.abs(got - (0.25 * parts["drums"] + 0.5 * parts["bass"] + parts["other"])).max() < 1e-4
    assert player.answer_taken(file["token"])
    with pytest.raises(NotFoundError):
        player.answer_handed(file["token"], 0)


def test_an_export_from_python_is_what_is_heard(player: StemPlayer, tmp_path: Path) -> None:
    player.stems["vocals"].soloed = True
    written = player.export(tmp_path / "solo.flac", span=(0, 2))
    alone = player.export(tmp_path / "alone.flac", stem="vocals", span=(0, 2))
    heard, truth = (soundfile.read(path)[0] for path in (written, alone))
    assert np.array_equal(heard, truth)


def test_one_export_at_a_time_and_a_cancelled_one_leaves_nothing(player: StemPlayer) -> None:
    slow = player.answer_export("mix", "wav", Mix(speed=0.25, pitch=3).to_json())
    try:
        with pytest.raises(ConflictError):
            player.answer_export("mix", "wav", {})
    finally:
        player.answer_cancel_export(slow)
    player._export._thread.join(60)  # type: ignore[union-attr]
    assert not player._handed_files()
    with pytest.raises(NotFoundError):
        player.answer_exporting("another")


def test_cue_points_are_kept_with_the_track(shared_wb: Workbench, track: Track, player: StemPlayer) -> None:
    player.answer_cues([{"time": 4, "label": "Drop", "type": "cue"}, {"time": 1, "label": "In", "type": "cue"}])
    assert [cue["label"] for cue in player.cues] == ["Drop", "In"]
    said = shared_wb.correct(track).cue_points
    assert said is not None
    assert {cue.label for cue in said} == {"Drop", "In"}
    again = StemPlayer(shared_wb, track)
    assert len(again.cues) == 2
    again.close()
    player.answer_cues([])


def test_a_deleted_track_is_told_in_a_sentence(wb: Workbench, song: Callable[..., Path]) -> None:
    track = wb.add(song(2))
    player = StemPlayer(wb, track)
    wb.delete(track)
    with pytest.raises(NotFoundError, match=r"deleted|no track"):
        player.answer_sound()
    player.speed = 0.5
    player.close()
    assert "no track" in player.fault
    with pytest.raises(NotFoundError):
        StemPlayer(wb, track)


def test_a_notebook_keeps_a_small_picture(player: StemPlayer) -> None:
    still = player.still()
    assert len(still) < 80_000
    assert 'alt="Someone – player: waveforms of vocals, drums, bass, other"' in still
    found = re.search(r"base64,([^\"]+)", still)
    assert found is not None
    assert Image.open(BytesIO(b64decode(found[1]))).width == module.STILL_WIDTH
    assert len(str(player.get_state(["track", "mix", "cues", "time", "playing", "key"]))) < 5000


def _finished(player: StemPlayer, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = player.answer_exporting(job)
        if state["file"]:
            return dict(state["file"])
        time.sleep(0.02)
    raise AssertionError("the export does not end")


def test_two_players_of_a_track_lose_nothing_of_one_another(shared_wb: Workbench, track: Track) -> None:
    first, second = StemPlayer(shared_wb, track), StemPlayer(shared_wb, track)
    first.change(loops=[{"start": 1, "end": 2, "label": "kept"}])
    first.close()
    second.volume = 0.75
    second.close()
    kept = shared_wb.mix(track)
    assert [loop.label for loop in kept.loops] == ["kept"]
    assert kept.volume == 0.75


def test_what_was_set_last_is_kept_when_the_process_ends(shared_wb: Workbench, track: Track) -> None:
    script = (
        "from sfwidgets import Workbench\nfrom sfwidgets.widgets import StemPlayer\n"
        f"player = StemPlayer(Workbench({str(shared_wb.settings.library)!r}), {track.id!r})\nplayer.speed = 0.5"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert shared_wb.mix(track).speed == 0.5


def test_a_wrong_name_of_a_stem_is_refused(shared_wb: Workbench, track: Track, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="'vocal'"):
        shared_wb.render(track, tmp_path / "a.wav", mix=Mix(lanes={"vocal": Lane(muted=True)}))
    player = StemPlayer(shared_wb, track)
    with pytest.raises(AttributeError):
        player.stems["vocals"].mute = True
