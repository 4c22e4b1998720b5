"""The Range header of HTTP, as RFC 9110 (sections 14.1 to 14.4) has it, for one range of bytes."""

from __future__ import annotations

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})", re.IGNORECASE | re.ASCII)


class Part(NamedTuple):
    """Bytes `first` to `last`, both of them in it, as in `Content-Range`."""

    first: int
    last: int


class UnsatisfiableError(ValueError):
    """The range lies wholly beyond the end."""


def parse(header: str | None, size: int) -> Part | None:
    """Return the part of `size` bytes that a Range header asks for; None where the whole is to be sent.

    That is so without a header, and for what RFC 9110 lets a server ignore: other units, several ranges, and what is no
    range. Raises `UnsatisfiableError`.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size - 1
        satisfiable = int(last) > 0 and size > 0
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
        satisfiable = start < size
    if not satisfiable:
        raise UnsatisfiableError
    return Part(start, end)
