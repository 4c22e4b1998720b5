"""An operation of the API, declared once: what it takes, gives and refuses.

    class Separate(Handler):
        @operation("Separate a track", body=SeparateRequest, answer=Accepted, status=202, errors=(404,))
        async def post(self, given: SeparateRequest) -> Accepted: ...

    ROUTES = [("/api/process/separate", Separate)]

The declaration does the parsing (path ids, then the query, then the body, each handed on as what it was declared to be), the
answering, and the page in `/openapi.json`. A handler that sends its answer itself returns None, and declares the media
types as `answer="audio/flac"` or `answer=("audio/flac", "audio/wav")`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from sfwidgets.errors import InvalidInputError
from sfwidgets.models import check_id

ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
IDS = {"trackId": "track id", "jobId": "job id", "setId": "stem set's id", "uploadId": "upload id"}
"""Path parameters that are ids, and what an error calls them."""

_CALLED = {"url": "URL"}
"""What the contract's sentences call a field, where not by its name."""

_PARAMETER = re.compile(r"\{(\w+)\}")


class Request(BaseModel):
    """Base of what clients send: camelCase, no conversions between types, unknown fields ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True,
    )  # fmt: skip


class Query(BaseModel):
    """Base of query strings: as `Request`, but all that arrives is text, from which numbers are read."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False, use_attribute_docstrings=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """The declaration."""

    summary: str
    answer: Any
    """A pydantic type, media types as text, or None for an empty answer."""
    status: int = 200
    query: type[Query] | None = None
    body: type[Request] | None = None
    errors: tuple[int, ...] = ()
    """Statuses beside 400, 401, 403 and 405, which each may have."""
    media: str = "application/json"
    """What the body is sent as."""
    form: dict[str, Any] | None = None
    """The schema of a body that the handler reads itself."""
    headers: tuple[str, ...] = ()
    """Request headers that matter."""
    also: tuple[int, ...] = ()
    """Statuses without a body that are no errors: 206, 304."""
    gives: tuple[str, ...] = ()
    """Headers of the answer that matter."""
    note: str = ""
    """What a caller should know beside the summary."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """What the answer is sent as; none for an empty one."""
        if self.answer is None:
            return ()
        if isinstance(self.answer, str):
            return (self.answer,)
        return self.answer if isinstance(self.answer, tuple) else ("application/json",)

    @property
    def model(self) -> Any:
        """The pydantic type of the answer; None where it has none."""
        return None if self.answer is None or isinstance(self.answer, str | tuple) else self.answer


def operation(
    summary: str, **declared: Any
) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[None]]]:
    """Declare a handler's method as an operation; `declared` are the fields of `Operation`."""
    declaration = Operation(summary, **declared)

    def declare(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[None]]:
        @wraps(method)
        async def call(handler: Any, *path: str) -> None:
            handler.on_body()
            given: list[Any] = list(path)
            for name, value in zip(parameters(handler.template), path, strict=True):
                if name in IDS:
                    check_id(value, IDS[name])
            if declaration.query is not None:
                given.append(_query(declaration.query, handler.request.query_arguments))
            if declaration.body is not None:
                given.append(_body(declaration.body, handler.body))
            handler.set_status(declaration.status)
            answer = await method(handler, *given)
            if answer is not None:
                await handler.answer(answer, declaration.status)

        call.operation = declaration  # type: ignore[attr-defined]
        return allow_unauthenticated(call)  # the gate asks who it is, with an answer of its own

    return declare


def parameters(template: str) -> list[str]:
    """Return the names of the parameters in a path like `/api/tracks/{trackId}`."""
    return _PARAMETER.findall(template)


def pattern(template: str) -> str:
    """Return tornado's regular expression for such a path."""
    parts = _PARAMETER.split(template)
    return "".join("([^/]*)" if number % 2 else re.escape(part) for number, part in enumerate(parts))


def encode(answer: Any) -> bytes:
    """Return an answer as JSON, which has no NaN and no infinities.

    Models are written by pydantic: `json` would hold the interpreter for a fifth of a second over an hour's analysis.
    """
    if isinstance(answer, BaseModel):
        return answer.model_dump_json(by_alias=True).encode()
    plain = TypeAdapter(Any).dump_python(answer, mode="json", by_alias=True)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _query(model: type[Query], arguments: dict[str, list[bytes]]) -> Query:
    try:
        given = {name: values[-1].decode() for name, values in arguments.items()}
    except UnicodeDecodeError:
        raise InvalidInputError("The query is not UTF-8.") from None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidInputError(fault(error)) from None


def _body(model: type[Request], body: bytes) -> Request:
    try:
        given = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInputError(f"Send a JSON object: this body is none ({error}).") from None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidInputError(fault(error)) from None


def fault(error: ValidationError) -> str:
    """Return a sentence on the first thing that is not right with what a client sent."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{_CALLED.get(name, name)} is required"
    if not name:
        return "Send a JSON object: this body is none."
    return f"{name} is not right: {first['msg'].removeprefix('Value error, ')}."
