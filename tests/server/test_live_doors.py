"""Both doors of the live events, over real sockets against a real Jupyter Server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import websockets
from simple_song import write_song

from sfwidgets import Workbench
from tests.browser.servers import Server, start_lab
from tests.server import live_jobs
from tests.server.live_clients import DOORS, Listener, listening, masked, raw_websocket
from tests.server.serving import ask


@dataclass
class Scene:
    """A server, and another process (this one) that works in the same library."""

    server: Server
    wb: Workbench
    ended: str
    """A job that has ended."""

    def perform(self, track: str) -> str:
        """Let a job do nothing but tell of itself; returns its id."""
        steps = [(0.0, "create", None), (0.01, "claim", None), (0.02, "complete", None)]
        told: str = live_jobs.start(self.wb, [(track, "local", "analysis", steps)]).result()[track][0][0]
        return told

    def post(self, path: str, document: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Ask for a job over HTTP; returns the answer, and when it had come."""
        answer = ask(self.server.url + path, "POST", document, Authorization=f"token {self.server.token}")
        assert answer.status == 202, answer.body
        return answer.body, time.time()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("live")
    with Workbench(root / "library") as wb, start_lab(root, root / "library") as server:
        wb.add(write_song(root / "song.wav", 2), id="song")
        found = Scene(server, wb, "")
        found.ended = found.perform("ended")
        yield found


def test_all_doors_tell_the_same_in_the_contracts_words(scene: Scene) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            listeners = [await stack.enter_async_context(listening(scene.server, door, "doors")) for door in DOORS]
            steps = [
                (0.0, "create", None), (0.05, "claim", None), *((0.1 + n / 50, "stage", f"step {n}") for n in range(20)),
                (0.6, "progress", 0.5), (0.65, "stage", "half"), (1.0, "complete", None),
            ]  # fmt: skip
            failing = [*steps[:2], (0.2, "fail", "Broken on purpose.")]
            plan: list[Any] = [("doors", "local", "processing", steps), ("doors", "local", "analysis", failing)]
            for listener in listeners:
                await listener.settled()
            told = (await asyncio.to_thread(live_jobs.start(scene.wb, plan).result))["doors"]
            separation, analysis = told[0][0], next(job for job, *_ in told if job != told[0][0])
            for listener in listeners:
                await listener.ended(separation, analysis)
                for job in (separation, analysis):
                    seqs = [data["seq"] for _, data in listener.long(job)]
                    assert seqs == list(dict.fromkeys(seq for id, seq, *_ in told if id == job)), listener.door
                assert listener.got == listeners[0].got, listener.door
            names = [name for name, _ in listeners[0].long(separation)]
            between = ["processing:job:updated"] * (len(names) - 2)
            assert names == ["processing:job:created", *between, "processing:job:completed"]
            assert [name for name, _ in listeners[0].short(separation)] == [
                "processing:started", "processing:update", "processing:completed",
            ]  # fmt: skip
            assert listeners[0].short(analysis) == [
                ("analysis:error", {
                    "trackId": "doors", "jobId": analysis, "status": "error", "progress": 0, "error": "Broken on purpose.",
                })
            ]  # fmt: skip
            document = listeners[0].long(analysis)[-1][1]
            assert {"id", "trackId", "kind", "status", "progress", "createdAt", "outputPath", "error", "seq"} <= set(
                document
            )

    asyncio.run(scenario())


def test_a_separation_asked_for_over_http_is_told_after_its_202_and_names_its_stems(scene: Scene) -> None:
    async def scenario() -> None:
        async with (
            listening(scene.server, "plain", "song") as plain,
            listening(scene.server, "websocket", "song") as sio,
        ):
            for round in range(2):  # the second has nothing left to do
                document = {"trackId": "song", "options": {"model": "embedded"}}
                answer, answered = await asyncio.to_thread(scene.post, "api/process/separate", document)
                for listener in (plain, sio):
                    await listener.ended(answer["jobId"])
                    at = [moment for moment, (_, d) in zip(listener.at, listener.got, strict=True)
                          if answer["jobId"] in (d.get("id"), d.get("jobId"))]  # fmt: skip
                    assert at[0] >= answered - 0.1, "an event came long before the 202"
                    assert at[-2] >= answered + 0.4, f"round {round}: the end came too soon after the 202"
                    name, data = listener.short(answer["jobId"])[-1]
                    assert name == "processing:completed"
                    assert data["stems"] == [stem.name for stem in scene.wb.stems("song").stems]

    asyncio.run(scenario())


