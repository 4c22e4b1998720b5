"""What spotDL and yt-dlp complain of, whoever they ask, as errors of ours."""

from __future__ import annotations

import re

from sfwidgets.audio import NO_ROOM
from sfwidgets.errors import DiskFullError, SlowDownError, SoundForgeError, UpstreamError

_NO_ROOM = re.compile(
    rf"\[Errno (?:{'|'.join(map(str, NO_ROOM))})\]|No space left on device|Disk quota exceeded|exit code -28"
)
_ROBOT = re.compile("not a bot|captcha", re.IGNORECASE)
_LONG_PAUSE = re.compile("rate-limited by YouTube")
_PAUSE = re.compile("HTTP Error 429|Too Many Requests|http status: 429|429 Client Error|Status Code: 429")
_NO_NETWORK = re.compile(
    "Failed to resolve|Could not resolve|Name or service not known|Temporary failure in name resolution|getaddrinfo"
    "|Network is unreachable|No route to host|Connection refused|Could not connect|Failed to connect"
    "|Failed to establish a new connection|Unable to connect to proxy|Tunnel connection failed"
    "|ConnectTimeout|Failed to complete request|Request kept failing"
)
_YT_DLP = re.compile(r"^ERROR: (?:\[[^\]]*\] (?:[\w-]+: )?)?(.*)", re.MULTILINE)
_ADVICE = re.compile(r"[;.]? *(?:\(caused by|please report this issue|Use --|See +https|Check if|Confirm you are on).*")
"""What yt-dlp adds for people who call it themselves."""


def known_trouble(said: str, *, asked: str) -> SoundForgeError | None:
    """Return the error behind what a program said, where it is one that has nothing to do with the song.

    `asked` is what could not be asked then, for the sentence.
    """
    if _NO_ROOM.search(said):
        return DiskFullError("There is no room left on the disk. Free some space and try again.")
    if _ROBOT.search(said):
        return SlowDownError(
            "YouTube takes us for a robot: too many requests came from here", details={"retryAfter": 300.0}
        )
    if _LONG_PAUSE.search(said):
        return SlowDownError("YouTube asks for a pause of an hour", details={"retryAfter": 3600.0})
    if _PAUSE.search(said):
        return SlowDownError("YouTube asks for fewer requests", details={"retryAfter": 60.0})
    if _NO_NETWORK.search(said):
        return UpstreamError(f"{asked} can't be reached. Check the connection to the internet.", code="no_network")
    return None


def last_fault(said: str) -> str | None:
    """Return what yt-dlp gave as its last reason, without its advice; None where it gave none."""
    faults = _YT_DLP.findall(said)
    return _ADVICE.sub("", faults[-1])[:300].rstrip(" .:") if faults else None
