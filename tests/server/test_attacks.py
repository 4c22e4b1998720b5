"""What an attacker tried on the server, and is refused: each of these once worked, or broke something."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
import websockets
from simple_song import write_song

from sfwidgets import Workbench

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab

LISTED = "http://localhost:3000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("attacked")
    with Workbench(folder / "library") as wb:
        wb.add(write_song(folder / "song.wav", 1, seed=1), id="song")
    root = tmp_path_factory.mktemp("root")
    options = ("--SoundForge.sign_in=False", f"--SoundForge.allow_origins={LISTED}")
    with start_lab(root, folder / "library", options=options) as running:
        yield running


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    assert b"Traceback" not in answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_does_not_embed_audio_though_browsers_name_no_origin_then(server: Server, site: str) -> None:
    audio = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "audio"}
    path = "/api/tracks/song/audio"
    assert ask(server, path, **audio) == 403
    assert ask(server, path, **audio, Referer="http://evil.example/page") == 403
    assert ask(server, path, **audio, Referer="http://[") == 403
    assert ask(server, path, **audio, Referer=f"{LISTED}.evil.example/") == 403
    assert ask(server, path, **audio, Referer=f"{LISTED}/player") == 200
    framed = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
    assert ask(server, "/api/docs", **framed) == 403
    followed = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(server, "/api/docs", **followed) == 200


def test_our_own_page_and_programs_hear_it(server: Server) -> None:
    assert ask(server, "/api/tracks/song/audio", Sec_Fetch_Site="same-origin", Sec_Fetch_Dest="audio") == 200
    assert ask(server, "/api/tracks/song/audio") == 200


@pytest.mark.parametrize("origin", ["http://[", "http://", "://", "null", "http://]:1", "é"])
def test_an_origin_that_is_none_is_refused(server: Server, origin: str) -> None:
    assert ask(server, "/health?token=SECRET", Origin=origin.encode().decode("latin-1")) == 403
    assert "SECRET" not in server.said()


def test_metadata_that_is_no_base64_is_malformed(server: Server) -> None:
    said = {"Tus_Resumable": "1.0.0", "Upload_Length": "100"}
    for value in ("é".encode().decode("latin-1"), "====", base64.b64encode(b"\xff").decode()):
        assert ask(server, "/api/uploads", "POST", **said, Upload_Metadata=f"filename {value}") == 400


def test_no_session_is_given_to_a_script_of_another_page(server: Server) -> None:
    assert ask(server, "/socket.io/?EIO=4&transport=polling&j=0") == 400
    assert ask(server, "/socket.io/?EIO=4&transport=polling") == 200


def test_a_session_that_has_just_ended_is_malformed_and_no_fault_of_ours(server: Server) -> None:
    address, before = f"{server.url}socket.io/?EIO=4&transport=polling", len(server.said())
    session = json.loads(requests.get(address, timeout=30).text[1:])["sid"]
    for packet, status in (("40", 200), ('42["disconnect"]', 200), ('42["x"]', 400)):
        assert requests.post(f"{address}&sid={session}", data=packet, timeout=30).status_code == status
    assert "Traceback" not in server.said()[before:]


def test_binary_attachments_are_not_kept(server: Server) -> None:
    async def attack() -> int:
        before = psutil.Process(server.process.pid).memory_info().rss
        address = server.url.replace("http", "ws") + "socket.io/?EIO=4&transport=websocket"
        try:
            async with websockets.connect(address) as socket:
                await socket.recv()
                await socket.send("40")
                await socket.recv()
                await socket.send('4599999999-["x",{"_placeholder":true,"num":0}]')
                for _ in range(1500):
                    await socket.send(bytes(60_000))
        except websockets.ConnectionClosed:
            pass
        return psutil.Process(server.process.pid).memory_info().rss - before

    assert asyncio.run(attack()) < 40e6


def test_a_title_in_a_file_is_one_line(wb: Workbench, tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "tagged.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        file.title = "One\r\nX: y"
        file.write([0.1, -0.1] * 4000)
    assert wb.add(path).title == "One X: y"
