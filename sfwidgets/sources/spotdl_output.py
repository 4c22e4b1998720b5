"""What spotDL says while it works, read: how far it is, and which error of ours its complaint is.

It ends well, by its exit status, after most failures: what it says decides. The messages are those of version 4.5.2 at
log level DEBUG, the only one that names the causes; tests/sources/test_spotdl.py cites where each stands in its source.
"""

from __future__ import annotations

import logging
import re
from collections import deque

from sfwidgets.errors import SlowDownError, SoundForgeError, UpstreamError
from sfwidgets.sources.trouble import known_trouble, last_fault

log = logging.getLogger(__name__)

LOOKING, DOWNLOADING, CONVERTING, TAGGING = "Looking for the song", "Downloading", "Converting", "Tagging"
LONGEST_WAIT = 60.0
"""Seconds; where Spotify asks for more, the program is not left to wait for that."""

_STAGES = {
    ": Searching for song": (0.05, LOOKING),
    ": Getting audio meta": (0.2, LOOKING),
    ": Downloading": (0.3, DOWNLOADING),
    ": Embedding metadata": (0.9, TAGGING),
    ": Done": (0.95, TAGGING),
}
"""What progress lines end with, and the share done and the stage that they mean."""
_PROVIDERS = {
    "youtube-music": "YouTube Music", "youtube": "YouTube", "soundcloud": "SoundCloud", "bandcamp": "Bandcamp",
    "piped": "Piped",
}  # fmt: skip

_LOGGED = re.compile(r"\[\d\d:\d\d:\d\d\] ([A-Z]+) +(.*?) *\w+\.py:\d+")
_EXCEPTION = re.compile(r"(?:[a-z_]\w*\.)*([A-Z]\w+): (.+)")
"""The last line of a traceback: those that end the program are not logged, and others are logged in several lines."""
_FAILED = re.compile(r"\S+ - ([A-Z]\w+): (.*)")
_NOT_SAVED = re.compile(r".* generated an exception: (.*)")
_FOUND = re.compile(r"Found (\d+) songs in (.*) \((?:Album|Artist|Playlist)\)")
_WAITING = re.compile(r"rate/request limit.*Retry will occur after: (\d+)")
_ASKED = "Spotify, or where the music is,"
_CRASHES = frozenset({"AttributeError", "IndexError", "KeyError", "TypeError", "ValueError"})

_REFUSED = re.compile("Could not get |Invalid JSON|Failed to fetch")
"""How SpotipyFree says that Spotify answered with an error; which one, it keeps to itself."""


class Output:
    """What one run of spotDL has said so far."""

    def __init__(self) -> None:
        self.share = 0.0
        self.stage = LOOKING
        self.downloaded = False
        """Whether the song is on the disk, converted and tagged."""
        self.name: str | None = None
        """The name of the list that was asked for."""
        self.listed = 0
        """How many songs the list has, with those that spotDL knows that it can't have."""
        self.not_saved: list[str] = []
        """Why songs of the list are missing in what was saved, one entry each."""
        self.wait = 0.0
        """How many seconds Spotify asked it to wait, last; 0 where it does not wait."""
        self._blocked = False
        self._complaints: list[tuple[str, str]] = []
        self._last: deque[str] = deque(maxlen=40)

    def read(self, line: str) -> None:
        """Take in the next line; raises `SlowDownError` where spotDL would wait for longer than is worth it."""
        self._last.append(re.sub("  +", "  ", line))
        logged = _LOGGED.fullmatch(line)
        if logged:
            self._read_message(logged[1], logged[2])
        elif found := _WAITING.search(line):
            self.wait = float(found[1])
            if self.wait > LONGEST_WAIT:
                raise SlowDownError("Spotify asks for a pause", details={"retryAfter": self.wait})
        elif found := _EXCEPTION.fullmatch(line):
            self._complaints.append((found[1], found[2]))

    def _read_message(self, level: str, message: str) -> None:
        self.wait = 0.0
        if level == "INFO":
            for ending, (share, stage) in _STAGES.items():
                if message.endswith(ending):
                    self.share, self.stage = max(self.share, share), stage
            self.downloaded |= message.startswith('Downloaded "')
            if found := _FOUND.fullmatch(message):
                self.listed, self.name = self.listed + int(found[1]), found[2]
        elif level == "WARNING":
            self._blocked |= message.startswith("You might be blocked by YouTube Music")
            self.listed += message.startswith("Skipping track:")
        elif found := _NOT_SAVED.fullmatch(message):
            self.not_saved.append(found[1])
        elif level == "ERROR" and (found := _FAILED.fullmatch(message)):
            self._complaints.append((found[1], found[2]))
        elif level == "DEBUG" and message.startswith("ERROR: "):
            self._complaints.append(("yt-dlp", message))

    @property
    def complaints(self) -> str:
        """What went wrong, in its words, a line each."""
        return "\n".join((*(text for _, text in self._complaints), *self.not_saved))

    def error(self, *, audio: str | None = None, more: str = "") -> SoundForgeError:
        """Return the error for a run that did not bring what it was asked for.

        `audio` is the provider that it looked at, `more` what other programs left behind for it.
        """
        kind, last = self._complaints[-1] if self._complaints else ("", "")
        if kind == "LookupError":
            blocked = ", which may have blocked this machine" if self._blocked else ""
            place = _PROVIDERS.get(audio or "", "what it searched")
            return UpstreamError(f"spotDL found no match for the song on {place}{blocked}.", code="no_match")
        known = known_trouble(f"{self.complaints}\n{more}", asked=_ASKED)
        if known is not None:
            return known
        log.warning("spotDL failed. The last it said:\n%s", "\n".join(self._last))
        if kind == "FFmpegError":
            why = "what it fetched can't be converted"
        elif kind == "MetadataError":
            why = "the song's tags could not be written"
        elif kind in _CRASHES:
            why = f"it stumbled over an answer of Spotify or YouTube ({kind}: {last[:100]})"
        elif not self._complaints:
            why = "it ended without a word. The log has more"
        else:
            why = last_fault(self.complaints) or f"{kind}: {last}"[:300].rstrip(" .:")
        return UpstreamError(f"spotDL failed: {why}.", code="download_failed")

    def missing_error(self) -> SoundForgeError | None:
        """Return the error of a list that lacks songs which Spotify should have told of; None where it lacks none.

        Songs that are gone from Spotify are no error: they are left out of what was saved.
        """
        said = "\n".join(self.not_saved)
        known = known_trouble(said, asked=_ASKED)
        if known is None and (refused := len(_REFUSED.findall(said))):
            return UpstreamError(
                f"Spotify told spotDL nothing of {refused} of the list's {self.listed} songs. Try again later, or set "
                "SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET.",
            )
        return known