def test_a_cancelled_job_says_so_in_both_families(scene: Scene) -> None:
    path = write_song(scene.wb.settings.library.parent / "long.wav", 60, seed=1)
    scene.wb.add(path, id="long")

    async def scenario() -> None:
        async with listening(scene.server, "plain", "long") as listener:
            job = await asyncio.to_thread(scene.wb.separate, "long", "embedded")
            await listener.until(lambda: listener.short(job.id))
            await asyncio.to_thread(job.cancel)
            await listener.ended(job.id)
            assert listener.long()[-1][0] == "processing:job:cancelled"
            name, data = listener.short()[-1]
            assert (name, data["status"], data["error"]) == ("processing:error", "cancelled", "Cancelled.")

    asyncio.run(scenario())


@pytest.mark.parametrize("door", DOORS)
def test_who_was_away_at_the_end_is_told_on_coming_back(scene: Scene, door: str) -> None:
    track = f"away-{door}"
    steps = [(0.0, "create", None), (0.05, "claim", None), (0.8, "complete", None)]

    async def scenario() -> None:
        async with listening(scene.server, door, track) as listener:
            future = live_jobs.start(scene.wb, [(track, "local", "analysis", steps)])
            await listener.until(lambda: len(listener.long()) == 2)
        await asyncio.to_thread(future.result)
        async with listening(scene.server, door, track) as again:
            await again.until(again.short)
            assert [name for name, _ in again.got] == ["analysis:job:completed", "analysis:completed"]

    asyncio.run(scenario())


def test_a_job_without_a_track_is_followed_by_its_id(scene: Scene) -> None:
    async def scenario() -> None:
        async with listening(scene.server, "plain") as plain, listening(scene.server, "polling") as polling:
            answer, _ = await asyncio.to_thread(
                scene.post, "api/process/models/download", {"modelName": "htdemucs"}
            )  # offline: it fails
            for listener in (plain, polling):
                await listener.emit("subscribe:job", answer["jobId"])
                await listener.ended(answer["jobId"])
                assert listener.got[-1][0] == "model:job:error"

    asyncio.run(scenario())


