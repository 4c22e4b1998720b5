"""Two users of a Supabase project at one server: neither notices the other, and the rest of Jupyter is closed to both."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import socketio
from services import route_lister
from services.auth_server import AuthServer, auth_server
from services.forged_tokens import BAD, soon
from services.people import DOORS, TUS, Follower, Person, said_by_polling
from simple_song import write_song
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "server"), str(TESTS / "browser")]
from callers import SOCKETS, filled, jar, opened, refused, shake  # noqa: E402
from servers import Server, start_serve  # noqa: E402
from serving import ask  # noqa: E402

PUBLIC = {"/health", "/api/config"}
BODIES: dict[str, Any] = {
    "PATCH /api/tracks/{trackId}": {"title": "Taken over"},
    "POST /api/process/separate": {"trackId": "hers", "options": {"model": "embedded", "twoStems": True}},
    "POST /api/analyze/analyze": {"trackId": "hers"},
    "POST /api/download/track": {"trackId": "hers", "spotifyUrl": "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"},
    "POST /api/process/models/download": {"modelName": "embedded"},
    "POST /api/spotify/fetch": {"url": "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"},
    "POST /api/tracks": {}, "POST /api/uploads": {}, "PATCH /api/uploads/{uploadId}": {},
}  # fmt: skip
"""What is sent where something has to be; with somebody else's ids wherever there is room for one."""


@pytest.fixture(scope="module")
def project() -> Iterator[AuthServer]:
    with auth_server() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("users")


