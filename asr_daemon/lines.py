"""Messages as lines: one JSON object each, whose "type" names the frozen dataclass that it is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Lines(Generic[T]):
    """The lines of some kinds of messages."""

    def __init__(self, kinds: Iterable[Any], what: str) -> None:
        """``what`` a message is called in an error."""
        self._adapters = {kind.__name__: TypeAdapter(kind) for kind in kinds}
        self._what = what

    def encode(self, message: T) -> bytes:
        """Return the message as one line of JSON, newline included."""
        kind = type(message).__name__
        fields = self._adapters[kind].dump_python(message, mode="json")
        return json.dumps({"type": kind, **fields}, ensure_ascii=False).encode() + b"\n"

    def decode(self, line: bytes) -> T:
        """Return the message of one line.

        Raises ``ValueError`` (pydantic's ``ValidationError`` is one) where the line is none, or holds what is
        no text: nobody could write that down, or hand it on.
        """
        text = line.decode()
        fields = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(fields, ensure_ascii=False).encode()
        kind = fields.pop("type", None) if isinstance(fields, dict) else None
        if kind not in self._adapters:
            raise ValueError(f"no such {self._what}: {kind!r}")
        message: T = self._adapters[kind].validate_python(fields)
        return message
