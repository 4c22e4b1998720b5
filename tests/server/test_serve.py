"""`soundforge serve`, as a process: what it serves to whom, what it says, how it ends, and what it refuses."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from services.everywhere import lose
from serving import answers, ask, until

from sfwidgets import cli
from sfwidgets.errors import InvalidInputError, UnavailableError
from sfwidgets.library import Shared
from sfwidgets.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, free_port, start_serve

PAGE = "http://localhost:3000"


def port_of(server: Server) -> int:
    return int(urlsplit(server.url).port or 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    library = tmp_path_factory.mktemp("serve") / "library"
    with start_serve(
        library, "--no-sign-in", "--dashboard", "--allow-origin", PAGE,
        environment={"SOUNDFORGE_ALLOW_ORIGINS": "https://a.example"},
    ) as running:  # fmt: skip
        yield running


def test_it_says_where_everything_is(server: Server) -> None:
    until(lambda: "Nobody has to sign in" in server.said())
    ours = server.said().split("Sound Forge Alchemy serves the library ")[1]
    assert f"API         {server.url}\n" in ours
    assert f"API's docs  {server.url}api/docs\n" in ours  # nobody signs in
    assert f"{server.url}lab/tree/workbench.ipynb?token=" in ours
    assert server.token not in server.said()  # it was given, not made
    assert f"Pages of https://a.example, {PAGE} may call the API." in ours


def test_without_sign_in_only_the_apis_own_paths_are_free(server: Server) -> None:
    until(lambda: ask(f"{server.url}health").body["status"] == "ok")  # a part that is slow to answer counts as down
    assert ask(f"{server.url}api/tracks").status == 200
    seen = ask(server.address("lab"))
    assert seen.status == 200
    assert b"JupyterLab" in seen.body
    lobby = ask(f"{server.url}login")
    xsrf = lobby.headers["Set-Cookie"].split("_xsrf=")[1].split(";")[0]
    like_a_page = {"Cookie": f"_xsrf={xsrf}", "X_XSRFToken": xsrf}
    for path in ("api/kernels", "api/terminals", "api/sessions", "api/contents"):
        assert ask(f"{server.url}{path}").status == 403, path
        assert ask(f"{server.url}{path}", "POST", **like_a_page).status == 403, path
    assert ask(f"{server.url}lab").status == 302
    signed = ask(f"{server.url}api/kernels", "POST", Authorization=f"token {server.token}")
    assert signed.status == 201
    assert (
        ask(f"{server.url}api/kernels/{signed.body['id']}", "DELETE", Authorization=f"token {server.token}").status
        == 204
    )


@pytest.mark.parametrize("origin", [PAGE, "https://a.example"])
def test_pages_of_a_listed_origin_may_call_the_api_and_nothing_else(server: Server, origin: str) -> None:
    assert ask(f"{server.url}api/tracks", Origin=origin).headers["Access-Control-Allow-Origin"] == origin
    assert ask(f"{server.url}api/tracks", Origin="http://localhost:3001").status == 403
    answer = ask(f"{server.url}api/contents", Origin=origin)
    assert answer.status in (403, 404)
    assert answer.headers.get("Access-Control-Allow-Origin") is None


def test_with_sign_in_the_api_asks_for_the_token_and_a_database_that_is_down_is_said(tmp_path: Path) -> None:
    settings = Settings(library=tmp_path / "library")
    if settings.database_url is None:
        settings.sqlite_file.mkdir(parents=True)  # SQLite can't open a folder
    else:
        lose(settings)
    with start_serve(settings.library) as server:
        health = ask(f"{server.url}health")
        assert (health.status, health.body["status"]) == (200, "degraded")
        assert health.body["services"]["database"] == "down"
        assert ask(f"{server.url}api/tracks").status == 401
        refused = ask(f"{server.url}api/tracks", Authorization=f"token {server.token}")
        assert (refused.status, refused.body["code"]) == (503, "database_unavailable")
        until(lambda: "503 GET /api/tracks" in server.said())
        said = server.said()
        assert "401 GET" not in said  # what clients do wrong is nothing for an operator
        summary = said.split("Sound Forge Alchemy serves the library ")[1]
        assert "Dashboard" not in summary
        assert "Token: the one in JUPYTER_TOKEN" in summary
        assert f"{server.url}api/docs\n" in summary
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_a_dashboard_that_dies_is_said_and_the_api_goes_on(server: Server) -> None:
    page = f"http://127.0.0.1:{port_of(server) + 1}/"
    until(lambda: answers(page))
    assert f"Dashboard   {page}" in server.said()
    family = psutil.Process(server.process.pid).children()
    dashboard = next(child for child in family if "dashboard" in child.cmdline())
    dashboard.kill()
    until(lambda: "The dashboard has ended by itself (exit code -9)" in server.said())
    assert ask(f"{server.url}health").status == 200


def test_a_token_that_was_made_is_shown_with_links_that_sign_in_and_little_else_is_said(tmp_path: Path) -> None:
    with start_serve(tmp_path / "library", environment={"JUPYTER_TOKEN": ""}) as server:
        assert ask(f"{server.url}api/kernels").status == 403
        until(lambda: "Token: " in server.said())
        lines = server.said().splitlines()
        assert len(lines) == 6
        assert lines[0].startswith("Sound Forge Alchemy serves the library ")
        token = lines[4].removeprefix("  Token: ")
        assert ask(f"{server.url}api/tracks", Authorization=f"token {token}").status == 200
        docs = lines[2].split()[-1]
        assert ask(docs.split("?")[0]).status == 401
        page = ask(docs)
        assert page.status == 200
        assert b"/api/tracks" in page.body


def test_a_library_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    command = ["soundforge", "serve", "--no-browser", "--library", str(tmp_path / "file" / "library"), "--port"]
    monkeypatch.setattr(sys, "argv", [*command, str(free_port())])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    with pytest.raises(UnavailableError, match="Set AUDIO_DATA_PATH to a folder that can be written to"):
        Shared(Settings(library=tmp_path / "file" / "library"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--no-sign-in", "--ip", "0.0.0.0"], "--no-sign-in would let everyone who reaches 0.0.0.0"),
        (["--no-sign-in", "--ip", "192.168.1.5"], "--no-sign-in would let everyone"),
        (["--allow-origin", "*"], "name each origin"),
        (["--allow-origin", "http://localhost:3000/app"], "no path behind it"),
        (["--allow-origin", "localhost:3000"], "is no origin"),
        (["--port", "{taken}"], "{taken} can't be listened on .* --port"),
        (["--port", "{free}", "--dashboard", "--dashboard-port", "{taken}"], "can't be listened on .* --dashboard-port"),
        (["--port", "{free}", "--dashboard", "--dashboard-port", "{free}"], "The API has port {free}"),
        (["--port", "65535", "--dashboard"], "can't be listened on .* --dashboard-port"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_started(options: list[str], sentence: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"taken": other.getsockname()[1], "free": free_port()}
        given = ["--port", "{free}"] * ("--port" not in options) + options
        with pytest.raises(InvalidInputError, match=sentence.format(**ports)):
            cli.app(["serve", "--no-browser", *(o.format(**ports) for o in given)], standalone_mode=False)


@pytest.mark.parametrize(
    ("variables", "code", "sentence"),
    [
        ({"PORT": "tcp://10.0.0.1:80"}, 2, "API_GATEWAY_PORT (or PORT) is 'tcp://10.0.0.1:80', which is no port"),
        ({"SUPABASE_KEY": "sb_secret_0123456789"}, 2, "SUPABASE_KEY: this is a secret key"),
        ({"PYTHONPATH": "{broken}"}, 1, "The API could not be loaded"),
    ],
    ids=["port", "secret key", "broken extension"],
)
def test_it_does_not_start_without_an_api_or_with_a_wrong_setting(
    tmp_path: Path, variables: dict[str, str], code: int, sentence: str
) -> None:
    (tmp_path / "server_ext").mkdir()
    (tmp_path / "server_ext" / "__init__.py").write_text("raise ImportError('no such part')")
    given = {name: value.format(broken=tmp_path) for name, value in variables.items()}
    port = [] if "PORT" in variables else ["--port", str(free_port())]
    said = subprocess.run(
        [sys.executable, "-m", "sfwidgets.cli", "serve", "--no-browser", *port],
        cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env={**os.environ, "AUDIO_DATA_PATH": str(tmp_path / "library"), **given},
    )  # fmt: skip
    assert said.returncode == code
    assert sentence in said.stderr
    assert "PYTHONPATH" not in variables or "no such part" in said.stderr
    assert "0123456789" not in said.stderr
