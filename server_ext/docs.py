"""The API's page: the OpenAPI document, laid out for reading."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

from server_ext.codes import CODES

TITLES = {
    "server": "Server", "config": "Server", "stats": "Server", "docs": "Server", "spotify": "Spotify",
    "download": "Download", "process": "Processing", "models": "Processing", "analyze": "Analysis", "tracks": "Tracks",
    "uploads": "Uploads", "jobs": "Jobs",
}  # fmt: skip
ORDER = ("Tracks", "Uploads", "Processing", "Analysis", "Jobs", "Spotify", "Download", "Server")
INTRODUCED_BY = ("tracks", "uploads", "process", "analyze", "jobs", "spotify", "download")
"""The tags whose descriptions stand at the beginning of their sections."""

Kind = list[tuple[str, str]]
"""A type in words: pieces of text, each with the name of the type that it leads to, or ""."""

_NAMES = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true | false", "null": "null"}
_FORMATS = {"binary": "bytes", "date-time": "moment (ISO 8601, UTC)"}


def render(document: dict[str, Any], base_url: str) -> str:
    """Return the page of an OpenAPI document, for a server under `base_url`."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(), trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    schemas = document["components"]["schemas"]
    operations = [
        _operation(path, method, found)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
        if not (method == "head" and "get" in methods)
    ]
    operations.sort(key=lambda found: ORDER.index(found["section"]))
    sections = [(title, list(found)) for title, found in groupby(operations, key=lambda found: found["section"])]
    introductions = {
        TITLES[tag["name"]]: tag["description"] for tag in document["tags"] if tag["name"] in INTRODUCED_BY
    }
    return templates.get_template("docs.html").render(
        info=document["info"], sections=sections, introductions=introductions, codes=CODES, base_url=base_url,
        types={name: _type(schema) for name, schema in sorted(schemas.items())},
    )  # fmt: skip


def _operation(path: str, method: str, found: dict[str, Any]) -> dict[str, Any]:
    body = found.get("requestBody", {}).get("content", {})
    responses = found["responses"].items()
    return {
        "section": TITLES[found["tags"][0]],
        "method": method.upper(),
        "path": path,
        "summary": found["summary"],
        "note": found.get("description", ""),
        "public": found.get("security") == [],
        "query": [_parameter(given) for given in found["parameters"] if given["in"] == "query"],
        "headers": [_parameter(given) for given in found["parameters"] if given["in"] == "header"],
        "body": [(media, kind(given["schema"]), _fields(given["schema"])) for media, given in body.items()],
        "answers": [
            (status, [(media, kind(given.get("schema", {}))) for media, given in answer.get("content", {}).items()])
            for status, answer in responses
            if status < "400"
        ],
        "answer_headers": [
            _parameter({"name": name, **header})
            for status, answer in responses
            if status < "400"
            for name, header in answer.get("headers", {}).items()
        ],
        "refusals": [(status, answer["description"]) for status, answer in responses if status >= "400"],
    }


def _parameter(given: dict[str, Any]) -> dict[str, Any]:
    return _field(given["name"], given["schema"] | {"description": given["description"]}, given["required"])


def _type(schema: dict[str, Any]) -> dict[str, Any]:
    return {"note": schema.get("description", ""), "fields": _fields(schema), "kind": kind(schema)}


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [_field(name, field, name in required) for name, field in schema.get("properties", {}).items()]


def _field(name: str, schema: dict[str, Any], always: bool) -> dict[str, Any]:
    note, default = schema.get("description", ""), schema.get("default")
    known = [_limits(schema), "" if always or default in (None, "") else f"default {str(default).lower()}"]
    said = "; ".join(each for each in known if each)
    return {"name": name, "kind": kind(schema), "always": always, "note": note, "limits": said}


def _limits(schema: dict[str, Any]) -> str:
    """Return what a value is bounded by: `10 to 20000`, `at most 200 characters`."""
    if "const" in schema:
        return ""
    for choice in schema.get("anyOf", []):
        if said := _limits(choice):
            return said
    if "maxLength" in schema:
        least = schema.get("minLength", 0)
        return f"{f'{least} to ' if least else 'at most '}{schema['maxLength']} characters"
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMaximum" in schema:
        return f"from {low:g}, below {schema['exclusiveMaximum']:g}"
    if low is None:
        return ""
    return f"at least {low}" if high is None else f"{low} to {high}"


def kind(schema: dict[str, Any]) -> Kind:
    """Return a schema's type in a few words: `list of StemFile`, `text or null`."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return [(name, name)]
    if "anyOf" in schema and "properties" not in schema:
        words: Kind = []
        for choice in schema["anyOf"]:
            found = kind(choice)
            if not all(piece in words for piece in found):
                words += [(" or ", ""), *found] if words else found
        return words
    if "enum" in schema:
        return [(" | ".join(map(str, schema["enum"])), "")]
    if "const" in schema:
        return [(str(schema["const"]), "")]
    if schema.get("type") == "array":
        return [("list of ", ""), *kind(schema.get("items", {}))]
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return [("map to ", ""), *kind(inner)] if isinstance(inner, dict) and inner else [("object", "")]
    return [(_FORMATS.get(schema.get("format", ""), _NAMES.get(schema.get("type", ""), "anything")), "")]
