"""The stem player's engine in a real Chromium: what sounds is what was asked for, sample by sample."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pages import build_page
from playwright.sync_api import Page

RATE = 44100
QUANTUM = 128
FADE = 256
RAMP = 384
MEGABYTE = 1_000_000

Floats = NDArray[np.float64]
Step = tuple[float, list[list[Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built page, and a WAV file of noise beside it."""
    out = tmp_path_factory.mktemp("engine")
    build_page("engine_page", out)
    noise = np.random.default_rng(0).integers(-20000, 20000, (8 * RATE, 2)).astype(np.int16)
    soundfile.write(out / "noise.wav", noise, RATE, subtype="PCM_16")
    return out


class Handler(SimpleHTTPRequestHandler):
    """Files, with byte ranges and an ETag; `/status/<n>` answers with that status."""

    def do_GET(self) -> None:
        """Answer with a file or a part of it."""
        if self.path.startswith("/status/"):
            self.send_error(int(self.path.rsplit("/", 1)[-1]))
            return
        wanted = self.headers.get("Range")
        if wanted is None:
            super().do_GET()
            return
        first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        with Path(self.translate_path(self.path)).open("rb") as file:
            file.seek(first)
            part = file.read(last + 1 - first)
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def end_headers(self) -> None:
        """Say the ETag of all that is served."""
        self.send_header("ETag", '"abc"')
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a server of that folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def engine(page: Page, address: str) -> Page:
    """The page with the engine."""
    page.goto(f"{address}/index.html")
    page.wait_for_function("window.loaded")
    return page


@dataclass
class Render:
    """What an offline render gave."""

    left: Floats
    right: Floats
    times: list[float]
    faults: list[str]
    most: dict[str, int]
    levels: dict[str, list[float]]

    @property
    def frames(self) -> NDArray[np.int64]:
        """The frame that each sample says it is, where the lane `frames` sounds alone and as it is."""
        return np.round(self.left * 32768 + self.right * 32768 * 32768).astype(np.int64)


def floats(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), np.float32).astype(np.float64)


def stems(*names: str, group: str = "stems") -> list[dict[str, str]]:
    return [{"name": name, "group": group} for name in names]


def render(page: Page, lanes: list[dict[str, str]], seconds: float, steps: list[Step], **more: Any) -> Render:
    given = {"lanes": lanes, "seconds": seconds, "track": 30, "steps": steps, **more}
    found = page.evaluate("(given) => render(given)", given)
    found["left"], found["right"] = floats(found["left"]), floats(found["right"])
    return Render(**found)


def quantised(seconds: float) -> int:
    """The sample at which an offline context stops when it is told to stop at this time."""
    return int(np.ceil(seconds * RATE / QUANTUM)) * QUANTUM


def lag(left: Floats, right: Floats) -> int:
    """By how many samples `right` comes after `left`, by cross-correlation."""
    spectrum = np.conj(np.fft.rfft(left, 2 * len(left))) * np.fft.rfft(right, 2 * len(left))
    place = int(np.argmax(np.fft.irfft(spectrum)))
    return place if place < len(left) else place - 2 * len(left)


def peak(samples: Floats) -> float:
    """The strongest frequency."""
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * RATE / len(samples))


# What sounds is what was asked for


def test_at_speed_one_every_sample_is_the_file_s_own(engine: Page) -> None:
    got = render(engine, stems("frames"), 3, [(0, [["seek", 5.25], ["play"]])])
    assert np.array_equal(got.frames[FADE:], np.arange(round(5.25 * RATE), round(8.25 * RATE))[FADE:])


@dataclass
class Playhead:
    """A model of the playhead: what frame is heard at each sample, and where fades blur it."""

    frame: int = 0
    loop: tuple[int, int] | None = None
    heard: list[int] = field(default_factory=list)
    clear: list[bool] = field(default_factory=list)

    def run(self, until: int, *, jumped: bool) -> None:
        first = len(self.heard)
        while len(self.heard) < until:
            within = self.loop is not None and self.frame < self.loop[1]
            seam = within and self.loop is not None and self.frame >= self.loop[1] - FADE
            self.heard.append(self.frame)
            self.clear.append(not seam and not (jumped and len(self.heard) - first <= FADE))
            self.frame += 1
            if within and self.loop is not None and self.frame == self.loop[1]:
                self.frame = self.loop[0]