@pytest.fixture(scope="module")
def server(project: AuthServer, folder: Path) -> Iterator[Server]:
    environment = {**project.environment, **route_lister.environment(folder / "jupyter")}
    with start_serve(folder / "library", environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def people(project: AuthServer, server: Server, folder: Path) -> tuple[Person, Person]:
    """She and he: each has a track `both`; she has one more, with stems, an analysis, and an upload that is under way."""
    she, he = Person(project, server, "Ada"), Person(project, server, "Bob")
    she.upload(write_song(folder / "hers.wav", 1.0, seed=1), "hers")
    jobs = she.separate("hers"), she.analyze("hers")
    for person, seed in ((she, 2), (he, 3)):
        person.upload(write_song(folder / f"{person.name}.wav", 1.0, seed=seed), "both")
    he.wait(he.separate("both"))
    she.wait(*jobs)
    begun = she.ask("/api/uploads", "POST", Upload_Length="10", **TUS)
    she.ids = {
        "trackId": "hers", "jobId": jobs[0].rpartition("/")[2], "name": "vocals", "parent": jobs[0].rpartition("/")[2],
        "setId": she.ask(jobs[0]).body["result"]["stemSet"], "set": she.ask(jobs[0]).body["result"]["stemSet"],
        "uploadId": begun.headers["Location"].rpartition("/")[2],
    }  # fmt: skip
    return she, he


@pytest.fixture(scope="module")
def operations(people: tuple[Person, Person]) -> dict[str, dict[str, Any]]:
    """All operations of the API: `GET /api/tracks` → its description."""
    document = people[0].ask("/openapi.json").body
    found = {
        f"{verb.upper()} {path}": about for path, verbs in document["paths"].items() for verb, about in verbs.items()
    }
    assert len(found) > 30
    return found


# -- one and the other ---------------------------------------------------------------------------------------------------


def test_every_operation_with_anothers_ids_is_404_and_changes_nothing(
    people: tuple[Person, Person], operations: dict[str, dict[str, Any]]
) -> None:
    she, he = people
    hers, his = she.all(), he.all()
    for name, about in operations.items():
        verb, template = name.split()
        body = BODIES[name] if "requestBody" in about else None
        given = (
            {"Upload_Offset": "0", "Content_Type": "application/offset+octet-stream", **TUS}
            if "uploads" in name
            else {}
        )
        path = re.sub(r"\{(\w+)\}", lambda found: she.ids[found[1]], template)
        if path != template:
            assert he.ask(path, verb, body, **given).status == 404, name
            if verb in ("GET", "HEAD") and "/download/" not in path and "/artwork" not in path:
                mine = path.replace(she.ids["jobId"], newest(she, "analysis")) if "/analyze/job/" in path else path
                assert she.ask(mine, verb, **given).status == 200, name
            continue
        if template == "/api/download/track":
            continue  # what he downloads is his, whatever it is called
        for parameter in [None, *(p["name"] for p in about.get("parameters", ()) if p["in"] == "query")]:
            if parameter is None or parameter in she.ids:
                query = "" if parameter is None else f"?{parameter}={she.ids[parameter]}"
                answer = he.ask(path + query, verb, body, **given)
                assert answer.status not in (401, 403, 500), name
                mentioned = [
                    value for value in she.ids.values() if f'"{value}"' in json.dumps(answer.body, default=str)
                ]
                assert mentioned in ([], ["vocals"]), (name, mentioned)
                if (body or {}).get("trackId") == "hers":
                    assert answer.status == 404, name
    assert she.all() == hers
    tracks, _jobs, *rest = he.all()
    assert (tracks, rest) == (his[0], his[2:])


def newest(person: Person, kind: str) -> str:
    return str(person.ask(f"/api/jobs?kind={kind}").body["jobs"][0]["id"])


def test_anothers_set_of_stems_does_not_open_with_ones_own_track(people: tuple[Person, Person]) -> None:
    she, he = people
    for path in ("stems/vocals?set={set}", "stems.zip?set={set}", "peaks?set={set}", "mixture.wav?set={set}"):
        assert he.ask(f"/api/tracks/both/{path.format(**she.ids)}").status == 404, path
        assert she.ask(f"/api/tracks/hers/{path.format(**she.ids)}").status == 200, path
    assert he.ask(f"/api/tracks/both/stems/{she.ids['setId']}/vocals.wav").status == 404


def test_the_same_track_id_in_both_is_two_tracks(people: tuple[Person, Person], folder: Path) -> None:
    she, he = people
    for person in people:
        person.upload(folder / f"{person.name}.wav", "shared")
    for person in people:
        person.upload(folder / "hers.wav", "same-audio")
    his = he.all()
    she.wait(she.separate("both"), she.separate("same-audio"), she.analyze("shared"))
    assert she.ask("/api/tracks/both").body["title"] == "both of Ada"
    assert he.ask("/api/tracks/both").body["title"] == "both of Bob"
    audio = [person.ask("/api/tracks/both/audio").body for person in people]
    assert audio == [(folder / f"{person.name}.wav").read_bytes() for person in people]
    assert he.ask("/api/process/track/same-audio").status == 404  # her stems of the same audio are hers
    assert he.ask("/api/analyze/track/shared").status == 404
    for track in ("both", "shared", "same-audio"):
        assert she.ask(f"/api/tracks/{track}", "DELETE").status == 204
    assert he.all() == his
    assert he.ask("/api/tracks/same-audio/audio").body == (folder / "hers.wav").read_bytes()
    stem = he.ask("/api/process/track/both").body["stems"][0]["name"]
    assert he.ask(f"/api/tracks/both/stems/{stem}").status == 200
    she.upload(folder / "Ada.wav", "both")


def test_the_server_s_own_owner_is_a_third(people: tuple[Person, Person], server: Server) -> None:
    for scheme in ("token", "Bearer", "bearer"):
        answer = ask(f"{server.url}api/tracks", Authorization=f"{scheme} {server.token}")
        assert (answer.status, answer.body["total"]) == (200, 0)
    assert ask(f"{server.url}api/tracks/hers", Authorization=f"token {server.token}").status == 404


# -- at the sockets ------------------------------------------------------------------------------------------------------


async def happened(condition: Any) -> None:
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0.02)


def test_no_door_tells_of_anothers_jobs(people: tuple[Person, Person]) -> None:
    she, he = people

    async def scenario() -> dict[str, list[tuple[str, Any]]]:
        async with AsyncExitStack() as stack:
            followers = [await stack.enter_async_context(Follower(door, he, he.token)) for door in DOORS]
            for follower in followers:
                for event, data in (
                    ("subscribe:track", "hers"), ("subscribe:track", "both"), ("subscribe:job", she.ids["jobId"]),
                ):  # fmt: skip
                    await follower.emit(event, data)
                await happened(lambda follower=follower: any(name == "error" for name, _ in follower.got))
            await asyncio.to_thread(she.wait, she.analyze("both"))
            mine = he.analyze("both").rpartition("/")[2]
            for follower in followers:
                await happened(lambda follower=follower: ("analysis:completed", mine) in ended(follower.got))
        return {follower.door: follower.got for follower in followers}

    for door, got in asyncio.run(scenario()).items():
        his = {job["id"] for job in he.ask("/api/jobs").body["jobs"]}
        assert [data["code"] for name, data in got if name == "error"] == ["job_not_found"], door
        assert {data.get("jobId", data.get("id")) for name, data in got if name != "error"} <= his, door


