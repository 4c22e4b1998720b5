"""What a server that is started here asks in place of Spotify and of spotDL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "sources"))
from spotify_catalogue import EPISODE, LOCAL, REMOVED
from spotify_server import SpotifyServer

from sfwidgets.sources import ffmpeg

__all__ = ["EPISODE", "LOCAL", "REMOVED", "StandIns", "stand_ins"]

_PROGRAM = """\
#!{python} -IS
# Takes spotDL's arguments, says what it says, and copies a recording where spotDL would have written one.
import json, os, shutil, sys
_, verb, what, *rest = sys.argv
options = dict(zip(rest, rest[1:]))
link = json.load(open(what))[0]["url"] if os.path.exists(what) else what
with open({log!r}, "a") as log:
    log.write(link + "\\n")
shutil.copy({recording!r}, options["--output"].replace("{{output-ext}}", options["--format"]))
print('[12:00:00] INFO     Downloaded "The song": https://music.youtube.com/watch?v=x        progress_handler.py:383')
"""


class StandIns:
    """Spotify, whose catalogue a test fills, and a spotDL that has one recording for every link."""

    def __init__(self, spotify: SpotifyServer, program: Path) -> None:
        self.spotify = spotify
        self._program = program

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a server and its workers to both."""
        own = {"SOUNDFORGE_OFFLINE": "false", "SOUNDFORGE_SPOTDL": str(self._program), "SPOTIFY_API_MODE": "spotifyapi"}
        return {**self.spotify.environment, **self.spotify.credentials, **own}

    @contextmanager
    def led_to(self) -> Iterator[None]:
        """Let this process, too, and the workers that it starts, ask the stand-ins."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    @property
    def downloaded(self) -> list[str]:
        """The links that spotDL was given."""
        log = self._program.with_suffix(".log")
        return log.read_text().splitlines() if log.exists() else []


@contextmanager
def stand_ins(folder: Path, recording: Path) -> Iterator[StandIns]:
    """Run the stand-ins; `folder` is theirs."""
    encoded, program = folder / "recording.opus", folder / "spotdl"
    command = [str(ffmpeg.program()), "-v", "error", "-i", str(recording), "-c:a", "libopus", str(encoded)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    log = str(program.with_suffix(".log"))
    program.write_text(_PROGRAM.format(python=sys.executable, log=log, recording=str(encoded)))
    program.chmod(0o755)
    with SpotifyServer() as spotify:
        yield StandIns(spotify, program)
