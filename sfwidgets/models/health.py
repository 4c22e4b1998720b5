"""Whether the parts of the system work."""

from __future__ import annotations

from typing import Literal

from sfwidgets.models.base import Value

PartState = Literal["up", "down", "off"]
"""`off`: not configured, or not needed now. `down`: configured, and not working."""


class Services(Value):
    """The parts, under the names of the HTTP contract."""

    api_gateway: Literal["up"] = "up"
    """This server."""
    redis: PartState = "off"
    """The road of events and the cache of what Spotify said, where one is configured."""
    supabase: PartState = "off"
    """The sign-in of users, where it is configured."""
    database: PartState
    """What holds tracks and jobs."""
    workers: PartState
    """What does the jobs; `off` until the first job starts them."""


class Health(Value):
    """Whether everything that is configured works."""

    status: Literal["ok", "degraded"]
    """`degraded` where a part is `down`; the answer is 200 all the same."""
    services: Services

    @classmethod
    def of(cls, services: Services) -> Health:
        """Return the health of a system with these parts."""
        down = "down" in services.model_dump().values()
        return cls(status="degraded" if down else "ok", services=services)
