"""What a notebook keeps of widgets: little, and pictures in their place when no kernel runs any more."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from servers import start_lab

from sfwidgets import Workbench


def test_a_saved_notebook_is_small_and_reopens_with_pictures(
    page: Any, wb: Workbench, song: Callable[..., Path], tmp_path: Path
) -> None:
    track = wb.add(song(8))
    wb.separate(track, "embedded", analyze=True).wait()
    wb.analyze(track).wait()
    root = tmp_path / "root"
    root.mkdir()
    code = [
        "from sfwidgets import Workbench\nfrom sfwidgets.widgets import *\nwb = Workbench()",
        f"player = StemPlayer(wb, '{track.id}')\nplayer",
        f"AnalysisView(wb, '{track.id}', player=player)",
        f"wb.analyze('{track.id}')",
        f"Studio(wb, '{track.id}')",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in code],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, root / "kept.ipynb")
    with start_lab(root, wb.settings.library) as server:
        page.set_viewport_size({"width": 1300, "height": 2400})
        page.goto(server.address("lab/tree/kept.ipynb"))
        page.locator(".jp-Cell").first.wait_for(timeout=60_000)
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        page.keyboard.press("Escape")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.locator(".sf-player").first.wait_for(timeout=60_000)
        page.locator(".sf-studio").wait_for(timeout=60_000)
        assert page.locator(".sf-still:visible").count() == 0, "the still picture is seen beside the living widget"
        page.keyboard.press("Control+s")
        page.wait_for_function("() => !document.title.includes('*')")
        saved = root / "kept.ipynb"
        for _ in range(100):
            if "sf-still" in saved.read_text():
                break
            page.wait_for_timeout(100)
        assert "sf-still" in saved.read_text()
        assert saved.stat().st_size < 1_000_000

        for kernel in _api(server, "api/kernels"):
            _api(server, f"api/kernels/{kernel['id']}", method="DELETE")
        page.goto(server.address("lab/tree/kept.ipynb", reset=""))
        page.locator(".sf-still img:visible").nth(1).wait_for(timeout=60_000)
        widths = page.eval_on_selector_all(".sf-still img", "all => all.map(image => image.naturalWidth)")
        assert all(width > 200 for width in widths)
        assert page.get_by_text("model not found").locator("visible=true").count() == 0


def _api(server: Any, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(
        server.url + path, method=method, headers={"Authorization": f"token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")
