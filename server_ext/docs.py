"""The API's page: the OpenAPI document, laid out for reading."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

TITLES = {
    "server": "Server", "config": "Server", "stats": "Server", "docs": "Server", "spotify": "Spotify",
    "download": "Download", "process": "Processing", "models": "Processing", "analyze": "Analysis", "tracks": "Tracks",
    "uploads": "Uploads", "jobs": "Jobs",
}  # fmt: skip
ORDER = ("Spotify", "Download", "Processing", "Analysis", "Tracks", "Uploads", "Jobs", "Server")


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
        if method != "head"
    ]
    operations.sort(key=lambda found: ORDER.index(found["section"]))
    sections = [(title, list(found)) for title, found in groupby(operations, key=lambda found: found["section"])]
    shown = {name: _fields(schema) for name, schema in sorted(schemas.items())}
    return templates.get_template("docs.html").render(
        info=document["info"], sections=sections, schemas={name: found for name, found in shown.items() if found},
        base_url=base_url,
    )  # fmt: skip


def _operation(path: str, method: str, found: dict[str, Any]) -> dict[str, Any]:
    query = [given for given in found["parameters"] if given["in"] == "query"]
    body = found.get("requestBody", {}).get("content", {})
    responses = found["responses"].items()
    return {
        "section": TITLES[found["tags"][0]],
        "method": method.upper(),
        "path": path,
        "summary": found["summary"],
        "public": found.get("security") == [],
        "query": [(given["name"], kind(given["schema"]), given["schema"].get("default")) for given in query],
        "body": [(media, kind(given["schema"])) for media, given in body.items()],
        "answers": [
            (status, [(media, kind(given.get("schema", {}))) for media, given in answer.get("content", {}).items()])
            for status, answer in responses
            if status < "400"
        ],
        "refusals": [(status, answer["description"]) for status, answer in responses if status >= "400"],
    }


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {
            "name": name, "kind": kind(field), "always": name in required,
            "note": " ".join(field.get("description", "").split()),
        }
        for name, field in schema.get("properties", {}).items()
    ]  # fmt: skip


def kind(schema: dict[str, Any]) -> str:
    """Return a schema's type in a few words: `list of StemFile`, `text or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(choice) for choice in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"map to {kind(inner)}" if isinstance(inner, dict) and inner else "object"
    names = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true | false", "null": "null"}
    return names.get(schema.get("type", ""), "anything")
