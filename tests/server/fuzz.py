"""The fuzzing of the API: schemathesis against a real server, on a library that has something in it.

`make fuzz` runs this file: longer than the tests do, several requests in a row, and with another seed each time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "browser")]
from servers import Server, start_lab
from simple_song import write_song
from test_audio_files import noise, picture, with_cover

from sfwidgets import Workbench
from sfwidgets.models import SourceList

NOWHERE = "http://127.0.0.1:9"
ALONE = {
    "SOUNDFORGE_OFFLINE": "true", "no_proxy": "127.0.0.1,localhost",
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE),
}  # fmt: skip
"""The environment of a server that reaches nobody else, so that no example waits for Spotify or a model hub."""
LINK = "spotify:track:4uLU6hMCjMI75M1A2tKUQC"
"""What is known of it without asking Spotify: it was fetched not an hour ago."""
SPARE = 8
"""Tracks that may be deleted, uploads that may be filled, and uploads that may be given up."""

Known = dict[str, list[str]]
"""Names of what there is, by what it is: they lead to answers with something in them."""

CHECKS = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 502, 503, 504]

# The protocol has statuses of its own: 412 for another version of it, which is looked at first, and 413.
[[operations]]
include-path-regex = "^/api/uploads"
[operations.checks.missing_required_header]
expected-statuses = [400, 401, 403, 412]
[operations.checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 429, 503]
"""


@dataclass(frozen=True)
class Findings:
    """What schemathesis said and sent."""

    output: str
    failed: bool
    statuses: dict[str, Counter[int]]
    """How often each documented operation answered with each status."""
    loud: list[str]
    """What the server's log holds of exceptions that nobody expected."""


@contextlib.contextmanager
def start_fuzzed(folder: Path) -> Iterator[tuple[Server, Known]]:
    """Run a server on a new library: a track with stems and an analysis, one with neither, and some to delete."""
    with Workbench(folder / "library") as wb:
        song = wb.add(write_song(folder / "song.wav", 1), id="song", title="Song")
        wb.add(with_cover(noise(folder / "bare.flac", 1), picture()), id="bare", title="Bare")
        spare = [wb.add(write_song(folder / f"{n}.wav", 0.2, seed=n + 2), id=f"spare{n}").id for n in range(SPARE)]
        separated, analysed = wb.separate(song, "embedded"), wb.analyze(song)
        separated.wait()
        analysed.wait()
        download, _ = wb._jobs.table.submit(wb.owner, "download", "song", {}, settings={})
        batch, parts = wb._jobs.table.submit_batch(
            wb.owner, "download", {"part": {}}, options={"name": "Parts", "type": "playlist"}, settings={}
        )  # fmt: skip
        for ended in (download, *parts):
            wb._jobs.table.cancel(wb.owner, ended.id)
        wb._shared.metadata.put(LINK, SourceList(type="track", id="song", name="Song").to_json())
        root = folder / "root"
        root.mkdir()
        with start_lab(root, folder / "library", environment=ALONE) as server:
            yield (
                server,
                {
                    "track": ["song", "bare"],
                    "spare": spare,
                    "set": [wb.stems(song).id],
                    "stem": ["vocals", "drums.flac", "bass"],
                    "download": [download.id, batch.id],
                    "batch": [batch.id],
                    "link": [LINK],
                    "process": [separated.id],
                    "analyze": [analysed.id],
                    "upload": [_begin_upload(server) for _ in range(SPARE)],
                    "unwanted": [_begin_upload(server) for _ in range(SPARE)],
                    "model": ["embedded", "auto", "htdemucs"],
                },
            )


