"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made from the operations that the handlers declare."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from server_ext.gate import ALWAYS_RETRIED
from server_ext.operation import ID_PATTERN, IDS, Operation, parameters
from server_ext.schemas import Failure, JobEvent, ShortEvent
from sfwidgets import __version__
from sfwidgets.library.uploads import MAX_BYTES

METHODS = ("get", "head", "post", "put", "patch", "delete")
_ALWAYS = (400, 401, 403, 429)
_MEANINGS = {
    200: "Done.", 201: "Made.", 202: "Asked for.", 204: "Done; there is nothing to say.",
    206: "The part that was asked for.", 304: "What the client knows is still true.",
    307: "It is at another address, for an hour: in Supabase Storage.",
    400: "What was sent is malformed.", 401: "Nobody is signed in.",
    403: "The origin, the XSRF token or the role is refused.", 404: "It is not there, or not yours.",
    405: "This path does not answer to this method.",
    408: "It took too long to arrive.", 409: "It is in use, or in another state.", 410: "It has gone.",
    412: "Another version of the protocol is spoken here.", 413: "It is too large.",
    415: "It is of another type.", 416: "The range lies beyond the end.", 422: "The audio can't be decoded.",
    429: "Too much at once: see Retry-After.", 502: "Spotify failed.",
    503: "A needed part is missing; the sentence says which.", 504: "Spotify did not answer in time: see Retry-After.",
}  # fmt: skip
_REF = "#/components/schemas/{model}"
_TUS: dict[str, dict[str, Any]] = {
    "Tus-Resumable": {"const": "1.0.0"},
    "Upload-Length": {"type": "integer", "minimum": 1, "maximum": MAX_BYTES},
    "Upload-Offset": {"type": "integer", "minimum": 0, "maximum": MAX_BYTES},
}
"""Request headers without which there is no answer, and what they are."""
_HEADERS = {
    "Tus-Resumable": "The version of the protocol.",
    "Upload-Length": "Bytes of the whole file.",
    "Upload-Offset": "How many bytes are there: where to go on.",
    "Upload-Metadata": (
        "Pairs of a key and Base64 of UTF-8, with commas between, like `filename c29uZy53YXY=,title U29uZw==`. Keys: "
        "`filename` (or `name`), `title`, `artist`, `album`, `trackId`; others are ignored."
    ),
    "Upload-Expires": "When the upload is forgotten, if nothing is added: after an hour.",
    "Track-Id": "The track that the upload has become; only once it is whole.",
    "Location": "Where what was made is, from the server's root.",
    "Range": "Like `bytes=0-65535`: the answer is a 206 with that part.",
    "If-Range": "An ETag: the part is sent only where it is still of that, else the whole.",
    "If-None-Match": "An ETag: 304 where it is still that.",
    "Retry-After": "Seconds to wait.",
}
"""What headers of requests and answers mean."""
_SOMETIMES = ("Track-Id", "Upload-Metadata")
"""Headers that not every answer has that may."""
_TAGS = {
    "spotify": "What a link leads to: all tracks of a playlist or an album, in their order. It is kept for an hour.",
    "download": "A track's audio from a link, or by what is known of the track. Download only what you have the right to. "
    "What fails says why in `error` and `code`; a download that was asked to slow down is `queued` again until "
    "`notBefore`. Over HTTP a cancelled download reads `error` with the code `cancelled`; its live event is "
    "`download:job:cancelled` all the same. A batch, as a playlist's download is one, is shown, cancelled and asked for "
    "again here, too; its parts are listed by `GET /api/jobs?parent=…`.",
    "process": "Separation into stems. `result.stemSet` of a completed job is the set's id, for `set` and `setId`.",
    "models": "The models that separate.",
    "analyze": "Tempo, key, loudness, chords, form. The newest analysis is shown also while another runs.",
    "tracks": "The library. Audio can be put straight into `<audio src>` with `?token=…`.",
    "uploads": "Files of any size by tus 1.0.0, which go on where they broke off. A small file goes to `POST /api/tracks`.",
    "jobs": "All jobs. Cancelling only asks: the answer may still say `processing`, and the end comes as a live event.",
    "stats": "How much there is.",
    "config": "For signing in.",
    "docs": "This page.",
    "server": "Whether all is well.",
}
_DESCRIPTION = """\
Splits songs into stems, and analyses them. All paths are under the server's base URL.

Send the server's token as `Authorization: token …`, or as `?token=…` in the address where no header can be sent
(`<audio src>`, downloads, sockets). Every error is a `Failure`: `error` is a sentence for a person, `code` a stable name.

Work is asked for (202, `Accepted`) and done by jobs (`JobDocument`). Cancelling only asks: the answer may still say
`processing`. Follow a job by its path, or by live events: Socket.IO at `/socket.io/`, or a WebSocket at `/ws` with frames
like `{"event": "subscribe:track", "data": "<trackId>"}`. They bring `JobEvent` and `ShortEvent`; `/api/docs` lists them.
"""

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
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": said} for name, said in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _for_json(schemas.definitions),
            "securitySchemes": {
                "token": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`token <the server's token>`, which as `?token=…` in the address does the same; or "
                    "`Bearer <access token>` of a user, where the server knows a Supabase project.",
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
        wanted: list[tuple[Any, JsonSchemaMode]] = [
            (model, "serialization") for model in (Failure, JobEvent, ShortEvent)
        ]
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
    refused = {*_ALWAYS, *found.errors} - ({401, 429} if handler.public else set())
    if not (found.query or found.body or found.form or parameters(template)):
        refused -= {400}
    if method == "head":
        answer: dict[str, Any] = {}
    elif found.model is None:
        answer = {media: {} for media in found.media_types}
    else:
        answer = {"application/json": {"schema": schemas.answer(found.model)}}
    responses = {str(found.status): _response(found.status, answer, found.gives)}
    responses |= {str(status): _response(status, answer if status == 206 else {}) for status in found.also}
    failure = {} if method == "head" else {"application/json": {"schema": schemas.body(Failure)}}
    responses |= {
        str(status): _response(status, failure, ("Retry-After",) if status in ALWAYS_RETRIED else ())
        for status in sorted(refused)
    }
    described: dict[str, Any] = {
        "summary": found.summary,
        **({"description": found.note} if found.note else {}),
        "operationId": f"{method}{''.join(part.strip('{}').capitalize() for part in template.split('/') if part)}",
        "tags": [_tag(template)],
        "parameters": [*_path_parameters(template), *_query_parameters(found), *_headers(found)],
        "responses": responses,
    }
    if found.body is not None:
        described["requestBody"] = {"required": True, "content": {found.media: {"schema": schemas.body(found.body)}}}
    elif found.form is not None:
        needed = found.media == "multipart/form-data" or method == "patch"  # an upload may begin with no bytes
        described["requestBody"] = {"required": needed, "content": {found.media: {"schema": found.form}}}
    if handler.public:
        described["security"] = []
    return described


def _response(status: int, content: dict[str, Any], headers: tuple[str, ...] = ()) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _MEANINGS[status]}
    if headers:
        described["headers"] = {
            name: {
                "description": _HEADERS[name], "required": name not in _SOMETIMES,
                "schema": _TUS.get(name, {"type": "string"}),
            }
            for name in headers
        }  # fmt: skip
    return described | ({"content": content} if content else {})


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
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": field.pop("description"),
            "schema": _without_null(field),
        }
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
            "name": name, "in": "header", "required": name in _TUS, "description": _HEADERS[name],
            "schema": _TUS.get(name, {"type": "string"}),
        }
        for name in found.headers
    ]  # fmt: skip


def _for_json(schemas: Any) -> Any:
    """Return schemas whose descriptions, on one line, call None what it is in JSON."""
    if isinstance(schemas, list):
        return [_for_json(each) for each in schemas]
    if not isinstance(schemas, dict):
        return schemas
    return {
        name: re.sub(r"\bNone\b", "null", " ".join(value.split()))
        if name == "description" and isinstance(value, str)
        else _for_json(value)
        for name, value in schemas.items()
    }


def _tag(template: str) -> str:
    parts = [part for part in template.split("/") if part]
    return parts[1] if parts[0] == "api" and len(parts) > 1 else "server"
