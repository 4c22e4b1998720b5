"""What schemathesis loads beside its configuration when it fuzzes the API: see fuzz.py."""

from __future__ import annotations

import io
import wave
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import AcceptedNegativeData, RejectedPositiveData

KEPT = {"song", "bare"}
"""Tracks that the other operations need."""

NO_SCHEMA_SAYS = {
    "audio_undecodable": "whether bytes are audio",
    "audio_empty": "whether bytes are audio",
    "unknown_model": "which models there are: MODELS_DIR may hold more",
    "upload_broken": "how many bytes of an upload are missing",
}
"""Codes of refusals that valid data may meet, and what it is that a schema can't say."""


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Return whether a failure is one."""
    del context
    if isinstance(failure, AcceptedNegativeData):
        return "x-schemathesis-unknown-property" not in case.headers  # HTTP has unknown headers ignored
    return not (isinstance(failure, RejectedPositiveData) and _code(response) in NO_SCHEMA_SAYS)


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Return whether a request may be sent."""
    del context
    return case.method != "DELETE" or case.path_parameters.get("trackId") not in KEPT


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Put audio into uploads that are to be accepted, and begin parts of files where the file does."""
    del context
    if case.meta.generation.mode.is_positive:
        if (case.method, case.path) == ("POST", "/api/tracks"):
            case.body["file"] = _audio(case.body["file"])
        if (case.method, case.path) == ("PATCH", "/api/uploads/{uploadId}"):
            case.headers["Upload-Offset"] = "0"
    return case


@schemathesis.serializer("application/offset+octet-stream")
def part_of_a_file(context: Any, value: Any) -> bytes:
    """Return a body as bytes."""
    del context
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


def _audio(seed: Any) -> bytes:
    """Return a WAV file whose samples are these bytes."""
    data = seed if isinstance(seed, bytes) else str(seed).encode(errors="surrogatepass")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes((data + bytes(range(256))) * 4)
    return file.getvalue()


def _code(response: Any) -> str | None:
    try:
        return response.json()["code"]
    except (ValueError, KeyError, TypeError):
        return None