def ended(got: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, data.get("jobId")) for name, data in got]


def test_sockets_open_to_nobody_else_and_say_why(people: tuple[Person, Person], project: AuthServer) -> None:
    she = people[0]
    expired = project.token(she.id, exp=soon(-90))

    async def scenario() -> None:
        with pytest.raises(InvalidStatus) as plain:
            await Follower("plain", she, expired).__aenter__()
        assert plain.value.response.status_code == 401
        for token in (expired, ""):
            follower = Follower("websocket", she, token)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await follower.__aenter__()
            assert follower.refusal["data"]["code"] == "not_signed_in", token

    asyncio.run(scenario())
    for auth in ("", json.dumps({"token": expired}), '{"token": 7}', "[]", json.dumps({"token": she.server.token})):
        assert json.loads(said_by_polling(she.server, auth)[2:])["data"]["code"] == "not_signed_in", auth
    assert said_by_polling(she.server, json.dumps({"access_token": she.token})).startswith('40{"sid"')
    for door in SOCKETS:
        status = 401 if door == "plain" else (101, 200)
        answer = shake(she.server, door)  # a session at Socket.IO may be signed in to later
        assert answer.status == status or answer.status in (101, 200), door
        refused(shake(she.server, door, Authorization=f"Bearer {expired}"), 401)
        assert opened(shake(she.server, door, **she.bearer))
        assert shake(she.server, door, Origin="http://evil.org", **she.bearer).status == 403


def test_a_session_that_polls_is_closed_to_others(people: tuple[Person, Person]) -> None:
    she, he = people
    polling = "/" + SOCKETS["polling"]
    for begins, may, may_not in ((she, (she,), (he, None)), (None, (None,), (he,))):
        headers = {} if begins is None else begins.bearer
        begun = ask(she.server.url[:-1] + polling, **headers)
        session = json.loads(begun.body[1:])["sid"]
        for other in (*may_not, *may):
            shown = {} if other is None else other.bearer
            # A message that the protocol does not know: nothing happens, or the session ends.
            status = ask(f"{she.server.url[:-1]}{polling}&sid={session}", "POST", None, **shown).status
            assert (status == 403) == (other in may_not), (begins, other)


def test_a_socket_ends_with_its_token(people: tuple[Person, Person], project: AuthServer) -> None:
    she = people[0]

    async def scenario() -> list[Any]:
        async with AsyncExitStack() as stack:
            token = project.token(she.id, exp=soon(-56))  # clocks may differ by a minute
            followers = [Follower(door, she, token) for door in DOORS]
            await asyncio.gather(*map(stack.enter_async_context, followers))
            async with asyncio.timeout(30):
                return [await follower.ended for follower in followers]

    assert asyncio.run(scenario())[0] == 4401


@pytest.mark.soak
def test_who_does_not_sign_in_after_all_is_dropped(people: tuple[Person, Person]) -> None:
    async def scenario() -> None:
        async with connect(f"ws{people[0].server.url[4:]}{SOCKETS['websocket']}") as socket, asyncio.timeout(30):
            with pytest.raises(ConnectionClosed):
                while True:
                    await socket.recv()

    asyncio.run(scenario())


# -- what a token opens --------------------------------------------------------------------------------------------------


def test_keys_change_and_the_project_may_be_away(
    project: AuthServer, people: tuple[Person, Person], server: Server
) -> None:
    she = people[0]
    assert ask(f"{server.url}health").body["services"]["supabase"] == "up"
    project.rotate()
    assert she.ask("/api/tracks", Authorization=f"Bearer {project.token(she.id)}").status == 200
    project.status = 500
    try:
        health = ask(f"{server.url}health").body
        assert (health["status"], health["services"]["supabase"]) == ("degraded", "down")
        assert she.ask("/api/tracks").status == 200
    finally:
        project.status = 200


