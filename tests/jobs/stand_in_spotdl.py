"""A program that takes spotDL's arguments and says what spotDL says; what becomes of a song is in its id."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from sfwidgets.sources import ffmpeg

_PROGRAM = """\
#!{python} -IS
import json, os, shutil, subprocess, sys, time
_, verb, what, *rest = sys.argv
options = dict(zip(rest, rest[1:]))
link = json.load(open(what))[0]["url"] if os.path.exists(what) else what
song = link.rsplit("/", 1)[-1]
folder = {folder!r}
with open(folder + "/log", "a") as log:
    log.write(song + "\\n")
    log.flush()
target = options["--output"].replace("{{output-ext}}", options["--format"])
def say(level, message):
    print(f"[12:00:00] {{level:<8}} {{message}}   progress_handler.py:383", flush=True)
say("INFO", "The song: Downloading")
if song.startswith("none"):
    say("ERROR", link + " - LookupError: No results found for song: The song")
    sys.exit()
if song.startswith("limit") and not os.path.exists(folder + "/calm"):
    say("DEBUG", "ERROR: unable to download video data: HTTP Error 429: Too Many Requests")
    sys.exit()
if song.startswith("full"):
    say("ERROR", link + " - OSError: [Errno 28] No space left on device")
    sys.exit()
if song.startswith("wait"):
    with open(target, "wb") as half:
        half.write(open(folder + "/recording.opus", "rb").read()[:4000])
    child = subprocess.Popen(["sleep", "300"])
    with open(folder + "/" + song + ".pids", "w") as file:
        file.write(f"{{os.getpid()}} {{child.pid}}")
    while not os.path.exists(folder + "/go"):
        time.sleep(0.02)
    child.kill()
if {seconds}:
    time.sleep({seconds})
shutil.copyfile(folder + ("/silence.opus" if song.startswith("silent") else "/recording.opus"), target)
with open(target, "ab") as whole:
    whole.write(song.encode())  # no two files are the same
say("INFO", 'Downloaded "The song": https://music.youtube.com/watch?v=x')
"""

_LIGHT = """\
#!/usr/bin/perl
# The same for songs that are there, with as little work of its own as may be.
open(F, "<", $ARGV[1]); sysread(F, $said, 4096);
($song) = $said =~ m{{spotify.com/track/([A-Za-z0-9]*)}};
my %options = @ARGV;
$target = $options{{"--output"}}; $target =~ s/\\{{output-ext\\}}/$options{{"--format"}}/;
select(undef, undef, undef, {seconds});
open(F, "<", "{folder}/recording.opus"); sysread(F, $audio, 1 << 20);
open(T, ">", $target); syswrite(T, $audio . $song); close(T);
$said = qq{{Downloaded "The song": https://music.youtube.com/watch?v=x   progress_handler.py:383}};
syswrite(STDOUT, "[12:00:00] INFO     $said\\n");
"""


class StandInSpotdl:
    """The program, and what it was asked for."""

    def __init__(self, folder: Path, *, duration: float = 2.0, seconds: float = 0.0, light: bool = False) -> None:
        self.folder, self.path = folder, folder / "spotdl"
        for name, source in (
            ("recording", "sine=frequency=330:sample_rate=48000"),
            ("silence", "anullsrc=sample_rate=48000"),
        ):
            command = ["-v", "error", "-f", "lavfi", "-i", source, "-t", str(duration), "-c:a", "libopus"]
            subprocess.run([ffmpeg.program(), *command, folder / f"{name}.opus"], check=True, stdin=subprocess.DEVNULL)
        program = _LIGHT if light else _PROGRAM
        self.path.write_text(program.format(python=sys.executable, folder=str(folder), seconds=seconds))
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    @property
    def asked(self) -> list[str]:
        """The ids of the songs that it was asked for, in that order."""
        log = self.folder / "log"
        return log.read_text().split() if log.exists() else []

    def pids(self, song: str) -> list[int]:
        """Return the processes that wait for a song whose id begins with `wait`."""
        file = self.folder / f"{song}.pids"
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def songs(*ids: str, duration: float = 2.0, **fields: object) -> list[dict[str, object]]:
    """Return what Spotify says of songs with these ids, as JSON."""
    return [
        json.loads(json.dumps({
            "id": name, "title": f"Song {name}", "artists": ["Ada", "Bo"], "duration": duration,
            "url": f"https://open.spotify.com/track/{name}", **fields,
        }))
        for name in ids
    ]  # fmt: skip
