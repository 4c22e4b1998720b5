"""A program that speaks as spotDL 4.5.2 does at log level DEBUG: `STAND_IN` names what happens to it.

Where each message stands in spotDL's source is said beside it; the form of the lines is that of its handler for logging
(utils/logging.py, 185), which is rich's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SONG = "A - Song: Done"
URL = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
AUDIO = "https://music.youtube.com/watch?v=abc"


def logged(level: str, message: str, place: str) -> str:
    return f"[09:16:33] {level:<8} {message:<300} {place}"


SEARCHING = [
    logged("INFO", f"Processing query: {URL}", "search.py:140"),
    logged("DEBUG", "Downloading 1 songs", "downloader.py:286"),
    logged("INFO", f"{SONG}: Searching for song", "progress_handler.py:398"),  # notify_searching, 437
]
FETCHING = [
    *SEARCHING,
    logged("INFO", f"{SONG}: Getting audio meta", "progress_handler.py:398"),  # notify_getting_meta, 445
    logged("DEBUG", f"Downloading {SONG} using {AUDIO}", "downloader.py:716"),
]
DOWNLOADING = [
    *FETCHING,
    logged("INFO", f"{SONG}: Downloading", "progress_handler.py:398"),
]  # yt_dlp_progress_hook, 519
TAGGING = [*DOWNLOADING, logged("INFO", f"{SONG}: Embedding metadata", "progress_handler.py:398")]  # 453
DONE = [
    *TAGGING,
    logged("INFO", f"{SONG}: Done", "progress_handler.py:398"),  # notify_complete, 463
    logged("INFO", "1/1 complete", "progress_handler.py:282"),
    logged("INFO", f'Downloaded "{SONG}": {AUDIO}', "downloader.py:890"),
    logged("DEBUG", "Took 3 seconds", "entry_point.py:182"),
]


def traceback(*exceptions: str) -> list[str]:
    """Return a traceback in two forms, as notify_error logs it (progress_handler.py, 429), or the end of the program."""
    lines = [
        "╭──────── Traceback (most recent call last) ────────╮",
        '│ ❱ 396 │   raise LookupError("HTTP Error 429") │',
    ]
    return [
        line for text in exceptions for line in (*lines, "╰───────────────────────────────────────────────────╯", text)
    ]


def failed(kind: str, text: str) -> list[str]:
    """Return how a song that failed is told at the end (downloader.py, 303 and 909); the program's status is 0."""
    told = f"{URL} - {kind}: {text}"
    return [
        logged("ERROR", "Traceback (most recent call last):", "progress_handler.py:429"),
        *traceback(f"{kind}: {text}"),
        logged("ERROR", told, "downloader.py:303"),
        logged("DEBUG", "Took 3 seconds", "entry_point.py:182"),
    ]


def yt_dlp(message: str) -> list[str]:
    """Return how a failure of yt-dlp is told: the cause at log level DEBUG alone (providers/audio/base.py, 408)."""
    return [
        logged("WARNING", "Some YouTube downloads require Deno. Run spotdl --download-deno", "deno.py:143"),
        logged("DEBUG", message, "base.py:408"),
        *failed("AudioProviderError", f"YT-DLP download error - {AUDIO}"),  # base.py, 409
    ]


