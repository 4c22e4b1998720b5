"""Rows of jobs, made and read."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from typing import Any

from sqlalchemy import Row

from sfwidgets.library.schema import jobs
from sfwidgets.library.tracks import moment
from sfwidgets.models import Job, JobKind


def fingerprint_of(*asked: Any) -> str:
    """Return what tells a request from another."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def new_row(
    owner: str,
    kind: JobKind,
    track_id: str | None,
    options: dict[str, Any],
    settings: dict[str, Any],
    then: tuple[JobKind, ...],
    fingerprint: str,
) -> dict[str, Any]:
    """Return the row of a job that was asked for just now."""
    return {
        "id": uuid.uuid4().hex, "owner": owner, "kind": kind, "track_id": track_id, "status": "queued", "progress": 0,
        "stage": "", "options": options, "settings": settings, "then": list(then), "fingerprint": fingerprint, "seq": 1,
        "attempt": 0, "lease_until": 0.0, "cancel_requested": False, "created_at": time.time(),
    }  # fmt: skip


def held(job: Job) -> tuple[Any, ...]:
    """Return the condition that an attempt still holds the lease of its job."""
    return jobs.c.id == job.id, jobs.c.status == "processing", jobs.c.attempt == job.attempt


def ended(status: str) -> dict[str, Any]:
    """Return what changes in the row of a job that ends now."""
    return {
        "status": status,
        "stage": "",
        "completed_at": time.time(),
        "seq": jobs.c.seq + 1,
        "lease_until": 0.0,
        "holder": None,
    }


def job_of(row: Row[Any]) -> Job:
    """Return a row as a job."""
    return Job(
        id=row.id,
        owner=row.owner,
        kind=row.kind,
        track_id=row.track_id,
        parent=row.parent,
        status=row.status,
        progress=row.progress,
        stage=row.stage,
        options=row.options,
        then=tuple(row.then),
        attempt=row.attempt,
        seq=row.seq,
        turn=row.turn,
        error=row.error,
        code=row.code,
        output_path=row.output_path,
        result=row.result,
        not_before=None if row.not_before is None else moment(row.not_before),
        created_at=moment(row.created_at),
        started_at=None if row.started_at is None else moment(row.started_at),
        completed_at=None if row.completed_at is None else moment(row.completed_at),
    )
