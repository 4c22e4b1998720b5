"""What every value that crosses a boundary has in common: immutable, typed, camelCase on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from sfwidgets.errors import InvalidInputError

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
"""Control characters and line ends, and what XML 1.0 can't hold (its section 2.2)."""
_REFUSED_IN_NAMES = re.compile(r'[<>:"/\\|?*]+')
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_id(value: str, what: str = "track id") -> str:
    """Return `value` where it is a well-formed id, else raise `InvalidInputError`.

    Ids are chosen by clients and become part of file names: 1 to 64 of `A-Z a-z 0-9 _ -`, and nothing else.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidInputError(f"A {what} is 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'.", code="invalid_id")
    return value


def one_line(text: str) -> str:
    """Return `text` with every run of control characters, line ends and tabs as one space."""
    return _UNPRINTABLE.sub(" ", text).strip()


def fit_for_file_names(text: str) -> str:
    """Return `text` on one line, without what some file system refuses in a name."""
    return _REFUSED_IN_NAMES.sub("_", one_line(text)).strip(" .")


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Moment = Annotated[
    datetime, AfterValidator(_aware), PlainSerializer(_iso, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]  # fmt: skip
"""A moment in UTC; ISO 8601 with milliseconds and `Z` in JSON."""


class Value(BaseModel):
    """Base of the values: immutable, camelCase on the wire, no field that was not declared."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON-ready objects, with the HTTP contract's field names."""
        return self.model_dump(mode="json", by_alias=True)
