"""JupyterLab, as `soundforge lab` opens it, and our extension in it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page, expect
from servers import Server, start_lab, start_lab_command

from sfwidgets import Workbench


def get(server: Server, path: str, token: str) -> tuple[int, str]:
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"token {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(errors="replace")


def test_the_command_opens_lab_on_copies_of_the_notebooks_and_overwrites_none(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "pipeline.ipynb").write_text("mine")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with start_lab_command(folder, tmp_path / "library") as server:
        assert (folder / "pipeline.ipynb").read_text() == "mine"
        assert nbformat.read(folder / "workbench.ipynb", as_version=4).cells
        assert list((folder / "learn").glob("*.ipynb"))
        page.goto(server.address())
        expect(page.get_by_role("tab", name="workbench.ipynb")).to_be_visible(timeout=60_000)
        assert page.url.startswith(server.url + "lab/tree/workbench.ipynb")
        expect(page.get_by_role("button", name="| Idle")).to_be_visible(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        expect(page.locator(".sf-studio")).to_be_visible(timeout=60_000)
        expect(page.locator(".sf-studio")).to_contain_text("Library: library")
    own = (server.url, "data:", "blob:", "about:")
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(own)] == []


def test_the_extension_is_loaded_by_itself_and_serves_its_own_library_only(
    shared_wb: Workbench, song: Any, tmp_path: Path
) -> None:
    track = shared_wb.add(song(2, seed=77))
    with start_lab(tmp_path, tmp_path / "another") as server:
        status, said = get(server, f"api/tracks/{track.id}/mixture.wav", server.token)
        assert (status, json.loads(said)["code"]) == (404, "track_not_found")
        assert get(server, f"api/tracks/{track.id}/mixture.wav", "")[0] == 401
    with start_lab(tmp_path, tmp_path / "another", extension=False) as server:
        status, said = get(server, f"api/tracks/{track.id}/mixture.wav", server.token)
        assert status == 404
        assert "track_not_found" not in said
