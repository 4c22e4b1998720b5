"""What each owner may have, and whether there is room for more of it; nothing is asked where nothing is limited."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from sfwidgets.errors import QuotaError, SlowDownError
from sfwidgets.library.batches import RUNNING
from sfwidgets.library.schema import audio, jobs, stem_sets
from sfwidgets.models import JobKind, Limits
from sfwidgets.settings import Settings

WAIT_SECONDS = 30.0
"""After how long it is worth asking again where too many jobs are unfinished."""


def limits_of(settings: Settings) -> Limits:
    """Return what each owner may have, as the settings say."""
    return Limits(
        storage_bytes=None if settings.owner_gb is None else int(settings.owner_gb * 1e9),
        upload_bytes=None if settings.upload_mb is None else int(settings.upload_mb * 1e6),
        unfinished_jobs=settings.owner_jobs,
        open_uploads=settings.owner_uploads,
        open_sockets=settings.owner_sockets,
        requests_per_minute=settings.requests_per_minute,
    )


def check_storage(connection: Connection, limits: Limits, owner: str, more: int = 1) -> None:
    """Raise `QuotaError` where an owner's audio and stems would take more than they may with so many more bytes.

    Who then adds them has taken hold of the owner before.
    """
    if limits.storage_bytes is None:
        return
    used = stored_bytes(connection, owner)
    if used + more > limits.storage_bytes:
        raise QuotaError(
            f"There is no room for more: audio and stems take {_size(used)} of the {_size(limits.storage_bytes)} that "
            "you may keep. Delete tracks or stems that you need no longer, then try again.",
            details={"used": used, "limit": limits.storage_bytes},
        )


def stored_bytes(connection: Connection, owner: str) -> int:
    """Return the bytes of an owner's audio and stems."""
    held = (select(func.coalesce(func.sum(kept.c.size), 0)).where(kept.c.owner == owner) for kept in (audio, stem_sets))
    return sum(int(connection.scalar(query) or 0) for query in held)


def check_asked(connection: Connection, limits: Limits, owner: str, kind: JobKind, new: int) -> None:
    """Look at jobs of a kind that the open transaction has just inserted, which is to be undone where this raises.

    Raises `SlowDownError` where too many of the owner's jobs are unfinished by now, and `QuotaError` where waiting would
    not help: where there are more new ones than may be unfinished, or their results have no room. The owner is held.
    """
    if kind in ("download", "processing"):
        check_storage(connection, limits, owner)
    most = limits.unfinished_jobs
    if most is None:
        return
    if new > most:
        raise QuotaError(
            f"At most {most} of your jobs may be unfinished at once; this asks for {new}. Ask for fewer at a time.",
            details={"limit": most},
        )
    unfinished = select(func.count()).where(
        jobs.c.owner == owner, jobs.c.status.in_(RUNNING), jobs.c.kind != "batch"
    )  # fmt: skip
    before = int(connection.scalar(unfinished) or 0) - new
    if before + new > most:
        raise SlowDownError(
            f"{before} of your jobs are unfinished, and at most {most} may be. Wait until some have ended, or cancel some.",
            code="too_many_jobs",
            details={"retryAfter": WAIT_SECONDS, "used": before, "limit": most},
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"