def test_jupyters_own_routes_are_closed_to_users(people: tuple[Person, Person], server: Server, folder: Path) -> None:
    routes = json.loads((folder / "jupyter" / "routes.json").read_text())
    # JupyterLab's list of licences answers nobody whom it refuses: its own fault, which leaves the request open.
    own = [route for route in routes if not {"Gate", "LicensesHandler"} & set(route["bases"])]
    assert {"KernelWebsocketHandler", "TermSocket", "LabHandler", "ContentsHandler", "PrometheusMetricsHandler",
            "TornadoVoilaHandler", "AuthenticatedFileHandler"} <= {route["bases"][0] for route in own}  # fmt: skip
    for route in own:
        path = example(route["pattern"])
        for verb in route["verbs"] or ["GET"]:
            upgrade = {
                "Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
                "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
            } if "WebSocketHandler" in route["bases"] else {}  # fmt: skip
            status = people[0].ask(path, verb, **upgrade).status
            if "JupyterHandler" in route["bases"]:
                assert status == 403, (verb, path)
            else:  # files and redirects for everybody
                assert status in (403, ask(server.url[:-1] + path, verb, **upgrade).status), (verb, path)
    assert ask(f"{server.url}api/kernels", Authorization=f"token {server.token}").body == []
    assert ask(f"{server.url}api/contents", Authorization=f"Bearer {server.token}").status == 200


def example(pattern: str) -> str:
    """Return a path that a route's pattern matches."""
    path = "".join(_example(re._parser.parse(pattern)))  # type: ignore[attr-defined]
    assert re.fullmatch(pattern, path), pattern
    return path if path.startswith("/") else f"/{path}"


def _example(parsed: Any) -> Iterator[str]:
    for what, value in parsed:
        match str(what):
            case "LITERAL":
                yield chr(value)
            case "MAX_REPEAT":
                low, high, item = value
                yield "".join(_example(item)) * min(max(low, 1), int(high))
            case "SUBPATTERN":
                yield from _example(value[3])
            case "BRANCH":
                yield from _example(value[1][0])
            case "AT":
                pass
            case _:
                yield "a"


def test_a_token_that_is_not_good_is_401_and_the_page_of_a_stranger(
    people: tuple[Person, Person], project: AuthServer, server: Server
) -> None:
    for name, bad in BAD.items():
        shown = {"Authorization": f"Bearer {bad(project)}"}
        refused(ask(f"{server.url}api/tracks", **shown), 401)
        assert ask(f"{server.url}api/kernels", **shown).status == 403, name
    shown = {"Authorization": f"Bearer {project.token(people[0].id, exp=soon(-90))}"}
    assert "expired" in ask(f"{server.url}api/tracks", **shown).body["error"]
    for path in PUBLIC:
        assert ask(server.url[:-1] + path, **shown).status == 200
        assert people[0].ask(path).status == 200
    assert ask(f"{server.url}api/tracks?access_token={people[0].token}").status == 401  # that is for sockets


def test_without_a_token_nothing_answers(server: Server, operations: dict[str, dict[str, Any]]) -> None:
    for name in operations:
        verb, template = name.split()
        if template not in PUBLIC:
            assert ask(server.url[:-1] + filled(template, trackId="hers"), verb).status == 401, name


def test_a_token_counts_before_a_cookie_and_needs_no_xsrf_token(people: tuple[Person, Person], server: Server) -> None:
    she = people[0]
    cookies = SimpleCookie()
    for header in ask(server.address("lab")).headers.get_all("Set-Cookie", []):
        cookies.load(header)
    owner = jar({name: morsel.value for name, morsel in cookies.items()})
    assert ask(f"{server.url}api/tracks", **owner).body["total"] == 0
    assert she.ask("/api/tracks", **owner).body["total"] > 0
    asked = {"trackId": "hers"}
    assert ask(f"{server.url}api/analyze/analyze", "POST", asked, **owner).status == 403
    assert she.ask("/api/analyze/analyze", "POST", asked, **owner).status == 202
    assert she.ask("/api/kernels", **owner).status == 403
    assert she.ask("/lab", **owner).status == 403
    expired = {"Authorization": f"Bearer {she.project.token(she.id, exp=soon(-90))}"}
    assert ask(f"{server.url}api/tracks", **owner, **expired).status == 401
    assert "Set-Cookie" not in she.ask("/api/tracks").headers
