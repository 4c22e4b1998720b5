"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made from the operations that the handlers declare."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from server_ext.operation import ID_PATTERN, IDS, Operation, parameters
from server_ext.schemas import Failure
from sfwidgets import __version__
from sfwidgets.library.uploads import MAX_BYTES

METHODS = ("get", "head", "post", "put", "patch", "delete")
_ALWAYS = (400, 401, 403)
_MEANINGS = {
    200: "Done.", 201: "Made.", 202: "Asked for.", 204: "Done; there is nothing to say.",
    206: "The part that was asked for.", 304: "What the client knows is still true.",
    400: "What was sent is malformed.", 401: "Nobody is signed in.",
    403: "The origin, the XSRF token or the role is refused.", 404: "It is not there, or not yours.",
    405: "This path does not answer to this method.",
    408: "It took too long to arrive.", 409: "It is in use, or in another state.", 410: "It has gone.",
    412: "Another version of the protocol is spoken here.", 413: "It is too large.",
    415: "It is of another type.", 416: "The range lies beyond the end.", 422: "The audio can't be decoded.",
    429: "Too much at once: see Retry-After.", 502: "Spotify or YouTube failed.",
    503: "A needed part is missing; the sentence says which.", 504: "Spotify or YouTube did not answer in time.",
}  # fmt: skip
_REF = "#/components/schemas/{model}"
_REQUIRED_HEADERS: dict[str, dict[str, Any]] = {
    "Tus-Resumable": {"const": "1.0.0"},
    "Upload-Length": {"type": "integer", "minimum": 1, "maximum": MAX_BYTES},
    "Upload-Offset": {"type": "integer", "minimum": 0, "maximum": MAX_BYTES},
}
"""Request headers without which there is no answer, and what they are."""

Routes = list[Any]


def document(routes: Routes) -> dict[str, Any]:
    """Return the document of these routes: `(template, handler, …)`."""
    described = list(_operations(routes))
    schemas = _Schemas([operation for *_, operation in described])
    paths: dict[str, dict[str, Any]] = {}
    for template, method, handler, operation in described:
        paths.setdefault(template, {})[method] = _operation(template, method, handler, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sound Forge Alchemy",
            "version": __version__,
            "description": "Splits songs into stems, and analyses them. Live events are at `/socket.io/` and `/ws`.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {
                    "type": "apiKey", "in": "header", "name": "Authorization", "description": "`token <the server's token>`",
                }
            },
        },
        "security": [{"token": []}],
    }  # fmt: skip


def _operations(routes: Routes) -> Any:
    for template, handler, *_ in routes:
        for method in METHODS:
            operation = getattr(getattr(handler, method, None), "operation", None)
            if operation is not None:
                yield template, method, handler, operation


class _Schemas:
    """The schemas of all models, and references to them."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: list[tuple[Any, JsonSchemaMode]] = [(Failure, "serialization")]
        wanted += [(found.body, "validation") for found in operations if found.body is not None]
        self._adapters = {
            repr(found.model): TypeAdapter(found.model) for found in operations if found.model is not None
        }
        models: list[tuple[type[BaseModel], JsonSchemaMode]] = list(dict.fromkeys(wanted))
        keyed, whole = TypeAdapter.json_schemas(
            [(number, mode, TypeAdapter(model)) for number, (model, mode) in enumerate(models)]
            + [(name, "serialization", adapter) for name, adapter in self._adapters.items()],
            ref_template=_REF,
        )
        self.definitions: dict[str, Any] = whole.get("$defs", {})
        self._bodies = {model: keyed[number, mode] for number, (model, mode) in enumerate(models)}
        self._answers = {name: keyed[name, "serialization"] for name in self._adapters}

    def body(self, model: Any) -> Any:
        """Return the schema of what a client sends."""
        return self._bodies[model]

    def answer(self, model: Any) -> Any:
        """Return the schema of what the server sends."""
        return self._answers[repr(model)]


def _operation(template: str, method: str, handler: Any, found: Operation, schemas: _Schemas) -> dict[str, Any]:
    refused = {*_ALWAYS, *found.errors} - ({401} if handler.public else set())
    if not (found.query or found.body or found.form or parameters(template)):
        refused -= {400}
    if method == "head":
        answer: dict[str, Any] = {}
    elif found.model is None:
        answer = {media: {} for media in found.media_types}
    else:
        answer = {"application/json": {"schema": schemas.answer(found.model)}}
    responses = {str(found.status): _response(found.status, answer)}
    responses |= {str(status): _response(status, answer if status == 206 else {}) for status in found.also}
    failure = {} if method == "head" else {"application/json": {"schema": schemas.body(Failure)}}
    responses |= {str(status): _response(status, failure) for status in sorted(refused)}
    described: dict[str, Any] = {
        "summary": found.summary,
        "operationId": f"{method}{''.join(part.strip('{}').capitalize() for part in template.split('/') if part)}",
        "tags": [_tag(template)],
        "parameters": [*_path_parameters(template), *_query_parameters(found), *_headers(found)],
        "responses": responses,
    }
    if found.body is not None:
        described["requestBody"] = {"required": True, "content": {found.media: {"schema": schemas.body(found.body)}}}
    elif found.form is not None:
        needed = found.media == "multipart/form-data"  # an upload may begin, and stand still, with no bytes
        described["requestBody"] = {"required": needed, "content": {found.media: {"schema": found.form}}}
    if handler.public:
        described["security"] = []
    return described


def _response(status: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": _MEANINGS[status], **({"content": content} if content else {})}


def _path_parameters(template: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "in": "path", "required": True,
            "schema": {"type": "string", "pattern": ID_PATTERN} if name in IDS else {"type": "string", "minLength": 1},
        }
        for name in parameters(template)
    ]  # fmt: skip


def _query_parameters(found: Operation) -> list[dict[str, Any]]:
    if found.query is None:
        return []
    schema = found.query.model_json_schema(mode="validation")
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(field)}
        for name, field in schema["properties"].items()
    ]


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema without `null`, which a query can't say."""
    choices = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return field
    chosen: dict[str, Any] = choices[0]
    return chosen


def _headers(found: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "in": "header", "required": name in _REQUIRED_HEADERS,
            "schema": _REQUIRED_HEADERS.get(name, {"type": "string"}),
        }
        for name in found.headers
    ]  # fmt: skip


def _tag(template: str) -> str:
    parts = [part for part in template.split("/") if part]
    return parts[1] if parts[0] == "api" and len(parts) > 1 else "server"
