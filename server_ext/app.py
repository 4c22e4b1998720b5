"""The extension itself: its routes, and the one workbench that they all call."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp

from server_ext.handlers import ROUTES
from server_ext.opened import SETTING, Opened


class SoundForge(ExtensionApp):
    """Serves the library that the server's environment names (`AUDIO_DATA_PATH`), to whoever the server lets in."""

    name = "server_ext"
    description = "Sound Forge Alchemy: tracks, stems and analyses over HTTP."
    load_other_extensions = True

    def initialize_settings(self) -> None:
        """Hand the workbench to the handlers; it is opened when it is first asked for."""
        self.settings[SETTING] = Opened()

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Close the workbench; jobs go on."""
        await self.settings[SETTING].close()
