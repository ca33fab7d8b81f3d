"""A window of speech with its voice: what the recogniser reports, the history keeps and grouping compares.

An embedding is biometric: it is never logged, shown or exported, which is why it is left out of ``repr``.
"""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EMBEDDING_SIZE = 192
EMBEDDING_BYTES = 2 * EMBEDDING_SIZE
_FORMAT = f"<{EMBEDDING_SIZE}e"
_PLACE = struct.Struct("<III")
WINDOW_BYTES = _PLACE.size + EMBEDDING_BYTES


@dataclass(frozen=True, slots=True)
class Window:
    """About 1.5 s of one segment; times are milliseconds of the recording.

    ``embedding`` is ``float16 [192]``, little-endian, of length 1: compared by cosine, and only with those of
    the same model.
    """

    segment: int
    start_ms: int
    end_ms: int
    embedding: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.embedding) != EMBEDDING_BYTES:
            raise ValueError(f"an embedding has {EMBEDDING_BYTES} bytes, not {len(self.embedding)}")
        if self.end_ms <= self.start_ms:
            raise ValueError("a window ends after it begins")


def windows_to_bytes(windows: Iterable[Window]) -> bytes:
    """Return windows as they lie in the history and cross between processes, ``WINDOW_BYTES`` each."""
    return b"".join(_PLACE.pack(one.segment, one.start_ms, one.end_ms) + one.embedding for one in windows)


def windows_from_bytes(rows: bytes) -> tuple[Window, ...]:
    """Return what :func:`windows_to_bytes` wrote; raises ``ValueError`` where it is not whole."""
    if len(rows) % WINDOW_BYTES:
        raise ValueError("windows of voices were cut short")
    found = []
    for at in range(0, len(rows), WINDOW_BYTES):
        segment, start_ms, end_ms = _PLACE.unpack_from(rows, at)
        found.append(Window(segment, start_ms, end_ms, rows[at + _PLACE.size : at + WINDOW_BYTES]))
    return tuple(found)


def windows_to_text(windows: Iterable[Window]) -> str:
    """Return windows for a channel of text."""
    return base64.b64encode(windows_to_bytes(windows)).decode("ascii")


def decoded(embedding: bytes) -> tuple[float, ...]:
    """Return the numbers of an embedding; what is not a number counts as 0."""
    return tuple(value if math.isfinite(value) else 0.0 for value in struct.unpack(_FORMAT, embedding))


def encoded(numbers: Sequence[float]) -> bytes:
    """Return an embedding of 192 numbers, brought to length 1."""
    length = math.hypot(*numbers)
    if not length:
        return bytes(EMBEDDING_BYTES)
    return struct.pack(_FORMAT, *(number / length for number in numbers))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how alike two embeddings are, -1..1; 0 where one is nothing."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
