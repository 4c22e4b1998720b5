"""Who may call what: every operation of /openapi.json and both sockets, with and without sign-in, from every origin."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import socketio
from callers import SOCKETS, ask, filled, jar, opened, refused, shake, signed
from simple_song import write_song
from websockets.asyncio.client import connect

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab

LISTED = "http://localhost:3000"
FOREIGN = [
    "null", "http://localhost:3001", "https://localhost:3000", "http://localhost", "http://localhost:3000.evil.org",
    "http://evil.org", "http://localhost:30000", "http://localhost:3000/", "http://localhost:3000, http://evil.org",
    "file://", "",
]  # fmt: skip
PUBLIC = {"/health", "/api/config"}
BODIES = {
    "/api/process/separate": {"trackId": "{trackId}", "options": {"model": "embedded"}},
    "/api/analyze/analyze": {"trackId": "{trackId}"},
    "/api/tracks/{trackId}": {"artist": "Somebody"},
}
OURS_OF_JUPYTER = (
    ("POST", "api/kernels"), ("POST", "api/contents"), ("POST", "api/terminals"), ("POST", "api/sessions"),
    ("GET", "api/kernels"), ("GET", "api/contents"), ("GET", "api/terminals"), ("GET", "api/sessions"),
    ("PUT", "api/contents/planted.ipynb"), ("DELETE", "api/contents/notes.txt"), ("GET", "files/notes.txt"),
    ("GET", "metrics"), ("POST", "api/shutdown"), ("GET", "terminals/websocket/1"), ("GET", "api/events/subscribe"),
)  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Two owners of one library: each has a track `both` and one of their own, separated and analysed."""
    folder = tmp_path_factory.mktemp("signing-in")
    with Workbench(folder / "library") as ours, Workbench(folder / "library", owner="other") as theirs:
        jobs = []
        for wb, own, seed in ((ours, "ours", 1), (theirs, "theirs", 2)):
            source = write_song(folder / f"{own}.wav", 1.0, seed=seed)
            wb.add(source, id=own, title=own)
            wb.add(source, id="both", title=own)
            jobs += [wb.separate(own, "embedded"), wb.analyze(own)]
        for job in jobs:
            job.wait()
        yield ours
    stop_cluster(ours.settings)


@pytest.fixture(scope="module")
def theirs(library: Workbench) -> Iterator[Workbench]:
    with Workbench(library.settings.library, owner="other") as wb:
        yield wb


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "notes.txt").write_text("private")
    return folder


@pytest.fixture(scope="module")
def servers(library: Workbench, root: Path) -> Iterator[dict[str, Server]]:
    """A server that asks for sign-in, and one that asks for none, in the strictest of Jupyter's own settings."""
    folder, listed = library.settings.library, f"--SoundForge.allow_origins={LISTED}"
    strict = ("--SoundForge.sign_in=False", "--ServerApp.allow_unauthenticated_access=False")
    with (
        start_lab(root, folder, options=(listed,)) as guarded,
        start_lab(root, folder, options=(listed, *strict)) as free,
    ):
        yield {"guarded": guarded, "free": free}
        guarded.process.terminate()  # before the other takes away the workers of both


@pytest.fixture(scope="module")
def guarded(servers: dict[str, Server]) -> Server:
    return servers["guarded"]


@pytest.fixture(scope="module")
def free(servers: dict[str, Server]) -> Server:
    return servers["free"]


@pytest.fixture(params=["guarded", "free"])
def either(servers: dict[str, Server], request: pytest.FixtureRequest) -> Server:
    return servers[request.param]


@pytest.fixture(scope="module")
def operations(guarded: Server) -> list[tuple[str, str]]:
    """All operations of the API: (method, path)."""
    document = ask(guarded.url + "openapi.json", **signed(guarded)).body
    found = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    assert len(found) > 30
    return found


