"""The API's page and its OpenAPI document: whether a front end can be built from them alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from jsonschema import Draft202012Validator

from server_ext.codes import CODES
from server_ext.handlers.docs import described, page
from server_ext.live.frames import News
from sfwidgets.models import Job, utc_now

ROOT = Path(__file__).parents[2]
SAID = re.compile(r"""\bcode(?:: \w+)? ?= ?"(\w+)\"""")


class Read(HTMLParser):
    """What a page holds: its ids, where its links lead, its headings' levels, its tags and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []

    def handle_data(self, data: str) -> None:
        self.text += data


READ = Read(page("/"))


def test_every_link_on_the_page_leads_somewhere() -> None:
    assert len(set(READ.ids)) == len(READ.ids)
    assert {link for link in READ.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in READ.links if link.startswith("#")} <= set(READ.ids)


def test_the_page_is_one_file_whose_headings_go_down_one_at_a_time() -> None:
    assert not READ.tags & {"script", "link", "img", "iframe", "button", "form"}
    assert READ.levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(READ.levels, READ.levels[1:], strict=False))


def test_every_operation_and_every_type_is_shown() -> None:
    text = " ".join(READ.text.split())
    for path, methods in described()["paths"].items():
        for method, operation in methods.items():
            if method != "head" or "get" not in methods:
                assert f"{method.upper()} {path} {operation['summary']}" in text
    for name, schema in described()["components"]["schemas"].items():
        assert f"type-{name}" in READ.ids
        assert schema["description"].replace("`", "") in text
        assert all(field in text for field in schema.get("properties", {}))


def test_the_fields_of_an_upload_and_the_headers_of_tus_are_told() -> None:
    paths = described()["paths"]
    form = paths["/api/tracks"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "trackId", "title", "artist", "album"}
    assert all(field["description"] for field in form["properties"].values())
    begun = paths["/api/uploads"]["post"]["responses"]["201"]["headers"]
    went_on = paths["/api/uploads/{uploadId}"]["patch"]["responses"]["204"]["headers"]
    assert begun["Location"]["required"] and went_on["Upload-Offset"]["required"]
    assert not went_on["Track-Id"]["required"]
    (metadata,) = (each for each in paths["/api/uploads"]["post"]["parameters"] if each["name"] == "Upload-Metadata")
    for key in ("filename", "title", "artist", "album", "trackId"):
        assert f"`{key}`" in metadata["description"]


def test_every_parameter_says_what_it_means() -> None:
    for methods in described()["paths"].values():
        for operation in methods.values():
            assert all(each["description"] for each in operation["parameters"] if each["in"] != "path")


def test_what_is_always_sent_is_marked_so_and_what_may_be_absent_is_not() -> None:
    schemas = described()["components"]["schemas"]
    assert {"bpm", "key", "beats", "stems"} <= set(schemas["Analysis"]["required"])
    assert "installed" in schemas["ModelInfo"]["required"]
    optional = set(schemas["JobDocument"]["properties"]) - set(schemas["JobDocument"]["required"])
    assert optional == {"parent", "notBefore", "startedAt", "completedAt", "code", "options", "result"}
    assert "details" not in schemas["Failure"]["required"]
    assert set(schemas["SeparateRequest"]["required"]) == {"trackId"}


def test_live_events_are_as_their_types_say() -> None:
    schemas = described()["components"]["schemas"]
    queued = Job(id="job", owner="me", kind="processing", track_id="song", status="queued", progress=0, seq=1,
                 created_at=utc_now())  # fmt: skip
    ended = queued.model_copy(update={"status": "completed", "started_at": utc_now(), "result": {"stemSet": "set"}})
    failed = queued.model_copy(update={"status": "error", "error": "No.", "code": "internal"})
    paused = queued.model_copy(update={"kind": "download", "parent": "batch", "not_before": utc_now(), "seq": 3})
    batch = ended.model_copy(update={"kind": "batch", "track_id": None, "result": {"total": 2, "completed": 2}})
    for job in (queued, ended, failed, paused, batch):
        news = News(job, ("vocals.flac",) if job.status == "completed" else None)
        for data, name in ((news.long.data, "JobEvent"), (news.short("update").data, "ShortEvent")):
            Draft202012Validator({**schemas[name], "components": {"schemas": schemas}}).validate(data)


def test_the_error_codes_on_the_page_are_those_that_are_said() -> None:
    listed = {code for group in CODES.values() for code in group}
    said = {
        folder: {code for file in (ROOT / folder).rglob("*.py") for code in SAID.findall(file.read_text())}
        for folder in ("server_ext", "sfwidgets", "sfwidgets/sources")
    }
    assert said["server_ext"] <= listed, "name these in server_ext/codes.py"
    assert said["sfwidgets/sources"] - {"bad_search"} <= listed, "name these in server_ext/codes.py"
    source = "".join(
        file.read_text()
        for folder in ("server_ext", "sfwidgets")
        for file in (ROOT / folder).rglob("*.py")
        if file.name != "codes.py"
    )
    assert all(f'"{code}"' in source for code in listed)
    assert all(code in READ.text for code in listed)