TRANSCRIPTS = {
    "done": DONE,
    "no match": [*SEARCHING, *failed("LookupError", f"No results found for song: {SONG}")],  # downloader.py, 396
    "blocked": [
        # console/entry_point.py, 101
        logged("WARNING", "You might be blocked by YouTube Music. If downloads fail, use a VPN", "entry_point.py:101"),
        *SEARCHING,
        *failed("LookupError", "No results found for song: HTTP Error 429 - Too Many Requests"),
    ],
    # yt_dlp/networking/exceptions.py: HTTPError
    "too many requests": FETCHING + yt_dlp(
        "ERROR: [youtube] abc: Unable to download API page: HTTP Error 429: Too Many Requests (caused by <HTTPError 429>)"
    ),
    # yt_dlp/extractor/youtube: _video.py
    "robot": FETCHING + yt_dlp(
        "ERROR: [youtube] abc: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies"
    ),
    "limited": FETCHING + yt_dlp(
        "ERROR: [youtube] abc: Video unavailable. This content isn't available, try again later. The current session has "
        "been rate-limited by YouTube for up to an hour."
    ),
    "gone": FETCHING + yt_dlp("ERROR: [youtube] abc: Video unavailable. This video is private"),
    "no name service": FETCHING + yt_dlp(
        "ERROR: [youtube] abc: Unable to download API page: Failed to resolve 'www.youtube.com' ([Errno -3] Temporary "
        "failure in name resolution) (caused by TransportError)"
    ),
    "disk full": [
        *DOWNLOADING,
        logged("DEBUG", "", "base.py:408"),
        *traceback("OSError: [Errno 28] No space left on device", "AudioProviderError:"),
        *failed("AudioProviderError", f"YT-DLP download error - {AUDIO}"),
    ],
    "not converted": [*DOWNLOADING, *failed("FFmpegError", f"Failed to convert {SONG}, you can find error here: /x")],
    "not tagged": [*TAGGING, *failed("MetadataError", "Failed to embed metadata to the song")],
    # spotipy/util.py, 178: no handler of spotDL's, so that Python writes it as it is
    "wait long": [*SEARCHING[:1], "Your application has reached a rate/request limit. Retry will occur after: 3600 s"],
    "wait": [*SEARCHING[:1], "Your application has reached a rate/request limit. Retry will occur after: 7 s", *DONE],
    "crash": [*SEARCHING[:1], *traceback("KeyError: 'trackUnion'")],
    "no network": traceback(
        "ConnectionRefusedError: [Errno 111] Connection refused",
        "requests.exceptions.ProxyError: HTTPSConnectionPool(host='music.youtube.com', port=443): Max retries exceeded",
    ),
    # SpotipyFree/Formatter.py: formatPlaylist
    "private": [
        logged("ERROR", "An error occurred", "entry_point.py:177"),
        *traceback("SpotifyException: Playlist not available or not accessible, make sure it is public."),
    ],
    "silent": [],
    "saved": [
        logged("WARNING", "Skipping track: x local tracks and episode are not supported", "playlist.py:103"),
        logged("INFO", "Found 4 songs in Mix (1) (Playlist)", "search.py:318"),
        logged("ERROR", "C - gone generated an exception: Track no longer exists: https://x", "search.py:119"),
    ],
    "saved in part": [
        logged("INFO", "Found 4 songs in Mix (1) (Playlist)", "search.py:318"),
        logged("ERROR", "C - three generated an exception: Could not get song info", "search.py:119"),
    ],
}  # fmt: skip


def say(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def main() -> None:
    arguments, case = sys.argv[1:], os.environ.get("STAND_IN", "done")
    Path(os.environ["STAND_IN_SAID"]).write_text(json.dumps([arguments, os.environ["HOME"]]))
    if arguments == ["--version"]:
        say(["4.5.2" if case == "done" else "Traceback (most recent call last):"])
        return
    value = {name: arguments[at + 1] for at, name in enumerate(arguments[:-1]) if name.startswith("--")}
    if arguments[0] == "save":
        say(TRANSCRIPTS[case])
        if case.startswith("saved"):
            Path(value["--save-file"]).write_text(os.environ["STAND_IN_SONGS"])
        return
    made = Path(value["--output"].replace("{output-ext}", value["--format"]))
    temp = Path.home() / ".spotdl" / "temp"
    temp.mkdir()
    if case == "hang":
        child = subprocess.Popen(["sleep", "1000"])
        Path(os.environ["STAND_IN_SAID"]).with_suffix(".child").write_text(str(child.pid))
        say(DOWNLOADING)
        (temp / "abc.webm.part").write_bytes(bytes(51_000))
        child.wait()
    elif case == "killed":
        say(DOWNLOADING)
        made.write_bytes(b"half")
        os.kill(os.getpid(), 9)
    elif case == "disk full in ffmpeg":
        say(TRANSCRIPTS["not converted"])
        (Path.home() / ".spotdl" / "errors").mkdir()
        (Path.home() / ".spotdl" / "errors" / "ffmpeg_error.txt").write_text(
            "Conversion failed!\nExiting with exit code -28\n"
        )
    else:
        if case in ("done", "wait", "not tagged"):
            made.write_bytes(b"audio")
        for line in TRANSCRIPTS[case]:
            say([line])
            time.sleep(0.01)
        sys.exit(case in ("crash", "no network"))


if __name__ == "__main__":
    main()