@pytest.fixture(scope="module")
def cookie(guarded: Server) -> dict[str, str]:
    """The headers of a browser that has opened Lab with the token; the XSRF token is in it as `_xsrf`."""
    answer = ask(guarded.address("lab"))
    found = {}
    for header in answer.headers.get_all("Set-Cookie", []):
        found |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    assert "_xsrf" in found
    assert len(found) == 2
    return found


# -- with sign-in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        {}, {"Authorization": "token wrong"}, {"Authorization": "token"}, {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic dXNlcjp3cm9uZw=="}, {"Cookie": "username-127-0-0-1=2|1:0|10:1|4:user|4:self|sig"},
    ],
    ids=["nothing", "wrong", "empty", "bearer", "basic", "cookie"],
)  # fmt: skip
def test_without_the_token_nothing_but_two_paths_and_no_socket_answers(
    guarded: Server, operations: list[tuple[str, str]], shown: dict[str, str]
) -> None:
    for method, path in operations:
        answer = ask(guarded.url + filled(path, trackId="ours")[1:], method, **shown)
        if path in PUBLIC:
            assert answer.status == 200, path
        elif method == "HEAD":
            assert answer.status == 401, path
        else:
            refused(answer, 401)
    for door in SOCKETS:
        refused(shake(guarded, door, **shown), 401)


def test_a_wrong_token_in_the_query_is_none(guarded: Server) -> None:
    refused(ask(f"{guarded.url}api/tracks?token=wrong"), 401)
    refused(ask(f"{guarded.url}api/tracks?access_token={guarded.token}"), 401)
    refused(ask(f"{guarded.url}ws?token=wrong", Upgrade="websocket", Connection="Upgrade"), 401)


def test_what_is_not_there_is_not_told_to_strangers(guarded: Server) -> None:
    refused(ask(f"{guarded.url}api/process/nothing"), 401)
    refused(ask(f"{guarded.url}api/tracks/none"), 401)
    assert ask(f"{guarded.url}api/tracks/none", **signed(guarded)).status == 404
    assert ask(f"{guarded.url}api/process/nothing", **signed(guarded)).status == 404


def test_the_token_signs_in_as_header_and_in_the_query(guarded: Server) -> None:
    token = guarded.token
    for shown in (f"token {token}", f"Bearer {token}"):
        assert ask(f"{guarded.url}api/tracks", Authorization=shown).body["total"] == 2
    assert ask(f"{guarded.url}api/tracks?token={token}").body["total"] == 2
    asked = {"trackId": "ours"}
    assert ask(f"{guarded.url}api/analyze/analyze", "POST", asked, **signed(guarded)).status == 202
    assert ask(f"{guarded.url}api/analyze/analyze?token={token}", "POST", asked).status == 202


