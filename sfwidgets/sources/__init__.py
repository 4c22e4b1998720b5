"""Where tracks come from beside files: Spotify says what there is, spotDL and yt-dlp get it."""

from sfwidgets.sources.check import fits
from sfwidgets.sources.download import Downloaded, Progress, download
from sfwidgets.sources.links import SpotifyLink, parse_link
from sfwidgets.sources.metadata import check_online, fetch, search

__all__ = [
    "Downloaded", "Progress", "SpotifyLink", "cache_key", "check_online", "download", "fetch", "fits", "parse_link",
    "search",
]  # fmt: skip


def cache_key(link: SpotifyLink) -> str:
    """Return what a link's metadata are kept under."""
    return f"spotify:{link.kind}:{link.id}"
