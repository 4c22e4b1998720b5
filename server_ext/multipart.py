"""multipart/form-data (RFC 7578) as it arrives: one file, passed on piece by piece, and small text fields beside it."""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from server_ext.refusal import RequestError
from sfwidgets.errors import InvalidInputError

FILE_FIELD = "file"
MAX_FIELD_BYTES = 8192
MAX_PARTS = 100


class Form:
    """Takes a form in pieces; `fields` are the text fields that have come whole, `file_name` what the file is called.

    Fields that are not `wanted` are ignored. Raises `RequestError` 415 for what is no form, `InvalidInputError`.
    """

    def __init__(self, content_type: str, wanted: tuple[str, ...]) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise RequestError(415, "Send the file as multipart/form-data.", code="wrong_type")
        if not options.get(b"boundary"):
            raise _malformed("This form names no boundary. Let the program that sends it set the Content-Type.")
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self._wanted = wanted
        self._parts = 0
        self._ended = False
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._field: str | None = None
        self._value = bytearray()
        self._in_file = False
        self._file: list[bytes] = []
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError:
            raise _malformed("The boundary of this form is too long.") from None

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece of the body, and return what of it belongs to the file; raises `InvalidInputError`."""
        self._file.clear()
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _malformed("This form is malformed. Send it again.") from None
        return b"".join(self._file)

    def end(self) -> None:
        """Check that the form is whole; raises `InvalidInputError`."""
        if not self._ended:
            raise _malformed("This form ends in the middle. Send it again.")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _malformed(f"A form has at most {MAX_PARTS} parts.")
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        name.clear()
        value.clear()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise _malformed("A part of this form has no name.")
        name = options[b"name"].decode(errors="replace")
        file_name = options.get(b"filename", b"").decode(errors="replace")
        self._in_file, self._field = False, None
        if name == FILE_FIELD:
            self._begin_file(file_name)
        elif name in self._wanted:
            if name in self.fields:
                raise _malformed(f"{name} is given twice.")
            self._field = name
            self._value.clear()

    def _begin_file(self, file_name: str) -> None:
        if not file_name:
            raise InvalidInputError(f"{FILE_FIELD} has to be a file, with its name.", code="no_file")
        if self.file_name is not None:
            raise InvalidInputError("Send one file at a time.", code="two_files")
        self._in_file, self.file_name = True, file_name

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file.append(data[start:end])
        elif self._field is not None:
            self._value.extend(data[start:end])
            if len(self._value) > MAX_FIELD_BYTES:
                raise _malformed(f"{self._field} is too long.")

    def _on_part_end(self) -> None:
        if self._field is not None:
            try:
                self.fields[self._field] = self._value.decode()
            except UnicodeDecodeError:
                raise _malformed(f"{self._field} is not UTF-8.") from None

    def _on_end(self) -> None:
        self._ended = True


def _malformed(sentence: str) -> InvalidInputError:
    return InvalidInputError(sentence, code="bad_form")
