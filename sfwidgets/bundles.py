"""The JavaScript that pages run, as `make` and the wheel's build put it into `widgets/static`."""

from __future__ import annotations

from pathlib import Path

from sfwidgets.errors import UnavailableError

_STATIC = Path(__file__).parent / "widgets" / "static"


def bundle(name: str) -> tuple[str, str]:
    """Return a bundle's script and style; raises `UnavailableError` where they were not built."""
    script, style = _STATIC / f"{name}.js", _STATIC / f"{name}.css"
    if not script.exists():
        raise UnavailableError(
            "The widgets' JavaScript was not built. In a checkout run `make setup`; otherwise install the package again.",
            code="not_built",
        )
    return script.read_text(encoding="utf-8"), style.read_text(encoding="utf-8") if style.exists() else ""
