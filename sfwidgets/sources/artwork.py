"""Cover pictures of tracks, fetched from Spotify's own hosts alone."""

from __future__ import annotations

import base64
import io
import logging
import struct
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

_HOSTS = ("i.scdn.co", "mosaic.scdn.co")
_DOMAIN = ".spotifycdn.com"

_LARGEST = 5 * 2**20
"""Bytes; Spotify's are a tenth of it at most."""

_SECONDS = 10.0
"""A cover is worth no longer wait."""

_MOST_PIXELS = 25_000_000

_FRONT_COVER, _BITS = 3, 24


@dataclass(frozen=True)
class Picture:
    """A JPEG or PNG."""

    data: bytes
    mime: str
    width: int
    height: int

    def flac_block(self) -> str:
        """Return the picture as Opus and Vorbis files carry it: FLAC's picture block (RFC 9639, 8.8), in base64."""
        mime = self.mime.encode()
        head = struct.pack(">II", _FRONT_COVER, len(mime)) + mime + struct.pack(">I", 0)
        facts = struct.pack(">IIIII", self.width, self.height, _BITS, 0, len(self.data))
        return base64.b64encode(head + facts + self.data).decode()


def is_fetched_from(url: str) -> bool:
    """Return whether a picture is fetched from that address: https, on a host of Spotify's pictures."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme == "https" and parts.netloc == host and (host in _HOSTS or host.endswith(_DOMAIN))
    except ValueError:
        return False


def fetch_picture(url: str | None) -> Picture | None:
    """Return the picture at that address, None where there is none to be had; a track is no worse for it."""
    if url is None:
        return None
    if not is_fetched_from(url):
        log.info("No cover: %.200r is not an address of Spotify's pictures.", url)
        return None
    import requests

    try:
        return _picture(_body(url))
    except (requests.RequestException, OSError, ValueError) as error:
        log.info("No cover from %.200r: %s", url, error)
        return None


def _body(url: str) -> bytes:
    import requests

    started = time.monotonic()
    content = bytearray()
    with requests.get(url, stream=True, allow_redirects=False, timeout=_SECONDS) as answer:
        if answer.status_code != requests.codes.ok:
            raise ValueError(f"the answer's status is {answer.status_code}")
        for piece in answer.iter_content(65536):
            content += piece
            if len(content) > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST} bytes")
            if time.monotonic() - started > _SECONDS:
                raise ValueError(f"it takes longer than {_SECONDS:.0f} s")
    return bytes(content)


def _picture(data: bytes) -> Picture:
    """Return what the bytes hold; raises `OSError` or `ValueError` where that is no JPEG or PNG."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
        width, height = image.size
        mime = f"image/{image.format}".lower()
        if width * height > _MOST_PIXELS:
            raise ValueError(f"it has {width} × {height} pixels")
        image.load()
    return Picture(data, mime, width, height)
