"""Links to Spotify, in the forms that people copy them in."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from sfwidgets.errors import InvalidInputError

LinkKind = Literal["track", "album", "playlist", "artist"]

_KIND_AND_ID = r"(track|album|playlist|artist)%s([A-Za-z0-9]{1,64})"
_URI = re.compile("spotify:" + _KIND_AND_ID % ":", re.ASCII)
_LINK = re.compile(
    r"(?:https?://)?(?:(?:open|play|www)\.)?spotify\.com/(?:intl-[a-z]{2,3}/)?"
    + _KIND_AND_ID % "/"
    + r"/?(?:[?#][\w.~%&=+:/,@!?#-]{0,1000})?",
    re.IGNORECASE | re.ASCII,
)
_SHORT = re.compile(r"(?:https?://)?(?:spotify\.link|spotify\.app\.link|spoti\.fi)/\S*", re.IGNORECASE | re.ASCII)


class SpotifyLink(NamedTuple):
    """What a link leads to."""

    kind: LinkKind
    id: str

    @property
    def url(self) -> str:
        """Its address in full, without what a query string tells about whoever copied it."""
        return f"https://open.spotify.com/{self.kind}/{self.id}"


def parse_link(url: str) -> SpotifyLink:
    """Return what a link, or a `spotify:` URI, leads to; raises `InvalidInputError` for anything else.

    A link may lack its scheme, be under open., play. or bare spotify.com, and carry `/intl-xx/` and a query string.
    Spotify's short links are refused, with a sentence of their own: only Spotify knows what they lead to.
    """
    text = url.strip() if isinstance(url, str) else ""
    if not text:
        raise InvalidInputError("URL is required", code="url_required")
    if _SHORT.fullmatch(text):
        raise InvalidInputError(
            "Invalid Spotify URL: a short link does not say what it leads to. Open it in a browser, and copy the long "
            "address from there.",
            code="invalid_url",
        )
    found = _URI.fullmatch(text) or _LINK.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            "Invalid Spotify URL: paste the link of a track, an album, a playlist or an artist, from open.spotify.com. "
            "Episodes and users can't be had.",
            code="invalid_url",
        )
    return SpotifyLink(cast("LinkKind", found[1].lower()), found[2])