@pytest.mark.parametrize("door", ["plain", "websocket", "polling"])
@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("subscribe:track", None, "invalid_id"), ("subscribe:track", {"id": "song"}, "invalid_id"),
        ("subscribe:track", ["song"], "invalid_id"), ("subscribe:track", "../song", "invalid_id"),
        ("subscribe:track", "x" * 65, "invalid_id"), ("subscribe:job", "nonsense", "job_not_found"),
        ("subscribe:everything", "song", "unknown_event"), ("connect", "song", None), ("disconnecting", 1, "unknown_event"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_answered_and_the_connection_stays(
    scene: Scene, door: str, event: str, data: Any, code: str | None
) -> None:
    async def scenario() -> None:
        async with listening(scene.server, door) as listener:
            await listener.emit(event, data)
            await listener.emit("subscribe:track", "")
            await listener.until(lambda: "invalid_id" in _codes(listener))
            await listener.until(lambda: code is None or code in _codes(listener))
            assert all(set(given) == {"error", "code"} for name, given in listener.got if name == "error")
            await listener.emit("subscribe:job", scene.ended)
            await listener.until(listener.long)

    asyncio.run(scenario())


def _codes(listener: Listener) -> list[str]:
    return [data["code"] for name, data in listener.got if name == "error"]


def test_frames_that_are_no_json_are_answered_and_too_large_ones_end_the_connection(scene: Scene) -> None:
    url = f"{scene.server.url.replace('http', 'ws', 1)}ws?token={scene.server.token}"
    frames: list[Any] = [
        "", "nonsense", "null", "[]", "{}", '{"event": 1}', '{"event": null, "data": "song"}', b"\x00\xff", "[" * 60000,
        "1" * 60000, '"\\ud800"', '{"event": "\\ud800", "data": "\\ud800"}',
    ]  # fmt: skip

    async def scenario() -> None:
        async with websockets.connect(url) as client:
            for frame in frames:
                await client.send(frame)
                answer = json.loads(await asyncio.wait_for(client.recv(), 10))
                assert answer["event"] == "error", frame[:40]
                assert answer["data"]["code"] in ("malformed_frame", "unknown_event")
            await client.send("x" * 70000)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(client.recv(), 10)

    asyncio.run(scenario())


def test_malformed_packets_of_the_protocol_harm_nobody_and_fill_no_log(scene: Scene) -> None:
    url = f"{scene.server.url.replace('http', 'ws', 1)}socket.io/?EIO=4&transport=websocket&token={scene.server.token}"
    packets = ["x", "9", "4", "4x", "42", "42{}", "42[]", "42[{}]", "42[1]", '42["connect",{}]', "45-", "451-[{}]",
               "4" + "2" * 2000, "42" + "[" * 50000, '42["*"]', '42["disconnect"]', "44", "43", "1", b"\x00"]  # fmt: skip

    async def scenario() -> None:
        for packet in packets:
            async with websockets.connect(url) as client:
                await client.recv()
                await client.send("40")
                assert (await client.recv()).startswith("40")  # type: ignore[arg-type]
                await client.send(packet)
                await client.send('42["subscribe:track","!"]')
                try:
                    await asyncio.wait_for(client.recv(), 0.2)
                except (TimeoutError, websockets.ConnectionClosed):
                    continue
        async with listening(scene.server, "websocket", "!") as listener:
            await listener.until(lambda: _codes(listener))

    before = scene.server.said()
    asyncio.run(scenario())
    fresh = scene.server.said().removeprefix(before)
    assert "Traceback" not in fresh
    assert "never retrieved" not in fresh


def test_a_connection_follows_a_thousand_rooms_at_most(scene: Scene) -> None:
    async def scenario() -> None:
        async with listening(scene.server, "plain") as listener:
            for number in range(1001):
                await listener.emit("subscribe:track", f"many-{number}")
            await listener.until(lambda: listener.got, 60)
            assert _codes(listener) == ["too_many_subscriptions"]

    asyncio.run(scenario())


def test_a_plain_request_to_the_websockets_path_is_told_so(scene: Scene) -> None:
    answer = ask(f"{scene.server.url}ws?token={scene.server.token}")
    assert (answer.status, answer.body["code"]) == (400, "invalid_input")


def test_nobody_comes_in_without_signing_in_or_from_another_site(scene: Scene) -> None:
    async def scenario() -> None:
        token = f"token={scene.server.token}"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            for path in ("ws?", "socket.io/?EIO=4&transport=websocket&"):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(scene.server.url + path)
                assert refused.value.status == 401
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(
                        scene.server.url + path + token, headers={"Origin": "http://elsewhere.example"}
                    )
                assert refused.value.status == 403
            polling = f"{scene.server.url}socket.io/?EIO=4&transport=polling&"
            assert (await session.get(polling)).status == 401
            opened = await session.get(polling + token)
            sid = json.loads((await opened.text())[1:])["sid"]
            assert (await session.post(f"{polling}sid={sid}", data="40")).status == 401
            assert (await session.post(f"{polling}{token}&sid={sid}", data=_large())).status == 413
            assert (await session.post(f"{polling}{token}&sid={sid}", data="40")).status == 200

    asyncio.run(scenario())


async def _large() -> AsyncIterator[bytes]:
    for _ in range(70):
        yield b"4" * 1000


def test_a_client_that_never_reads_is_dropped_and_delays_nobody(scene: Scene) -> None:
    stuck = raw_websocket(scene.server, "/ws?")
    frame = masked(json.dumps({"event": "nonsense"}))
    steps = [(0.0, "create", None), (0.05, "claim", None), *((0.1 + n / 10, "stage", f"{n}") for n in range(30)),
             (3.2, "complete", None)]  # fmt: skip

    def flood() -> int:
        """Send until the server has had enough; returns how many frames that took."""
        for sent in range(0, 1_000_000, 100):
            try:
                stuck.sendall(frame * 100)
            except OSError:
                return sent
        raise AssertionError("nobody minds")

    async def scenario() -> None:
        async with (
            listening(scene.server, "plain", "calm") as calm,
            listening(scene.server, "websocket", "calm") as too,
        ):
            flooding = asyncio.create_task(asyncio.to_thread(flood))
            future = live_jobs.start(scene.wb, [("calm", "local", "analysis", steps)])
            told = (await asyncio.to_thread(future.result))["calm"]
            for listener in (calm, too):
                await listener.ended(told[0][0])
                assert [data["seq"] for _, data in listener.long()] == [seq for _, seq, *_ in told]
            assert await asyncio.wait_for(flooding, 60) > 0

    asyncio.run(scenario())


def test_sockets_and_events_are_counted(scene: Scene) -> None:
    def figure(name: str) -> float:
        text = ask(f"{scene.server.url}metrics?token={scene.server.token}").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    async def scenario() -> None:
        names = [f'soundforge_sockets{{transport="{transport}"}}' for transport in ("websocket", "socketio")]
        before = [figure(name) for name in names]
        async with (
            listening(scene.server, "plain", "song") as plain,
            listening(scene.server, "polling", "song") as polling,
        ):
            await plain.until(lambda: plain.got)
            await polling.until(lambda: polling.got)
            assert [figure(name) for name in names] == [count + 1 for count in before]
            assert figure('soundforge_events_total{event="analysis:completed"}') >= 2
        async with asyncio.timeout(10):
            while any(figure(name) > count for name, count in zip(names, before, strict=True)):
                await asyncio.sleep(0.1)

    scene.perform("counted")
    asyncio.run(scenario())
