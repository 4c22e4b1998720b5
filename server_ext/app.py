"""The extension itself: its routes, who may call them, the one workbench behind them, and the events from it."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, List, TraitError, Unicode, default, validate

from server_ext import handlers, live, making
from server_ext.cleaning import Cleaning
from server_ext.garbage import ShortCollections
from server_ext.gate import POLICY, Policy
from server_ext.identity import ACCESS_TOKENS
from server_ext.limits import SETTING as PACE
from server_ext.limits import Pace
from server_ext.metrics import Figures
from server_ext.opened import LIVE, SETTING, Opened
from server_ext.uploads import SETTING as UPLOADS
from server_ext.uploads import OpenUploads
from sfwidgets.errors import SoundForgeError
from sfwidgets.settings import Settings, is_loopback, normal_origin


class SoundForge(ExtensionApp):
    """Serves the library that the server's environment names (`AUDIO_DATA_PATH`), to whoever the server lets in."""

    name = "server_ext"
    description = "Sound Forge Alchemy: tracks, stems and analyses over HTTP."
    load_other_extensions = True

    sign_in = Bool(
        True, help="False: the API's paths ask for no sign-in. Only where the server listens on loopback."
    ).tag(config=True)
    allow_origins = List(Unicode(), help="Other origins whose pages may call the API, like http://localhost:3000.").tag(
        config=True
    )

    open_at_start = Bool(
        False,
        help="True: open the library at the start, and take up jobs that were left, rather than at the first request.",
    ).tag(config=True)

    @default("allow_origins")
    def _origins_of_the_settings(self) -> list[str]:
        return list(Settings().allow_origins)

    @validate("allow_origins")
    def _check_origins(self, proposal: Any) -> list[str]:
        try:
            return [normal_origin(value) for value in proposal["value"]]
        except ValueError as error:
            raise TraitError(str(error)) from None

    def initialize_settings(self) -> None:
        """Hand the handlers what they share; the library is opened when it is first asked for."""
        if not self.sign_in:
            self._check_loopback()
        opened = Opened()
        self.settings[SETTING] = opened
        self.settings[LIVE] = live.Live(opened)
        self.settings[PACE] = Pace(opened.settings.requests_per_minute)
        self.settings[UPLOADS] = OpenUploads(opened.settings.owner_uploads)
        self._figures = Figures(opened)
        self._cleaning = Cleaning(opened)
        self._collections = ShortCollections()
        self.settings[POLICY] = Policy(self.sign_in, frozenset(self.allow_origins))
        if self.sign_in and opened.settings.supabase_url is not None:
            from server_ext.access_tokens import AccessTokens

            self.settings[ACCESS_TOKENS] = AccessTokens(opened.settings)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend([*live.routes(self.settings[LIVE]), *handlers.handlers()])

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        del serverapp
        self._collections.start()
        self._figures.start()
        self._cleaning.start()
        if self.open_at_start:
            self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        try:
            await self.settings[SETTING].workbench()
        except SoundForgeError as error:
            self.log.error("The library can't be opened; each request tries again. %s", error.message)

    async def stop_extension(self) -> None:
        """End the events and close the workbench; jobs go on."""
        await self._collections.close()
        await self._figures.close()
        await self._cleaning.close()
        await self.settings[LIVE].close()
        await asyncio.to_thread(self.settings[UPLOADS].close)
        await asyncio.to_thread(making.close)
        await self.settings[SETTING].close()

    def _check_loopback(self) -> None:
        server = self.serverapp
        if server is None or not is_loopback(server.ip) or server.allow_remote_access:
            raise TraitError(
                "Without sign-in the server may only listen on this machine's own address: leave ServerApp.ip at 127.0.0.1 "
                "and ServerApp.allow_remote_access off, or leave SoundForge.sign_in on."
            )