@pytest.mark.parametrize("door", SOCKETS)
def test_the_token_opens_the_sockets_as_header_and_in_the_query(
    guarded: Server, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened(shake(guarded, door, **signed(guarded)))
    there = SOCKETS[door]
    monkeypatch.setitem(SOCKETS, door, f"{there}{'&' if '?' in there else '?'}token={guarded.token}")
    assert opened(shake(guarded, door))


def test_a_cookie_reads_and_needs_the_xsrf_token_to_change_something(guarded: Server, cookie: dict[str, str]) -> None:
    here = guarded.url.rstrip("/")
    asked = {"trackId": "ours"}
    analyze = f"{here}/api/analyze/analyze"
    assert ask(f"{here}/api/tracks", **jar(cookie)).body["total"] == 2
    assert ask(f"{here}/api/tracks", Origin=here, **jar(cookie)).status == 200
    for headers in ({}, {"Origin": here}, {"Origin": LISTED}, {"X_XSRFToken": "made-up"}):
        answer = ask(analyze, "POST", asked, **jar(cookie), **headers)
        assert (answer.status, answer.body["code"]) == (403, "refused"), headers
        assert ask(f"{here}/api/tracks/ours", "DELETE", **jar(cookie), **headers).status == 403
    xsrf = {"X_XSRFToken": cookie["_xsrf"]}
    assert ask(analyze, "POST", asked, **jar(cookie), **xsrf).status == 202
    assert ask(analyze, "POST", asked, **jar(cookie), **xsrf, Origin=here).status == 202
    assert ask(analyze, "POST", asked, **xsrf).status == 401
    assert ask(analyze, "POST", asked, **jar({"_xsrf": cookie["_xsrf"]}), **xsrf).status == 401


@pytest.mark.parametrize("door", SOCKETS)
def test_a_cookie_opens_the_sockets_from_here_and_from_nowhere_else(
    guarded: Server, cookie: dict[str, str], door: str
) -> None:
    here = guarded.url.rstrip("/")
    assert opened(shake(guarded, door, **jar(cookie)))
    assert opened(shake(guarded, door, Origin=here, **jar(cookie)))
    refused(shake(guarded, door, Origin="http://evil.org", **jar(cookie)), 403)


def test_a_cookie_from_another_site_gets_nothing(
    guarded: Server, cookie: dict[str, str], operations: list[tuple[str, str]]
) -> None:
    for method, path in operations:
        answer = ask(
            guarded.url + filled(path, trackId="ours")[1:], method, Origin="http://evil.org", **jar(cookie),
            X_XSRFToken=cookie["_xsrf"],
        )  # fmt: skip
        assert answer.status == 403, path
        assert "access-control-allow-origin" not in answer.headers


# -- origins and hosts, with sign-in and without -----------------------------------------------------------------------


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_origins_are_refused_everywhere(
    either: Server, operations: list[tuple[str, str]], origin: str
) -> None:
    for method, path in (*operations, ("GET", "/api/process/nothing")):
        where = either.url + filled(path, trackId="ours")[1:]
        answer = ask(where, method, Origin=origin, **signed(either))
        if method == "HEAD":
            assert answer.status == 403, path
        else:
            refused(answer, 403)
        preflight = ask(where, "OPTIONS", Origin=origin, Access_Control_Request_Method=method)
        refused(preflight, 403)
        assert "access-control-allow-methods" not in preflight.headers
    for door in SOCKETS:
        refused(shake(either, door, Origin=origin, **signed(either)), 403)
    refused(ask(either.url + SOCKETS["polling"], "OPTIONS", Origin=origin, Access_Control_Request_Method="POST"), 403)


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "192.0.2.7", "127.0.0.1.evil.example"])
def test_a_name_that_is_not_this_machines_is_refused(
    either: Server, operations: list[tuple[str, str]], name: str
) -> None:
    host = f"{name}:{urlsplit(either.url).port}"
    for origin in ({}, {"Origin": f"http://{host}"}):
        for method, path in operations:
            answer = ask(either.url + path[1:], method, Host=host, **origin, **signed(either))
            assert answer.status == 403, path
            assert "access-control-allow-origin" not in answer.headers
        for door in SOCKETS:
            refused(shake(either, door, Host=host, **origin, **signed(either)), 403)
    assert ask(f"{either.url}health", Host=f"localhost:{urlsplit(either.url).port}").status == 200


def test_a_listed_origin_may_read_each_answer_and_is_told_so(either: Server, operations: list[tuple[str, str]]) -> None:
    for method, path in operations:
        answer = ask(either.url + filled(path, trackId="none")[1:], method, Origin=LISTED, **signed(either))
        assert answer.headers["access-control-allow-origin"] == LISTED, path
        assert answer.headers["vary"] == "Origin"
        assert answer.status not in (401, 403, 500), path
    assert "Retry-After" in ask(f"{either.url}health", Origin=LISTED).headers["access-control-expose-headers"]


def test_no_answer_lets_an_origin_in_that_did_not_ask(either: Server) -> None:
    for headers in ({}, {"Origin": either.url.rstrip("/")}):
        answer = ask(f"{either.url}api/tracks", **signed(either), **headers)
        assert answer.status == 200
        assert "access-control-allow-origin" not in answer.headers