def fuzz(server: Server, known: Known, folder: Path, *, seed: int, examples: int, phases: str) -> Findings:
    """Run schemathesis against a server with all its checks."""
    config, events = folder / "schemathesis.toml", folder / "events.ndjson"
    config.write_text(_configuration(known))
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{server.url}openapi.json",
            "--url", server.url, "--header", f"Authorization: token {server.token}", "--checks", "all",
            "--phases", phases, "--seed", str(seed), "--max-examples", str(examples), "--generation-database", "none",
            "--continue-on-failure", "--workers", "2", "--no-color", "--report", "ndjson",
            "--report-ndjson-path", str(events),
        ],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    )  # fmt: skip
    if not events.exists():
        raise RuntimeError(f"schemathesis did not begin.\n{done.stdout}")
    loud = [part[:3000] for part in server.said().split("Traceback")[1:]]
    return Findings(done.stdout, done.returncode != 0, _statuses(server, events), loud)


def _configuration(known: Known) -> str:
    lines = [f"hooks = {json.dumps(str(Path(__file__).with_name('fuzz_hooks.py')))}"]
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    everywhere = {
        "path.trackId": "track", "body.trackId": "track", "query.trackId": "track", "path.setId": "set",
        "query.set": "set", "path.name": "stem", "path.uploadId": "upload", "body.modelName": "model",
        "body.options.model": "model", "query.parent": "batch", "body.url": "link",
    }  # fmt: skip
    lines += ["[parameters]", *(_bound(parameter, name) for parameter, name in everywhere.items()), CHECKS]
    for service in ("download", "process", "analyze"):
        lines += ["[[operations]]", f'include-path-regex = "^/api/{service}/job/"']
        lines += ["[operations.parameters]", _bound("path.jobId", service)]
    for path, parameter, name in (
        ("/api/tracks/{trackId}", "trackId", "spare"),
        ("/api/uploads/{uploadId}", "uploadId", "unwanted"),
    ):  # what is deleted is what no other operation needs
        lines += ["[[operations]]", f'include-path = "{path}"', 'include-method = "DELETE"']
        lines += ["[operations.parameters]", _bound(f"path.{parameter}", name)]
    return "\n".join(lines)


def _bound(parameter: str, dictionary: str) -> str:
    return f'"{parameter}" = {{ dictionary = "{dictionary}", probability = 0.8 }}'


def _statuses(server: Server, events: Path) -> dict[str, Counter[int]]:
    with _call(server, "GET", "openapi.json") as answer:
        paths = json.load(answer)["paths"]
    found = {f"{method.upper()} {path}": Counter[int]() for path, methods in paths.items() for method in methods}
    for line in events.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for number, sent in recorder.get("interactions", {}).items():
            case = recorder["cases"][number]["value"]
            statuses = found.get(f"{case['method']} {case['path']}")
            if statuses is not None and sent.get("response"):
                statuses[sent["response"]["status_code"]] += 1
    return found


def _begin_upload(server: Server) -> str:
    with _call(server, "POST", "api/uploads", **{"Tus-Resumable": "1.0.0", "Upload-Length": "1000"}) as answer:
        return answer.headers["Location"].rpartition("/")[2]


def _call(server: Server, method: str, path: str, **headers: str) -> Any:
    given = {"Authorization": f"token {server.token}", **headers}
    return urllib.request.urlopen(urllib.request.Request(server.url + path, method=method, headers=given), timeout=30)


def main() -> int:
    """Fuzz as the arguments say, and tell what was found; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz the HTTP API of a server that is started for it.")
    parser.add_argument("--examples", type=int, default=300, help="requests an operation")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeats a run")
    given = parser.parse_args()
    print(f"Seed {given.seed}: repeat this run with --seed {given.seed}.", flush=True)
    with tempfile.TemporaryDirectory(prefix="sf-fuzz-") as name, start_fuzzed(Path(name)) as (server, known):
        found = fuzz(
            server, known, Path(name), seed=given.seed, examples=given.examples, phases="examples,coverage,fuzzing,stateful"
        )  # fmt: skip
    print(found.output, *found.loud, sep="\n")
    for operation, statuses in sorted(found.statuses.items()):
        print(f"{operation:55} {', '.join(f'{count} × {status}' for status, count in sorted(statuses.items()))}")
    return 1 if found.failed or found.loud else 0


if __name__ == "__main__":
    sys.exit(main())