def test_seeks_and_loops_land_on_the_very_frame(engine: Page) -> None:
    chance = random.Random(1)
    head, steps = Playhead(), []
    head.frame = 0
    actions: list[list[Any]] = [["play"]]
    jumped = True
    for index in range(40):
        if index:
            start = chance.randrange(0, 28 * RATE)
            kind = chance.choice(["seek", "loop", "unloop"])
            if kind == "seek":
                actions, jumped, head.frame = [["seek", start / RATE]], True, start
            elif kind == "loop":
                end = start + chance.randrange(3000, 12000)
                actions = [["setLoop", {"start": start / RATE, "end": end / RATE}], ["seek", (start + 500) / RATE]]
                jumped, head.frame, head.loop = True, start + 500, (start, end)
            else:
                actions, jumped, head.loop = [["setLoop", None]], False, None
        steps.append((index * 0.2, actions))
        head.run(quantised((index + 1) * 0.2), jumped=jumped)
    got = render(engine, stems("frames"), 8, steps)
    clear = np.array(head.clear)[: len(got.frames)]
    assert clear.mean() > 0.9
    assert np.array_equal(got.frames[clear], np.array(head.heard)[: len(got.frames)][clear])
    assert not got.faults


def test_the_end_of_a_loop_blends_into_what_comes_before_its_start(engine: Page) -> None:
    loop = {"start": 2, "end": 2.1}
    got = render(engine, stems("steady"), 1, [(0, [["setLoop", loop], ["seek", 2], ["play"]])])
    assert np.allclose(got.left[FADE:], 0.25)
    tone = render(engine, stems("tone"), 1, [(0, [["setLoop", loop], ["seek", 2], ["play"]])])
    assert np.abs(np.diff(tone.left)).max() < 0.05


def test_three_minutes_do_not_drift(engine: Page) -> None:
    steps: list[Step] = [(0, [["play"]]), *((at, []) for at in range(10, 180, 10))]
    got = render(engine, stems("frames", "silence"), 180, steps, track=200, every=100)
    assert np.array_equal(got.frames[3:], np.arange(0, 180 * RATE, 100)[3:])
    assert got.times == pytest.approx([0, *(quantised(at) / RATE for at in range(10, 180, 10))], abs=1e-9)


def test_a_pause_holds_the_place(engine: Page) -> None:
    got = render(engine, stems("frames"), 3, [(0, [["play"]]), (1, [["pause"]]), (2, [["play"]])])
    paused, resumed = quantised(1), quantised(2)
    assert not got.left[paused + FADE : resumed].any()
    assert np.array_equal(got.frames[resumed + FADE :], paused + np.arange(FADE, len(got.left) - resumed))
    assert got.times[1] == got.times[2] == paused / RATE


def test_the_end_is_told_and_play_begins_anew(engine: Page) -> None:
    found = engine.evaluate(
        """async () => {
          const context = new OfflineAudioContext(2, 4 * 44100, 44100);
          const lanes = [{ name: "steady", group: "stems" }];
          const engine = new Engine({ lanes, sampleRate: 44100, frames: 44100, source: computed(), context });
          const told = [];
          for (const name of ["ended", "state"]) engine.addEventListener(name, () => told.push(`${name} ${engine.playing}`));
          await engine.settled();
          await engine.play();
          await engine.settled();
          context.suspend(2).then(async () => {
            await engine.settled();
            told.push(`at ${engine.time}`);
            await engine.play();
            await engine.settled();
            context.resume();
          });
          const audio = (await context.startRendering()).getChannelData(0);
          engine.close();
          return { told, sounds: [0.5, 1.5, 2.5, 3.5].map((at) => audio[Math.round(at * 44100)]) };
        }"""
    )
    assert found["sounds"] == [0.25, 0, 0.25, 0]
    assert "ended false" in found["told"]
    assert "at 1" in found["told"]