def test_preflights_of_a_listed_origin_are_answered_to_everybody(
    either: Server, operations: list[tuple[str, str]]
) -> None:
    for method, path in operations:
        answer = ask(
            either.url + filled(path)[1:], "OPTIONS", Origin=LISTED, Access_Control_Request_Method=method,
            Access_Control_Request_Headers="content-type,authorization",
        )  # fmt: skip
        assert answer.status == 204, path
        assert answer.headers["access-control-allow-origin"] == LISTED
        assert method in answer.headers["access-control-allow-methods"].split(", ")
        allowed = answer.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
        assert {"content-type", "authorization"} <= set(allowed)
        assert int(answer.headers["access-control-max-age"]) > 0


def test_an_origin_is_listed_as_it_is_written_in_any_case(free: Server) -> None:
    assert ask(f"{free.url}api/tracks", Origin="HTTP://LocalHost:3000").status == 200


# -- without sign-in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [{}, {"Origin": LISTED}], ids=["no origin", "listed"])
def test_without_sign_in_all_of_the_api_is_free(
    free: Server, operations: list[tuple[str, str]], origin: dict[str, str]
) -> None:
    for method, path in operations:
        answer = ask(free.url + filled(path, trackId="none")[1:], method, **origin)
        assert answer.status not in (401, 403, 500), path
    assert ask(f"{free.url}api/tracks", **origin).body["total"] == 2
    assert ask(f"{free.url}api/analyze/analyze", "POST", {"trackId": "ours"}, **origin).status == 202
    for door in SOCKETS:
        assert opened(shake(free, door, **origin)), door


@pytest.mark.parametrize("origin", [{}, {"Origin": LISTED}, {"Origin": "here"}], ids=["no origin", "listed", "here"])
def test_without_sign_in_the_rest_of_jupyter_asks_for_the_token_all_the_same(
    free: Server, root: Path, origin: dict[str, str]
) -> None:
    if origin.get("Origin") == "here":
        origin = {"Origin": free.url.rstrip("/")}
    lobby = ask(f"{free.url}login")
    xsrf = SimpleCookie(lobby.headers["Set-Cookie"])["_xsrf"].value
    for shown in ({}, {"Cookie": f"_xsrf={xsrf}", "X_XSRFToken": xsrf}):
        for method, path in OURS_OF_JUPYTER:
            answer = ask(free.url + path, method, **origin, **shown)
            assert answer.status in (302, 403, 404), (method, path)
            if answer.status == 302:
                assert "/login" in answer.headers["Location"], path
            assert answer.headers.get("access-control-allow-origin") is None, path
    assert (root / "notes.txt").read_text() == "private"
    assert not (root / "planted.ipynb").exists()
    assert ask(f"{free.url}api/kernels", **signed(free)).body == []
    assert ask(f"{free.url}api/sessions", **signed(free)).body == []


# -- owners ------------------------------------------------------------------------------------------------------------


def test_what_belongs_to_another_is_not_there_on_any_path_with_an_id(
    guarded: Server, library: Workbench, theirs: Workbench, operations: list[tuple[str, str]]
) -> None:
    def call(method: str, path: str, wb: Workbench, track: str) -> int:
        """Call an operation about an owner's things: jobs of the service that the path names."""
        kind = "analysis" if "/analyze/" in path else "processing"
        values = {
            "trackId": track, "jobId": wb.jobs(track, kind=kind)[0].id, "setId": wb.stems(track).id, "name": "vocals"
        }  # fmt: skip
        body = {
            name: filled(value, **values) if isinstance(value, str) else value
            for name, value in BODIES.get(path, {}).items()
        }
        return ask(guarded.url + filled(path, **values)[1:], method, body or None, **signed(guarded)).status

    about = [(method, path) for method, path in operations if "{" in path or path in BODIES]
    about = [found for found in about if "uploadId" not in found[1]]
    assert len(about) > 15
    not_there = {"/api/tracks/{trackId}/artwork", *(path for _, path in about if "/api/download/" in path)}
    for method, path in about:
        assert call(method, path, theirs, "theirs") == 404, (method, path)
        if path not in not_there and method != "DELETE":
            assert call(method, path, library, "ours") in (200, 202), (method, path)
    assert theirs.track("theirs").title == "theirs"
    assert theirs.stems("theirs").id


