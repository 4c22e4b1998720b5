"""One hierarchy of errors: each has a sentence for a person, a stable code and an HTTP status."""

from __future__ import annotations

from typing import Any, ClassVar


class SoundForgeError(Exception):
    """Something went wrong that a person can be told about.

    The message is one sentence that says what happened and what to do. `code` is stable and for programs; `status`
    is the HTTP status that the HTTP contract gives such an error; `details` are optional facts for a program.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if code is not None:
            self.code = code  # type: ignore[misc]

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.code, self.details))

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it is worth asking again, where that is known: `details["retryAfter"]`."""
        return None if self.details is None else self.details.get("retryAfter")

    def to_dict(self) -> dict[str, Any]:
        """Return `{"error", "code"}`, with `"details"` where there are any, as the HTTP contract has it."""
        body: dict[str, Any] = {"error": self.message, "code": self.code}
        if self.details is not None:
            body["details"] = self.details
        return body


def _rebuild(cls: type[SoundForgeError], message: str, code: str, details: dict[str, Any] | None) -> SoundForgeError:
    return cls(message, code=code, details=details)


class InvalidInputError(SoundForgeError):
    """What was asked for is malformed: a bad id, an unknown option or value, a missing file or field."""

    code = "invalid_input"
    status = 400


class UnknownModelError(InvalidInputError):
    """No model has that name."""

    code = "unknown_model"


class NotFoundError(SoundForgeError):
    """There is no such thing, or it is not yours."""

    code = "not_found"
    status = 404


class ConflictError(SoundForgeError):
    """The thing is in use, or in a state that does not allow this."""

    code = "conflict"
    status = 409


class QuotaError(SoundForgeError):
    """There would be more of it than an owner may have; the sentence has the figures."""

    code = "quota_exceeded"
    status = 413


class AudioError(SoundForgeError):
    """The audio can't be decoded, or is not fit for what was asked."""

    code = "audio_undecodable"
    status = 422


class UpstreamError(SoundForgeError):
    """Somebody else's service failed: Spotify, YouTube, or a host of files."""

    code = "upstream_failed"
    status = 502


class UpstreamTimeoutError(UpstreamError):
    """Somebody else's service took too long to answer; `retry_after` says when to ask again."""

    code = "upstream_timeout"
    status = 504


class SlowDownError(UpstreamError):
    """Somebody else's service wants fewer requests; `retry_after` says when to ask again."""

    code = "slow_down"
    status = 429


class UnavailableError(SoundForgeError):
    """A needed part is missing: a model's weights, a database, a worker. The sentence says which and what to do."""

    code = "unavailable"
    status = 503


class ModelUnavailableError(UnavailableError):
    """The model is known, but its weights are not here and could not be fetched."""

    code = "model_unavailable"


class DiskFullError(UnavailableError):
    """There is no room left where the library lives."""

    code = "disk_full"


class JobFailedError(SoundForgeError):
    """A job that somebody waited for ended in `error`; its sentence and code are the job's."""

    code = "job_failed"


class JobCancelledError(SoundForgeError):
    """A job that somebody waited for was cancelled."""

    code = "cancelled"
    status = 409
