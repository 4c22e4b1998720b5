"""How soon, how smooth and how small the widgets are, in a real headless Chromium.

    python bench/widgets.py [dashboard] [search] [sound] [frames] [memory] [--rounds 5]

`dashboard`: from navigation to something visible, and to the import panel and the library, on `soundforge dashboard`
with a preheated kernel and 5,000 tracks; each visit is a browser's first. `search`: from the last keystroke to the rows
that match. `sound`: from the click on play to the first sample that is not zero at the page's audio output, on five
minutes of six stems, as soon as the page holds the track, and after a jump to where no audio was fetched. `frames`: six
lanes of ten minutes, zoomed and scrolled a step a frame. `memory`: what the renderer's process holds after a minute of
that track more than the same page without a player, in a browser that no debugger watches.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import nbformat
import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright
from six_stems import add_track
from sqlalchemy import insert

from sfwidgets import Workbench
from sfwidgets.library.schema import audio, tracks
from sfwidgets.models import Track
from sfwidgets.widgets.player_track import OpenTrack

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "browser"))
from pages import build_page  # noqa: E402
from player_pages import build_player_page, open_player  # noqa: E402
from servers import Server, start_lab, start_voila  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 90_000
TRACKS = 5000
WORDS = ("night", "bus", "river", "glass", "paper", "winter", "signal", "harbour", "small", "engine", "orchard", "tide")
MEGABYTE = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["dashboard", "search", "sound", "frames", "memory"])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soundforge-bench-")))
        wb = stack.enter_context(Workbench(folder / "library"))
        bench = Bench(folder, wb, add_track(wb), stack, given.rounds)
        fill(wb)
        for part in given.parts:
            getattr(bench, part)()


class Bench:
    """A library with a long track and thousands of others, a browser, and the dashboard once it is needed."""

    def __init__(self, folder: Path, wb: Workbench, track: Track, stack: ExitStack, rounds: int) -> None:
        self.folder, self.wb, self.track, self.rounds = folder, wb, track, rounds
        self._stack = stack
        self._browser: Browser | None = None
        self._voila: Server | None = None
        self._kernels: set[int] = set()
        self._ranges: list[str] = []
        """The parts of audio that the page was given over HTTP."""

    def dashboard(self) -> None:
        seen, usable = [], []
        for _ in range(self.rounds):
            with self.page(ARRIVAL) as page:
                self.visit(page)
                page.wait_for_function("window.usable", timeout=PATIENCE)
                usable.append(page.evaluate("window.usable"))
                seen.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        report("dashboard, from navigation to something visible", seen, "ms", 2000)
        report("dashboard, from navigation to import panel and library", usable, "ms", 6000)

    def search(self) -> None:
        taken = []
        with self.page(ANSWER) as page:
            self.visit(page)
            field = page.get_by_label("Search the library")
            field.wait_for(timeout=PATIENCE)
            page.locator(ROW).first.wait_for(timeout=PATIENCE)
            for query in ("song 41", "artist 7", "song 30", "artist 33", "song 4711", "song 2", "artist 4", "song 123"):
                field.fill("")
                page.wait_for_timeout(500)
                field.click()
                asked = [query, self.wb.tracks(query).total]
                page.evaluate("([query, total]) => Object.assign(window, { query, total, answered: 0 })", asked)
                page.keyboard.type(query, delay=60)
                page.wait_for_function("window.answered", timeout=PATIENCE)
                taken.append(page.evaluate("window.answered"))
        report(f"{TRACKS} tracks, from the last keystroke to the rows", taken, "ms", 100)

    def sound(self) -> None:
        with self.page(EARS) as page:
            self.visit(page)
            near, far = [], []
            for _ in range(self.rounds):
                row = page.locator(ROW).filter(has_text=self.track.title).first
                row.dblclick(timeout=PATIENCE)
                near.append(press(page))
                far.append(press(page, jump=True))
                page.get_by_role("button", name="Close this track").click()
                page.locator(".sf-player").wait_for(state="detached")
            self.heard("dashboard", near, far)
        for extension in (True, False):
            with start_lab(self.notebook().parent, self.wb.settings.library, extension) as lab, self.page(EARS) as page:
                page.goto(lab.address("lab/tree/player.ipynb"))
                page.get_by_text("| Idle").wait_for(timeout=PATIENCE)
                near, far = [], []
                for number in count(1):
                    page.get_by_role("menuitem", name="Run", exact=True).click()
                    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
                    page.get_by_text(f"[{number}]:").first.wait_for(timeout=PATIENCE)
                    near.append(press(page))
                    far.append(press(page, jump=True))
                    if number == self.rounds:
                        break
                self.heard("JupyterLab", near, far)

    def heard(self, where: str, near: list[float], far: list[float]) -> None:
        way = "over HTTP" if self._ranges else "over the channel"
        report(f"first sound, {where}, {way}", near, "ms", 300)
        report(f"first sound after a jump, {where}, {way}", far, "ms", 300)

    def frames(self) -> None:
        built = build_player_page(self.folder / "player")
        for ratio in (1, 2):
            context = self.browser().new_context(viewport={"width": 1440, "height": 900}, device_scale_factor=ratio)
            page = context.new_page()
            names = ["vocals", "drums", "bass", "other", "guitar", "piano"]
            open_player(page, built, seconds=600, stems=names)
            page.wait_for_timeout(1000)
            for kind in ("zoom", "scroll"):
                drawn, between = page.evaluate(FRAMES, [kind, 160])
                what = f"6 lanes of 10 minutes, {1440 * ratio} pixels wide, a {kind} frame's"
                report(f"{what} drawing", drawn, "ms", 16)
                report(f"{what} time from the one before", between, "ms", None)
            context.close()

    def memory(self) -> None:
        with serve(self.wb, self.track, self.folder / "memory") as (address, done):
            without = renderer(address, done, self.folder)
            held = renderer(address + "?player", done, self.folder)
        for kind in ("uss", "pss"):
            bare, full = (found[kind] / MEGABYTE for found in (without, held))
            print(
                f"page memory after a minute, {kind.upper()}: {full - bare:.0f} MB for the player "
                f"({full:.0f} MB less the {bare:.0f} MB of the page without; limit 150 MB)",
                flush=True,
            )

    def visit(self, page: Page) -> None:
        """Open the dashboard, once a kernel that nobody has used has rendered the notebook and rests."""
        if self._voila is None:
            notebook = ROOT / "notebooks" / "workbench.ipynb"
            self._voila = self._stack.enter_context(start_voila(notebook, self.wb.settings.library))
        before, rests = -1.0, 0
        while rests < 2:
            time.sleep(1)
            fresh = [kernel for kernel in self._voila.kernels() if kernel.pid not in self._kernels]
            work = sum(sum(kernel.cpu_times()[:2]) for kernel in fresh)
            rests = rests + 1 if fresh and work > 0.5 and work - before < 0.05 else 0
            before = work
        self._kernels.update(kernel.pid for kernel in fresh)
        page.goto(self._voila.url)

    def notebook(self) -> Path:
        path = self.folder / "lab" / "player.ipynb"
        path.parent.mkdir(exist_ok=True)
        source = (
            "from sfwidgets import Workbench\nfrom sfwidgets.widgets import StemPlayer\n"
            f"StemPlayer(Workbench(), {self.track.id!r})"
        )
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, path)
        return path

    def browser(self) -> Browser:
        if self._browser is None:
            playwright = self._stack.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            self._stack.callback(self._browser.close)
        return self._browser

    @contextmanager
    def page(self, script: str) -> Iterator[Page]:
        """A page with a profile of its own, in which `script` comes first."""
        context = self.browser().new_context(viewport={"width": 1440, "height": 1000})
        context.add_init_script(script)
        self._ranges = []
        context.on("response", lambda answer: self._ranges.append(answer.url) if answer.status == 206 else None)
        yield context.new_page()
        context.close()


def fill(wb: Workbench) -> None:
    """Insert rows of tracks as if their files were there."""
    random = np.random.default_rng(0)
    then, files, rows = time.time() - 2 * TRACKS, [], []
    for number in range(TRACKS):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        title = " ".join(random.choice(WORDS, 2, replace=False))
        files.append(
            {
                "owner": wb.owner, "hash": digest, "path": f"audio/{digest}.wav", "size": 1, "duration": 60 + number / 10,
                "sample_rate": 44100, "channels": 2, "codec": "flac", "container": "flac", "created_at": then,
            }
        )  # fmt: skip
        rows.append(
            {
                "owner": wb.owner, "id": digest[:16], "title": f"Song {number:04d} {title}", "album": "",
                "artist": f"Artist {number % 50}", "source": "file", "hash": digest, "created_at": then + number,
                "updated_at": then + number,
            }
        )  # fmt: skip
    with wb._shared.database.write() as connection:
        connection.execute(insert(audio), files)
        connection.execute(insert(tracks), rows)


def press(page: Page, *, jump: bool = False) -> float:
    """Press play, and return the milliseconds until something sounds; the player is left paused."""
    page.evaluate(READY, jump)
    page.wait_for_timeout(0 if jump else 500)
    if jump:
        page.evaluate("player().seek(237); document.querySelector('.sf-play').click()")
    else:
        page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("ears.heard && ears.clicked", timeout=PATIENCE)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.wait_for_timeout(300)
    return float(page.evaluate("ears.heard - ears.clicked"))


@contextmanager
def serve(wb: Workbench, track: Track, built: Path) -> Iterator[tuple[str, Queue[float]]]:
    """Serve the page of `memory_page`, its track and its audio; what the page says at the end comes by the queue."""
    build_page(str(ROOT / "bench" / "memory_page"), built)
    done: Queue[float] = Queue()
    opened = OpenTrack(wb, track)
    wire = opened.wire()
    beats = np.arange(0, wire["duration"], 0.5).tolist()
    analysis = {"beats": beats, "downbeats": beats[::4], "sections": [], "chords": [], "key": "A minor", "tempo": 120.0}
    scale, _ = opened.outline("vocals")
    told = {"track": wire, "analysis": analysis, "seconds": 60, **(scale or {})}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].lstrip("/") or "index.html"
            stem, _, kind = name.rpartition(".")
            if kind == "wav":
                first, last = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
                self.answer(opened.audio(stem, (first - 44) // 4, (last + 1 - first) // 4), "audio/wav", 206)
            elif kind == "peaks":
                self.answer(opened.outline(stem)[1][0], "application/octet-stream")
            elif name == "track":
                self.answer(json.dumps(told).encode(), "application/json")
            else:
                types = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
                self.answer((built / name).read_bytes(), types[kind])

        def do_POST(self) -> None:
            done.put(float(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(b"", "text/plain")

        def answer(self, body: bytes, kind: str, status: int = 200) -> None:
            with suppress(BrokenPipeError):  # after a seek the page does not wait for what it asked for before
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/", done
    server.shutdown()
    server.server_close()
    opened.close()


def renderer(address: str, done: Queue[float], folder: Path) -> dict[str, int]:
    """Return the memory of the page's process once it says that it is done."""
    profile = folder / "profile"
    command = [
        CHROMIUM,
        "--headless",
        *FLAGS,
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={profile}",
    ]
    browser = subprocess.Popen([*command, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        played = done.get(timeout=120)
        if "?player" in address and played < 10:
            raise RuntimeError(f"The player went on by {played} s only: nothing was measured.")
        time.sleep(2)
        family = psutil.Process(browser.pid).children(recursive=True)
        pages = [process for process in family if "--type=renderer" in process.cmdline()]
        found = max((process.memory_full_info() for process in pages), key=lambda info: info.uss)
        return {"uss": found.uss, "pss": found.pss}
    finally:
        browser.terminate()
        browser.wait(20)
        shutil.rmtree(profile, ignore_errors=True)


def report(what: str, taken: Sequence[float], unit: str, limit: float | None) -> None:
    ordered = sorted(taken)
    ninety_five = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    said = "" if limit is None else f"; limit {limit:g} {unit}"
    print(
        f"{what}: median {statistics.median(taken):.1f} {unit}, 95 % within {ninety_five:.1f} {unit} "
        f"({len(taken)} times{said})",
        flush=True,
    )


ROW = ".sf-rows [data-track]:not([data-track=''])"

ARRIVAL = f"""
const look = () => {{
  const panel = document.querySelector(".sf-slot-importing .sf");
  const row = document.querySelector("{ROW}");
  if (panel?.checkVisibility() && row?.checkVisibility()) window.usable = performance.now();
  else requestAnimationFrame(look);
}};
requestAnimationFrame(look);
"""

ANSWER = f"""
let typed = 0;
addEventListener("keydown", (event) => {{ typed = event.timeStamp; }}, true);
const look = () => {{
  requestAnimationFrame(look);
  const field = document.querySelector("input[type=search]");
  if (!window.query || window.answered || field?.value !== window.query) return;
  if (parseInt(document.querySelector(".sf-count").textContent.replace(",", "")) !== window.total) return;
  const rows = [...document.querySelectorAll("{ROW}")].filter((row) => row.checkVisibility());
  if (rows.length && rows.every((row) => row.textContent.toLowerCase().includes(window.query)))
    window.answered = performance.now() - typed;
}};
requestAnimationFrame(look);
"""

EARS = """
const tap = `registerProcessor("tap", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.port.onmessage = () => { this.heard = false; };
  }
  process([input]) {
    if (!this.heard && input.some((channel) => channel.some((sample) => sample !== 0))) {
      this.heard = true;
      this.port.postMessage(Date.now());
    }
    return true;
  }
});`;
const connect = AudioNode.prototype.connect;
const taps = [];
window.ears = { heard: 0, clicked: 0, clear() {
  this.heard = this.clicked = 0;
  taps.forEach((node) => node.port.postMessage(0));
} };
window.player = () => [...(globalThis[Symbol.for("sfwidgets.players")]?.known.values() ?? [])].at(-1);
AudioNode.prototype.connect = function (to, ...more) {
  if (to instanceof AudioDestinationNode && !taps.includes(this)) {
    const { context } = this;
    context.audioWorklet.addModule(URL.createObjectURL(new Blob([tap], { type: "text/javascript" }))).then(() => {
      const node = new AudioWorkletNode(context, "tap");
      node.port.onmessage = ({ data }) => { ears.heard ||= data; };
      taps.push(node);
      connect.call(this, node);
      connect.call(node, context.destination);
    });
  }
  return connect.call(this, to, ...more);
};
addEventListener("click", (event) => { ears.clicked ||= performance.timeOrigin + event.timeStamp; }, true);
"""

READY = """async (jump) => {
  const frame = () => new Promise(requestAnimationFrame);
  while (!player() || (player() === window.pressed) !== jump || !document.querySelector(".sf-lane")) await frame();
  window.pressed = player();
  await player().loading;
  await player().engine.settled();
  ears.clear();
}"""

FRAMES = """async ([kind, count]) => {
  const wave = document.querySelector(".sf-wave");
  const box = wave.getBoundingClientRect();
  const turn = (given) => wave.dispatchEvent(new WheelEvent("wheel", {
    bubbles: true, cancelable: true, clientX: box.left + 0.6 * box.width, clientY: box.top + 10, ...given }));
  const frame = () => new Promise(requestAnimationFrame);
  if (kind === "scroll") for (let i = 0; i < 20; i++) turn({ ctrlKey: true, deltaY: -12 });
  await frame();
  let before = await frame();
  performance.clearMeasures("sf-player-draw");
  const between = [];
  for (let i = 0; i < count; i++) {
    const way = Math.floor(i / 40) % 2 ? 1 : -1;
    turn(kind === "zoom" ? { ctrlKey: true, deltaY: 12 * way } : { deltaX: -30 * way });
    const now = await frame();
    between.push(now - before);
    before = now;
  }
  return [performance.getEntriesByName("sf-player-draw").map(({ duration }) => duration), between];
}"""


if __name__ == "__main__":
    main()
