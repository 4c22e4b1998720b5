"""Deque's axe, the usual automatic check of accessibility, on a page of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "sfwidgets" / "widgets" / "js" / "node_modules" / "axe-core" / "axe.min.js"


def serious(page: Any, within: str = ".sf") -> list[str]:
    """Return what axe calls serious or critical in the elements that match `within`, each as a line."""
    page.evaluate(SCRIPT.read_text())
    found = page.evaluate(
        "within => axe.run({ include: [[within]] }, { resultTypes: ['violations'] }).then(result => result.violations)",
        within,
    )
    return [
        f"{fault['id']}: {fault['help']}: {node['target']} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