def test_audio_that_is_late_stops_the_clock_and_loses_nothing(engine: Page) -> None:
    found = engine.evaluate(
        """async () => {
          const source = computed({ from: 2 * 44100 });
          const context = new OfflineAudioContext(2, 6 * 44100, 44100);
          const lanes = [{ name: "frames", group: "stems" }];
          const engine = new Engine({ lanes, sampleRate: 44100, frames: 20 * 44100, source, context });
          const buffering = [];
          engine.seek(0.5);
          await engine.settled();
          source.held = true;
          await engine.play();
          await new Promise((resolve) => setTimeout(resolve, 50));
          context.suspend(4).then(async () => {
            await new Promise((resolve) => setTimeout(resolve, 100));
            buffering.push(engine.buffering, engine.playing, engine.time);
            source.held = false;
            await engine.settled();
            context.resume();
          });
          const audio = await context.startRendering();
          engine.close();
          return { left: base64(audio.getChannelData(0)), right: base64(audio.getChannelData(1)), buffering };
        }"""
    )
    frames = np.round(floats(found["left"]) * 32768 + floats(found["right"]) * 32768 * 32768).astype(np.int64)
    waiting, playing, time = found["buffering"]
    stopped = round(time * RATE)
    assert waiting
    assert playing
    assert 2.9 < time < 3
    resumed = quantised(4)
    assert not frames[stopped - RATE // 2 + FADE + QUANTUM : resumed].any()
    assert np.array_equal(frames[resumed + FADE :], stopped + np.arange(FADE, len(frames) - resumed))


# In step


@pytest.mark.parametrize("kind", ["noise", "pulses"])
def test_lanes_stay_in_step_through_a_hundred_random_actions(engine: Page, kind: str) -> None:
    chance = random.Random(4)
    a, b = f"{kind}.a", f"{kind}.b"
    lanes = [*stems(a, b, "tone"), *stems("silence", group="mixture")]
    apart = [["setLane", a, {"pan": -1}], ["setLane", b, {"pan": 1}], ["setLane", "tone", {"volume": 0}]]
    steps: list[Step] = [(0, [*apart, ["play"]])]
    muted: set[str] = set()
    soloed: set[str] = set()
    group, speed, pitch = "stems", 1.0, 0
    truth = [(True, False)]
    for index in range(1, 101):
        place = chance.uniform(0, 28)
        action = chance.choice(["seek", "loop", "unloop", "speed", "pitch", "plain", "mute", "solo", "group"])
        does: list[list[Any]]
        if action == "seek":
            does = [["seek", place]]
        elif action == "loop":
            does = [["setLoop", {"start": place, "end": place + chance.uniform(0.1, 1)}]]
        elif action == "unloop":
            does = [["setLoop", None]]
        elif action == "speed":
            speed = chance.choice([0.5, 0.8, 1, 1, 1, 1.3])
            does = [["setSpeed", speed]]
        elif action == "pitch":
            pitch = chance.choice([-3, 0, 0, 0, 0, 4])
            does = [["setPitch", pitch]]
        elif action == "plain":
            speed, pitch = 1, 0
            does = [["setSpeed", 1], ["setPitch", 0]]
        elif action == "mute":
            muted = set(chance.choice([(), (), (), (a,), ("tone",)]))
            does = [["setLane", lane, {"muted": lane in muted}] for lane in (a, b, "tone")]
        elif action == "solo":
            soloed = set(chance.choice([(), (a, b), (a, b, "tone"), (b,)]))
            does = [["setLane", lane, {"soloed": lane in soloed}] for lane in (a, b, "tone")]
        else:
            group = chance.choice(["mixture", "stems", "stems", "stems"])
            does = [["setGroup", group]]
        steps.append((index * 0.3, [*does, ["play"]]))
        both = all(lane not in muted and (not soloed or lane in soloed) for lane in (a, b))
        truth.append((both and group == "stems", speed != 1 or pitch != 0))
    got = render(engine, lanes, 0.3 * len(steps), steps)
    assert not got.faults
    compared = {True: 0, False: 0}
    for index, (both, stretching) in enumerate(truth):
        if not both:
            continue
        part = slice(quantised(index * 0.3) + RATE // 8, quantised((index + 1) * 0.3))
        left, right = got.left[part], got.right[part]
        if not left.any():
            continue
        compared[stretching] += 1
        if stretching:
            assert abs(lag(left, right)) <= 1, index
            assert np.corrcoef(left, right)[0, 1] > 0.99
        else:
            assert np.array_equal(left, right), index
    assert min(compared.values()) > 15


def test_a_lane_and_its_opposite_are_silence(engine: Page) -> None:
    steps: list[Step] = [(0, [["play"]]), *((0.1 * i, [["seek", 0.7 * i]]) for i in range(1, 40))]
    assert not render(engine, stems("same", "opposite"), 4, steps).left.any()
    assert render(engine, stems("same", "opposite", "noise"), 4, steps).left.any()


# How loud


def test_gains_follow_the_law(engine: Page) -> None:
    chance = random.Random(3)
    lanes = [*stems("a", "b", "c"), *stems("mixture", group="mixture")]
    for _ in range(50):
        said = {
            lane["name"]: {
                "volume": chance.uniform(0, 2),
                "pan": chance.uniform(-1, 1),
                "muted": chance.random() < 0.3,
                "soloed": chance.random() < 0.3,
            }
            for lane in lanes
        }
        group = chance.choice(["stems", "mixture"])
        got = engine.evaluate(
            "([lanes, said, group]) => [...gains(lanes, new Map(Object.entries(said)), group)]", [lanes, said, group]
        )
        soloing = any(said[name]["soloed"] for name in "abc")
        expected: list[float] = []
        for name in "abc":
            lane = said[name]
            sounds = group == "stems" and not lane["muted"] and (lane["soloed"] or not soloing)
            expected += [sounds * lane["volume"] * min(1, 1 + side * lane["pan"]) for side in (-1, 1)]
        expected += [1, 1] if group == "mixture" else [0, 0]
        assert got == pytest.approx(expected, abs=1e-6)


def test_what_is_set_is_heard_and_metered(engine: Page) -> None:
    steps: list[Step] = [
        (0, [["setLane", "steady", {"volume": 0.5, "pan": 0.25}], ["play"]]),
        (0.5, [["setVolume", 2]]),
        (1, [["setLane", "steady", {"muted": True}]]),
        (1.5, [["setLane", "steady", {"muted": False}], ["setLane", "silence", {"soloed": True}]]),
    ]
    got = render(engine, stems("steady", "silence"), 2, steps)
    heard = [(got.left[round(at * RATE)], got.right[round(at * RATE)]) for at in (0.4, 0.9, 1.4, 1.9)]
    assert np.allclose(heard, [(0.09375, 0.125), (0.1875, 0.25), (0, 0), (0, 0)], atol=1e-4)
    assert got.levels["steady"] == pytest.approx([0.09375, 0.125], abs=1e-4)
    assert got.levels["silence"] == [0, 0]
    assert got.levels["master"] == pytest.approx([0.1875, 0.25], abs=1e-4)


def test_no_change_of_gain_or_group_clicks(engine: Page) -> None:
    lanes = [*stems("steady", "silence"), *stems("steady.m", group="mixture")]
    steps: list[Step] = [
        (0, [["setLane", "steady", {"volume": 0.5}], ["play"]]),
        (0.3, [["setGroup", "mixture"]]),
        (0.6, [["setGroup", "stems"]]),
        (0.9, [["setLane", "steady", {"muted": True}]]),
        (1.2, [["setLane", "steady", {"muted": False}]]),
        (1.5, [["setVolume", 0.2]]),
        (1.8, [["seek", 4]]),
        (2.1, [["pause"]]),
    ]
    got = render(engine, lanes, 2.5, steps)
    assert np.abs(np.diff(got.left)).max() <= 0.25 / FADE
    assert got.left[round(0.5 * RATE)] == 0.25
    assert got.left[round(0.8 * RATE)] == 0.125


# Speed and pitch


def test_half_speed_keeps_the_pitch_and_takes_twice_as_long(engine: Page) -> None:
    got = render(engine, stems("tone"), 5, [(0, [["setSpeed", 0.5], ["play"]])], track=2)
    assert peak(got.left[RATE : 3 * RATE]) == pytest.approx(440, abs=1)
    assert np.abs(got.left[round(3.8 * RATE) : round(3.95 * RATE)]).max() > 0.3
    assert np.abs(got.left[round(4.05 * RATE) :]).max() < 0.01


def test_an_octave_up_takes_as_long(engine: Page) -> None:
    got = render(engine, stems("tone"), 3, [(0, [["setPitch", 12], ["play"]])], track=2)
    assert peak(got.left[RATE // 2 : 3 * RATE // 2]) == pytest.approx(880, abs=2)
    assert np.abs(got.left[round(1.8 * RATE) : round(1.95 * RATE)]).max() > 0.3
    assert np.abs(got.left[round(2.05 * RATE) :]).max() < 0.01


@pytest.mark.parametrize(
    ("speed", "rate"), [(0.25, 44100), (0.7, 44100), (2, 44100), (0.6, 22050), (1.5, 48000), (0.8, 96000)]
)
def test_what_is_told_is_what_is_heard_at_any_speed(engine: Page, speed: float, rate: int) -> None:
    """Impulses, one every 22050 frames, are heard when the clock says so, also after another change of speed."""
    steps: list[Step] = [(0, [["setSpeed", speed], ["seek", 2.05], ["play"]]), (3, [["setSpeed", 0.9]]), (4, [])]
    got = render(engine, stems("impulses"), 7, steps, rate=rate)
    middle, late = (int(np.ceil(at * rate / QUANTUM)) * QUANTUM for at in (3, 4))
    for first, last, time, rates in (
        (0, middle, 2.05, speed),
        (late, len(got.left), got.times[2], 0.9),
    ):
        part = np.abs(got.left[first:last])
        for place in np.flatnonzero(part > 0.5 * part.max()):
            heard = time * rate + place * rates
            off = (heard - np.round(heard / 22050) * 22050) / rates / rate
            assert abs(off) < (0.001 if rates > 0.5 else 0.003)


def test_back_at_speed_one_nothing_is_in_the_way(engine: Page) -> None:
    steps: list[Step] = [
        (0, [["setSpeed", 0.75], ["setPitch", 2], ["play"]]),
        (1, [["setSpeed", 1], ["setPitch", 0]]),
        (2, []),
    ]
    got = render(engine, stems("frames"), 3, steps)
    after = got.frames[quantised(1) + FADE :]
    assert np.array_equal(np.diff(after), np.ones(len(after) - 1))
    assert after[0] == pytest.approx(0.75 * quantised(1) + FADE, abs=2)
    assert got.times[2] == pytest.approx((after[0] - FADE + quantised(2) - quantised(1)) / RATE, abs=1e-9)


def test_a_mute_is_heard_at_once_behind_the_stretcher(engine: Page) -> None:
    got = render(
        engine, stems("tone"), 2, [(0, [["setSpeed", 0.5], ["play"]]), (1, [["setLane", "tone", {"muted": True}]])]
    )
    assert np.abs(got.left[quantised(1) - 2000 : quantised(1)]).max() > 0.3
    assert np.abs(got.left[quantised(1) + 2 * FADE : quantised(1) + 20000]).max() < 0.01


# The click


@pytest.mark.parametrize("speed", [1, 0.5])
def test_clicks_fall_on_the_beats(engine: Page, speed: float) -> None:
    beats = [0.5, 1.0, 1.513, 2.0, 2.5]
    steps: list[Step] = [(0, [["setClick", True, 1], ["setSpeed", speed], ["play"]])]
    got = render(engine, stems("silence"), 2.8 / speed, steps, beats=beats, downbeats=[0.5, 2.51])
    loud = np.flatnonzero(np.abs(got.left) > 0.3)
    starts = [loud[0], *(b for a, b in pairwise(loud) if b - a > RATE // 10)]
    assert np.array(starts) / RATE == pytest.approx([beat / speed for beat in beats], abs=0.001)
    peaks = [np.abs(got.left[start : start + 500]).max() for start in starts]
    assert [size > 0.7 for size in peaks] == [True, False, False, False, True]


def test_clicks_go_round_with_the_loop(engine: Page) -> None:
    steps: list[Step] = [(0, [["setClick", True, 1], ["setLoop", {"start": 1, "end": 1.75}], ["seek", 1], ["play"]])]
    got = render(engine, stems("silence"), 3, steps, beats=[1.0, 1.5, 2.0], downbeats=[])
    loud = np.flatnonzero(np.abs(got.left) > 0.3)
    starts = [loud[0], *(b for a, b in pairwise(loud) if b - a > RATE // 10)]
    assert np.array(starts) / RATE == pytest.approx([0, 0.5, 0.75, 1.25, 1.5, 2, 2.25, 2.75], abs=0.001)


# What it holds


def test_it_holds_only_what_is_near_the_playhead(engine: Page) -> None:
    lanes = [*stems(*(f"silence.{i}" for i in range(6))), *stems("silence", group="mixture")]
    loop = {"start": 200, "end": 202}
    steps: list[Step] = [
        (0, [["play"]]),
        *((i * 0.5, [["seek", i * 13.7]]) for i in range(1, 20)),
        (10, [["setLoop", loop], ["seek", 190]]),
        (10.5, [["seek", 201.9]]),
    ]
    got = render(engine, lanes, 11, steps, track=300, every=100)
    assert 8 * MEGABYTE < got.most["bytes"] < 60 * MEGABYTE
    assert got.most["chunks"] * len(lanes) * RATE * 4 < 60 * MEGABYTE


def test_the_loop_s_start_is_held_while_its_end_plays(engine: Page) -> None:
    plan = engine.evaluate(
        "() => plan({ frame: 585, loop: { start: 101, end: 600 }, frames: 900, chunk: 10, ahead: 6, behind: 2 })"
    )
    assert plan[:6] == [58, 59, 10, 11, 12, 13]
    assert {9, 57, 56} <= set(plan)
    assert len(plan) <= 11


# The page's own sound

START = """async (given) => {
  const lanes = [{ name: "tone", group: "stems" }];
  const engine = new Engine({ lanes, sampleRate: 44100, frames: 60 * 44100, source: computed(), ...given });
  window.engine = engine;
  window.told = [];
  engine.addEventListener("fault", (event) => told.push(event.detail.message));
  engine.addEventListener("state", () => told.push(engine.buffering ? "waits" : engine.playing ? "plays" : "stands"));
  document.getElementById("play").onclick = () => engine.play();
  await engine.ready;
}"""


def test_a_click_starts_it_and_closing_ends_it(engine: Page) -> None:
    engine.evaluate(
        """() => {
          window.contexts = [];
          window.AudioContext = class extends AudioContext {
            constructor(...given) { super(...given); contexts.push(this); }
          };
        }"""
    )
    engine.evaluate(START, {})
    assert engine.evaluate("contexts.length") == 1
    engine.click("#play")
    engine.wait_for_function("engine.time > 0.3 && engine.levels().tone[0] > 0.3")
    assert engine.evaluate("(engine.seek(30), engine.time)") == 30
    engine.wait_for_function("engine.time > 30.2")
    engine.evaluate("engine.setSpeed(0.5)")
    engine.evaluate("engine.settled()")
    engine.evaluate("engine.pause()")
    engine.evaluate("engine.settled()")
    paused = engine.evaluate("engine.time")
    engine.wait_for_timeout(150)
    assert engine.evaluate("engine.time") == paused
    told = engine.evaluate("told")
    assert told[:2] == ["waits", "plays"]
    assert told[-1] == "stands"
    engine.evaluate("engine.close()")
    engine.wait_for_function("contexts[0].state === 'closed'")


def test_a_read_that_fails_is_tried_again_then_told(engine: Page) -> None:
    engine.evaluate("() => { window.source = computed(); source.fails = true; }")
    engine.evaluate(START.replace("source: computed()", "source"), {})
    engine.wait_for_function("told.length")
    assert engine.evaluate("told") == [
        "The audio could not be read. Check the connection to the server, then press play again."
    ]
    tried = engine.evaluate("source.asked")
    engine.wait_for_timeout(300)
    assert engine.evaluate("source.asked") == tried <= 6
    assert not engine.evaluate("engine.playing")
    engine.evaluate("() => { source.fails = false; }")
    engine.click("#play")
    engine.wait_for_function("engine.time > 0.1")
    engine.evaluate("engine.close()")


def test_where_the_browser_forbids_it_a_sentence_says_so(page: Page, folder: Path) -> None:
    """An address that is neither https nor localhost has no AudioWorklet."""
    page.route("http://sound.test/*", lambda route: route.fulfill(path=folder / route.request.url.rsplit("/", 1)[-1]))
    page.goto("http://sound.test/index.html")
    page.wait_for_function("window.loaded")
    page.evaluate(START, {})
    page.click("#play")
    page.wait_for_function("told.at(-1).includes('https or on localhost') && !engine.playing")


def test_without_a_click_a_sentence_asks_for_one(engine: Page) -> None:
    """Chromium leaves `resume` waiting for ever where the page was not touched."""
    engine.evaluate("() => { AudioContext.prototype.resume = () => new Promise(() => {}); }")
    engine.evaluate(START, {})
    engine.click("#play")
    engine.wait_for_function("told.some((text) => text.includes('Press play once more')) && !engine.playing")
    engine.evaluate("engine.close()")


# Sources


def test_http_gives_the_file_s_own_samples(engine: Page, folder: Path) -> None:
    got = engine.evaluate("async () => [...await httpSource({ noise: '/noise.wav' }).read('noise', 12345, 1000)]")
    truth, _ = soundfile.read(folder / "noise.wav", dtype="int16")
    assert got == truth[12345:13345].ravel().tolist()


@pytest.mark.parametrize(
    ("status", "says"), [(404, "isn't on the server any more"), (403, "sign in again"), (500, "can't be reached")]
)
def test_http_says_what_is_wrong(engine: Page, status: int, says: str) -> None:
    text = engine.evaluate(
        "(url) => httpSource({ noise: url }).read('noise', 0, 10).then(() => '', (error) => error.message)",
        f"/status/{status}",
    )
    assert says in text


@pytest.mark.parametrize(
    ("url", "etag", "by"),
    [
        ("/noise.wav", "abc", "http"),
        ("/noise.wav", "other", "channel"),
        ("/missing.wav", "abc", "channel"),
        ("http://localhost:1/noise.wav", "abc", "channel"),
        (None, "abc", "channel"),
    ],
)
def test_http_is_chosen_only_for_the_same_audio(engine: Page, url: str | None, etag: str, by: str) -> None:
    got = engine.evaluate(
        """async ([url, etag]) => {
          let listener;
          const model = {
            on: (_, given) => { listener = given; },
            off() {},
            send({ id, page, ask, lane, start, count }) {
              const whole = new Int16Array([7, 7, 1, 2, 3, 4, 9, 9]);
              setTimeout(() => listener({ id, page, value: null }, [new DataView(whole.buffer, 4, 8)]));
              window.question = { ask, lane, start, count };
            },
          };
          const source = await chooseSource({ lanes: [{ name: "noise", url, etag }] }, new Channel(model));
          return [...await source.read("noise", 100, 2)];
        }""",
        [url, etag],
    )
    assert (got == [1, 2, 3, 4]) == (by == "channel")
    if by == "channel":
        assert engine.evaluate("question") == {"ask": "audio", "lane": "noise", "start": 100, "count": 2}


def segments(samples: NDArray[np.int16], kind: str) -> list[dict[str, Any]]:
    """Cut audio into files that overlap, as a report does."""
    out = []
    for start in range(0, len(samples), 2 * RATE):
        lead = min(start, RATE // 4)
        frames = min(2 * RATE, len(samples) - start)
        file = io.BytesIO()
        subtype = {"OGG": "VORBIS", "FLAC": "PCM_16"}[kind]
        soundfile.write(file, samples[start - lead : start + frames + RATE // 4], RATE, format=kind, subtype=subtype)
        data = base64.b64encode(file.getvalue()).decode()
        out.append({"start": start, "lead": lead, "frames": frames, "data": data})
    return out


@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_embedded_segments_join_without_a_seam(engine: Page, kind: str) -> None:
    time = np.arange(5 * RATE) / RATE
    sweep = 12000 * np.sin(2 * np.pi * (200 * time + 150 * time**2))
    samples = np.stack([sweep, -sweep], axis=1).astype(np.int16)
    got = engine.evaluate(
        "async ([lanes, ...span]) => base64(await embeddedSource({ rate: 44100, lanes }).read('voice', ...span))",
        [{"voice": segments(samples, kind)}, RATE, 3 * RATE + 100],
    )
    heard = np.frombuffer(base64.b64decode(got), np.int16).reshape(-1, 2).astype(int)
    truth = samples[RATE : 4 * RATE + 100].astype(int)
    if kind == "FLAC":
        assert np.array_equal(heard, truth)
    else:
        assert np.abs(heard - truth).max() < 1200
        assert lag(truth[:, 0].astype(float), heard[:, 0].astype(float)) == 0


def test_a_page_from_a_file_plays_what_it_carries(page: Page, folder: Path) -> None:
    tone = np.stack([12000 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)] * 2, axis=1).astype(np.int16)
    carried = json.dumps({"rate": RATE, "lanes": {"tone": segments(tone, "OGG")}})
    script = (folder / "harness.js").read_text(encoding="utf-8").replace("</script", "<\\/script")
    html = '<!doctype html><meta charset="utf-8"><button id="play">Play</button>'
    html += f'<script>window.carried = {carried}</script><script type="module">{script}</script>'
    (folder / "report.html").write_text(html, encoding="utf-8")
    page.goto((folder / "report.html").as_uri())
    page.wait_for_function("window.loaded")
    page.evaluate(START.replace("computed()", "embeddedSource(carried)").replace("60 *", "3 *"), {})
    page.click("#play")
    page.wait_for_function("engine.levels().tone[0] > 0.3")
    assert page.evaluate("told") == ["waits", "plays"]
    page.evaluate("engine.close()")
