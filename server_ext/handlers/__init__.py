"""The routes; each module here is one documented service."""

from __future__ import annotations

from server_ext.handlers.audio import MixtureAudio, StemAudio

ROUTES = [
    (r"/api/tracks/([^/]*)/stems/([^/]*)/([^/]*)\.wav", StemAudio),
    (r"/api/tracks/([^/]*)/mixture\.wav", MixtureAudio),
]
