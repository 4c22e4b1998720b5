"""Sound Forge Alchemy: split songs into stems and analyse them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sfwidgets.settings import Settings
    from sfwidgets.workbench import Workbench

__all__ = ["Settings", "Workbench", "__version__"]

try:
    __version__ = version("sound-forge-alchemy")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0.0.0"


def __getattr__(name: str) -> Any:
    """Load the façade when it is first asked for, so that `import sfwidgets` stays light."""
    if name == "Workbench":
        from sfwidgets.workbench import Workbench

        return Workbench
    if name == "Settings":
        from sfwidgets.settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