def test_another_owners_stem_set_does_not_open_with_ones_own_track(
    guarded: Server, library: Workbench, theirs: Workbench
) -> None:
    for stem_set, status in ((library.stems("ours").id, 200), (theirs.stems("theirs").id, 404)):
        for path in (f"stems/{stem_set}/vocals.wav", f"stems/vocals?set={stem_set}", f"mixture.wav?set={stem_set}"):
            assert ask(f"{guarded.url}api/tracks/ours/{path}", **signed(guarded)).status == status, path


def test_lists_and_what_two_owners_call_by_one_name_are_ones_own(guarded: Server, theirs: Workbench) -> None:
    tracks = ask(f"{guarded.url}api/tracks", **signed(guarded)).body["tracks"]
    assert sorted(track["id"] for track in tracks) == ["both", "ours"]
    assert ask(f"{guarded.url}api/tracks/both", **signed(guarded)).body["title"] == "ours"
    jobs: list[dict[str, Any]] = ask(f"{guarded.url}api/jobs", **signed(guarded)).body["jobs"]
    assert {job["trackId"] for job in jobs} == {"ours"}
    assert not {job["id"] for job in jobs} & {job.id for job in theirs.jobs()}
    assert ask(f"{guarded.url}api/jobs?trackId=theirs", **signed(guarded)).body["jobs"] == []
    assert ask(f"{guarded.url}api/process/track/both", **signed(guarded)).status == 404
    stats = ask(f"{guarded.url}api/stats", **signed(guarded)).body
    assert (stats["tracks"], stats["jobs"]["processing"]["completed"]) == (2, len(jobs_of(jobs, "processing")))


def jobs_of(jobs: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [job for job in jobs if (job["kind"], job["status"]) == (kind, "completed")]


@pytest.mark.parametrize("door", SOCKETS)
def test_events_of_another_never_arrive(guarded: Server, library: Workbench, theirs: Workbench, door: str) -> None:
    got = asyncio.run(follow(guarded, door, [theirs, library]))
    errors = [data["code"] for name, data in got if name == "error"]
    assert errors == ["job_not_found"]
    told = {data.get("jobId", data.get("id")) for name, data in got if name != "error"}
    assert library.jobs("both", kind="analysis")[0].id in told
    assert not told & {job.id for job in theirs.jobs()}


async def follow(server: Server, door: str, askers: list[Workbench]) -> list[tuple[str, Any]]:
    """Return what arrives for two tracks and a job of the first owner, while each in turn has a track analysed."""
    got: list[tuple[str, Any]] = []
    asked = [("subscribe:track", "theirs"), ("subscribe:track", "both"), ("subscribe:job", askers[0].jobs()[0].id)]

    async def ask_for_jobs() -> str:
        for wb in askers:
            job = wb.analyze("both")
            await asyncio.to_thread(job.wait)
        return str(job.id)

    def over(job_id: str) -> bool:
        return any(name == "analysis:completed" and data["jobId"] == job_id for name, data in got)

    async with asyncio.timeout(30):
        if door == "plain":
            async with connect(f"ws{server.url[4:]}ws", additional_headers=signed(server)) as socket:
                for event, data in asked:
                    await socket.send(json.dumps({"event": event, "data": data}))
                last = await ask_for_jobs()
                while not over(last):
                    frame = json.loads(await socket.recv())
                    got.append((frame["event"], frame["data"]))
        else:
            async with socketio.AsyncSimpleClient() as client:
                await client.connect(server.address(), transports=[door])
                for event, data in asked:
                    await client.emit(event, data)
                last = await ask_for_jobs()
                while not over(last):
                    name, data = await client.receive()
                    got.append((name, data))
    return got
