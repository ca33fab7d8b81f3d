"""A form with a file in it (multipart/form-data), taken as it arrives: the file goes to the disk.

Enters: a request's stream. Leaves: :class:`Form`, its fields by name (``keywords[]`` is ``keywords``) and the
file as a descriptor that has no name on the disk: it is gone with its last descriptor, whatever happens.
Fails with :class:`~asr_daemon.gateway.openai.errors.InvalidRequestError`.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from asr_daemon.gateway.openai.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typing_extensions import Self

MOST_FIELD_BYTES = 1 << 20  # all of them together
MOST_PARTS = 12_000
MOST_HEADER_BYTES = 16 << 10  # of one part
BLOCK_BYTES = 1 << 20
ROOM_LEFT_BYTES = 1 << 30  # that much of the disk stays free
GB = 10**9


@dataclass(slots=True)
class Form:
    """What was sent; close it."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    file_name: str = ""
    descriptor: int | None = None  # of the file; None where there was none
    size_bytes: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


async def read_form(stream: AsyncIterator[bytes], content_type: str, folder: Path, most_bytes: int) -> Form:
    """Return the form; its file lies on the disk of that folder and has at most that many bytes."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequestError("send multipart/form-data with the recording as `file`", "file")
    form = Form()
    parts = _Parts(form, most_bytes)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        async for block in stream:
            parser.write(block)
            if parts.due_bytes >= BLOCK_BYTES:
                await asyncio.to_thread(_write, form, parts.take(), folder)
        parser.finalize()
        parts.require_whole()
        if form.descriptor is not None or parts.due_bytes:
            await asyncio.to_thread(_write, form, parts.take(), folder)
    except BaseException as error:
        form.__exit__()
        if isinstance(error, MultipartParseError):
            raise InvalidRequestError(f"the form cannot be read: {error}") from None
        raise
    return form


def _write(form: Form, blocks: list[bytes], folder: Path) -> None:
    if form.descriptor is None:
        form.descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    room = os.fstatvfs(form.descriptor)
    if room.f_bavail * room.f_frsize < ROOM_LEFT_BYTES:
        raise InvalidRequestError("the disk of the gateway is full", status=503)
    try:
        for block in blocks:
            left = memoryview(block)
            while left:
                left = left[os.write(form.descriptor, left) :]
            form.size_bytes += len(block)
    except OSError as error:
        raise InvalidRequestError(f"the upload cannot be kept: {error.strerror}", status=503) from None


class _Parts:
    """What the parser calls: gathers fields, and the file's bytes until they are taken."""

    def __init__(self, form: Form, most_bytes: int) -> None:
        self._form = form
        self._most_bytes = most_bytes
        self._file_bytes = self._field_bytes = self._count = 0
        self._blocks: list[bytes] = []
        self.due_bytes = 0
        self._is_whole = False
        self._begin()

    def callbacks(self) -> dict[str, object]:
        """Return them by the parser's names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header(self._name, data[start:end]),
            "on_header_value": lambda data, start, end: self._header(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def require_whole(self) -> None:
        """Raise :class:`InvalidRequestError` where the end did not come."""
        if not self._is_whole:
            raise InvalidRequestError("the form ends in the middle")

    def take(self) -> list[bytes]:
        """Return the file's bytes since the last time."""
        blocks, self._blocks, self.due_bytes = self._blocks, [], 0
        return blocks

    def _begin(self) -> None:
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._text = bytearray()
        self._field = ""
        self._is_file = False
        self._count += 1
        if self._count > MOST_PARTS:
            raise InvalidRequestError("the form has too many parts")

    def _header(self, into: bytearray, data: bytes) -> None:
        into += data
        if len(self._name) + len(self._value) > MOST_HEADER_BYTES:
            raise InvalidRequestError("a part of the form has too long a head")

    def _end_header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace").removesuffix("[]")
        self._is_file = self._field == "file" and b"filename" in options
        if self._is_file:
            if self._form.file_name:
                raise InvalidRequestError("send one file at a time", "file")
            self._form.file_name = options[b"filename"].decode("utf-8", "replace") or "recording.wav"

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._file_bytes += end - start
            if self._file_bytes > self._most_bytes:
                told = f"the file is larger than {self._most_bytes / GB:g} GB"
                raise InvalidRequestError(told, "file", status=413)
            self._blocks.append(data[start:end])
            self.due_bytes += end - start
            return
        self._field_bytes += end - start
        if self._field_bytes > MOST_FIELD_BYTES:
            raise InvalidRequestError("the fields of the form are too long")
        self._text += data[start:end]

    def _end(self) -> None:
        if not self._is_file and self._field:
            self._form.fields.setdefault(self._field, []).append(self._text.decode("utf-8", "replace"))

    def _finish(self) -> None:
        self._is_whole = True
