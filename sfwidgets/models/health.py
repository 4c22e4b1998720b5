"""Whether the parts of the system work."""

from __future__ import annotations

from typing import Literal

from sfwidgets.models.base import Value

PartState = Literal["up", "down", "off"]
"""`off`: not configured, or not needed now. `down`: configured, and not working."""


class Services(Value):
    """The parts, under the names of the HTTP contract."""

    api_gateway: Literal["up"] = "up"
    redis: PartState = "off"
    supabase: PartState = "off"
    database: PartState
    workers: PartState


class Health(Value):
    """Whether everything that is configured works."""

    status: Literal["ok", "degraded"]
    services: Services

    @classmethod
    def of(cls, services: Services) -> Health:
        """Return the health of a system with these parts."""
        down = "down" in services.model_dump().values()
        return cls(status="degraded" if down else "ok", services=services)
