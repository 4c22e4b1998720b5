"""The gateway: whether the server is well, and what a front end may know of its configuration."""

from __future__ import annotations

from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import PublicConfig
from sfwidgets.models import Health, Stats


class HealthCheck(Handler):
    """`/health`."""

    public = True

    @operation("Say whether the server and what it needs are well", answer=Health)
    async def get(self) -> Health:
        """Look at every part."""
        return await self.opened.health()


class Config(Handler):
    """`/api/config`."""

    public = True

    @operation("What a front end needs in order to sign its users in", answer=PublicConfig)
    async def get(self) -> PublicConfig:
        """Return the configuration's public part."""
        settings = self.opened.settings
        return PublicConfig(supabase_url=settings.supabase_url, supabase_anon_key=settings.supabase_key)


class Statistics(Handler):
    """`/api/stats`."""

    @operation("How much there is in the library, and how fast work goes", answer=Stats)
    async def get(self) -> Stats:
        """Count."""
        return await self.call(lambda wb: wb.stats())
