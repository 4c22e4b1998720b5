"""Sound Forge Alchemy over HTTP: an extension of Jupyter Server, loaded by itself once the package is installed."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server what to load."""
    from server_ext.app import SoundForge

    return [{"module": "server_ext", "app": SoundForge}]
