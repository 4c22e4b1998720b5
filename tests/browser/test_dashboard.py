"""The dashboard, as its visitors meet it: in a real Chromium, served by our command; and those who mean ill."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from axe import serious
from playwright.sync_api import Browser, Page, expect
from servers import Server, start_voila
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

TOKENS = Path(__file__).parents[2] / "sfwidgets" / "widgets" / "js" / "lib" / "tokens.css"
KERNEL = "JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"
WAITING = "Getting your workbench ready…"

BUTTON = """\
import os, ipywidgets
secret_of_the_source = 1
count = ipywidgets.Label("0")
button = ipywidgets.Button(description="Press me")
button.on_click(lambda _: setattr(count, "value", str(int(count.value) + 1)))
ipywidgets.VBox([button, count, ipywidgets.Label(f"process {os.getpid()}")])
"""


def write_notebook(path: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / "picture.png").write_bytes(b"private")
    with start_voila(write_notebook(folder / "button.ipynb", BUTTON), folder / "library") as server:
        yield server


def visit(page: Page, server: Server, query: str = "") -> int:
    """Open the dashboard, wait for its button, and return the process of its kernel."""
    page.goto(server.url + query)
    expect(page.get_by_role("button", name="Press me")).to_be_visible(timeout=60_000)
    return int(page.get_by_text("process ").inner_text().split()[1])


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_for(true: Callable[[], bool], page: Page) -> None:
    for _ in range(300):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("waited in vain")


def test_a_visitor_uses_the_widgets_and_the_page_asks_nobody_else(page: Page, dashboard: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    visit(page, dashboard)
    page.get_by_role("button", name="Press me").click()
    page.get_by_role("button", name="Press me").click()
    expect(page.get_by_text("2", exact=True)).to_be_visible()
    own = (dashboard.url, dashboard.url.replace("http", "ws"), "data:", "blob:")
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(own)] == []


def test_something_is_seen_while_the_notebook_is_still_run(page: Page, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.05)"
    with start_voila(write_notebook(tmp_path / "slow.ipynb", waits, BUTTON), tmp_path / "library") as server:
        page.goto(server.url, wait_until="commit")
        expect(page.get_by_role("heading", level=1, name="Sound Forge Alchemy")).to_be_visible()
        expect(page.get_by_text(WAITING)).to_be_visible()
        assert page.locator("button:visible").count() == 0
        go_on.touch()
        expect(page.get_by_role("button", name="Press me")).to_be_visible(timeout=60_000)
        expect(page.get_by_text(WAITING)).to_have_count(0)
        page.goto("about:blank")


@pytest.mark.parametrize(
    ("system", "query", "theme"),
    [("light", "", "light"), ("dark", "", "dark"), ("light", "?theme=dark", "dark"), ("dark", "?theme=light", "light")],
)
def test_the_page_is_light_or_dark_as_the_system_or_the_address_says(
    chromium: Browser, dashboard: Server, system: Any, query: str, theme: str
) -> None:
    light, dark = re.findall(r"--sf-background: #(\w{6})", TOKENS.read_text())
    context = chromium.new_context(color_scheme=system)
    page = context.new_page()
    visit(page, dashboard, query)
    seen = page.evaluate("getComputedStyle(document.body).backgroundColor")
    wanted = {"light": light, "dark": dark}[theme]
    assert seen == f"rgb({', '.join(str(part) for part in bytes.fromhex(wanted))})"
    said = page.evaluate("document.body.dataset.jpThemeLight ?? null")
    assert said == (None if not query else "false" if theme == "dark" else "true")
    context.close()


@pytest.mark.parametrize("width", [360, 390, 1600])
def test_the_page_fits_the_window(page: Page, dashboard: Server, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    visit(page, dashboard)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("meta[name=viewport]").get_attribute("content") == "width=device-width, initial-scale=1"


def test_the_page_is_fit_for_a_screen_reader(page: Page, dashboard: Server) -> None:
    visit(page, dashboard)
    assert page.title() == "Sound Forge Alchemy"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert [fault for fault in serious(page, "html") if "Press me" not in fault] == []


def test_the_code_is_not_shown(page: Page, dashboard: Server) -> None:
    visit(page, dashboard)
    assert "secret_of_the_source" not in page.content()


def test_two_visitors_have_two_kernels(page: Page, chromium: Browser, dashboard: Server) -> None:
    first = visit(page, dashboard)
    context = chromium.new_context()
    other = context.new_page()
    second = visit(other, dashboard)
    other.get_by_role("button", name="Press me").click()
    expect(other.get_by_text("1", exact=True)).to_be_visible()
    expect(page.get_by_text("0", exact=True)).to_be_visible()
    assert first != second
    context.close()


def test_the_kernel_of_a_visitor_who_leaves_is_ended(page: Page, dashboard: Server) -> None:
    pid = visit(page, dashboard)
    assert not ended(pid)
    page.goto("about:blank")
    wait_for(lambda: ended(pid), page)


def test_a_lost_kernel_is_said_and_reloading_helps(page: Page, dashboard: Server) -> None:
    pid = visit(page, dashboard)
    alert = page.get_by_role("alert").filter(has=page.get_by_role("button", name="Reload"))
    page.wait_for_timeout(6000)  # longer than the page takes to look after its kernel
    expect(alert).to_have_count(0)
    os.kill(pid, signal.SIGKILL)
    expect(alert).to_contain_text("Your session has ended", timeout=30_000)
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("button", name="Press me")).to_be_visible(timeout=60_000)
    expect(alert).to_have_count(0)
    assert int(page.get_by_text("process ").inner_text().split()[1]) != pid


@pytest.mark.soak
def test_a_preheated_kernel_that_has_died_is_given_to_nobody(page: Page, dashboard: Server) -> None:
    page.goto(dashboard.url)
    expect(page.get_by_role("button", name="Press me")).to_be_visible(timeout=60_000)
    for kernel in dashboard.kernels():
        kernel.kill()
        kernel.wait()
    page.goto(dashboard.url)
    expect(page.get_by_role("button", name="Press me")).to_be_visible(timeout=60_000)


def test_a_lost_connection_is_said_until_it_is_back(page: Page, dashboard: Server) -> None:
    visit(page, dashboard)
    page.context.set_offline(True)
    expect(page.get_by_text("There is no connection to Sound Forge at the moment.")).to_be_visible(timeout=30_000)
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Reload")).to_be_hidden(timeout=30_000)


def test_a_cell_that_fails_shows_a_sentence_and_no_trace(page: Page, tmp_path: Path) -> None:
    fails = "print('hidden' * 0)\nimport sys\nprint('a warning', file=sys.stderr)\nraise ZeroDivisionError('a secret')"
    with start_voila(write_notebook(tmp_path / "fails.ipynb", fails, BUTTON), tmp_path / "library") as server:
        page.goto(server.url)
        expect(page.get_by_text("This part of the page could not be made ready.")).to_be_visible(timeout=60_000)
        expect(page.get_by_text(WAITING)).to_have_count(0)
        shown = page.content()
        wait_for(lambda: "a secret" in server.said(), page)
        page.goto("about:blank")  # what it still loads would fail without its server
    for never in ("ZeroDivision", "a secret", "Traceback", "a warning", "--show_tracebacks", str(tmp_path)):
        assert never not in shown


@pytest.mark.soak
def test_a_notebook_that_shows_nothing_is_said_to_be_broken(page: Page, tmp_path: Path) -> None:
    with start_voila(write_notebook(tmp_path / "nothing.ipynb", "nothing = 1"), tmp_path / "library") as server:
        page.goto(server.url)
        expect(page.get_by_text("Sound Forge could not make this page ready.")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name="Reload")).to_be_visible()
        expect(page.get_by_text(WAITING)).to_have_count(0)
        page.goto("about:blank")


# Somebody who means ill


def socket_of(page: Page, server: Server, version: str) -> ClientConnection:
    address = f"{server.url.replace('http', 'ws')}api/kernels/{page.evaluate(KERNEL)}/channels?session_id=mine"
    return connect(address, subprotocols=[version] if version else None, max_size=None)  # type: ignore[list-item]


def send(socket: ClientConnection, version: str, channel: str, kind: str, content: dict[str, Any]) -> None:
    header = {"msg_id": f"{kind}-{channel}", "msg_type": kind, "session": "mine", "username": "", "version": "5.3"}
    if not version:
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
        socket.send(json.dumps({**message, "channel": channel}))
        return
    parts = [channel.encode(), *(json.dumps(part).encode() for part in (header, {}, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    socket.send(struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts))


def wait_for_reply(socket: ClientConnection, kind: str) -> None:
    while True:
        said = socket.recv(timeout=30)
        if kind in (said if isinstance(said, str) else said.decode("utf-8", "replace")):
            return


@pytest.mark.parametrize("version", ["", "v1.kernel.websocket.jupyter.org"])
def test_code_sent_by_hand_is_not_run(page: Page, dashboard: Server, tmp_path: Path, version: str) -> None:
    visit(page, dashboard)
    mark = tmp_path / "run"
    code = {"code": f"open({str(mark)!r}, 'w')", "silent": False, "store_history": False, "allow_stdin": False}
    with socket_of(page, dashboard, version) as socket:
        for channel in ("shell", "control"):
            send(socket, version, channel, "execute_request", code)
            send(socket, version, channel, "kernel_info_request", {})  # allowed, and answered after what came before
            wait_for_reply(socket, "kernel_info_reply")
    assert not mark.exists()
    page.get_by_role("button", name="Press me").click()
    expect(page.get_by_text("1", exact=True)).to_be_visible()


def answer(url: str, method: str = "GET", **headers: str) -> int:
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(url, body, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "api/kernels", "api/sessions", "api/contents", "api/contents/button.ipynb", "api/terminals", "api/kernelspecs",
        "voila/files/button.ipynb", "voila/files/picture.png", "voila/api/contents/", "voila/tree", "files/button.ipynb",
        "voila/render/button.ipynb", "tree", "lab", "button.ipynb", "picture.png", "voila/templates/../static/x",
        "voila/static/../../../../../../../etc/passwd", "voila/execution/00000000-0000-0000-0000-000000000000",
    ],
)  # fmt: skip
def test_nothing_but_the_page_is_served(dashboard: Server, path: str, method: str) -> None:
    assert answer(dashboard.url + path, method) in (400, 403, 404, 405)


def test_other_sites_reach_neither_the_page_nor_its_kernels(page: Page, dashboard: Server) -> None:
    visit(page, dashboard)
    assert answer(dashboard.url, Host="evil.example") == 403
    address = f"{dashboard.url.replace('http', 'ws')}api/kernels/{page.evaluate(KERNEL)}/channels"
    with pytest.raises(InvalidStatus) as refused, connect(address, origin="https://evil.example"):  # type: ignore[arg-type]
        pass
    assert refused.value.response.status_code == 403
    assert answer(f"{dashboard.url}api/kernels/{page.evaluate(KERNEL)}", "DELETE") == 403
    page.get_by_role("button", name="Press me").click()
    expect(page.get_by_text("1", exact=True)).to_be_visible()
