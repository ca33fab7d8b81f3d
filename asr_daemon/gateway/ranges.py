"""A file by its descriptor over HTTP, whole or in the range that is asked for (RFC 9110, section 14)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCK_BYTES = 256 << 10
UNKNOWN = "application/octet-stream"
# A browser is told what it is given, and guesses nothing; what is not here is a file to be kept.
MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "webm": "audio/webm",
    "mp4": "video/mp4",
    "mov": "video/mp4",
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last; None where the whole file is meant.

    One range is served, ``bytes=5-9``, ``bytes=5-`` or ``bytes=-5``; several are answered with the whole, as
    the RFC allows. Raises ``ValueError`` where it cannot be satisfied.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0:
            raise ValueError("an empty range")
        return max(0, size_bytes - length), size_bytes
    first = int(match[1])
    behind = min(size_bytes, int(match[2]) + 1) if match[2] else size_bytes
    if match[2] and int(match[2]) < first:
        return None
    if first >= size_bytes:
        raise ValueError("beyond the end")
    return first, behind


def media_type_of(name: str) -> str:
    """Return what a recording of that name is served as."""
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), UNKNOWN)


def serve_descriptor(
    descriptor: int, size_bytes: int, headers: Mapping[str, str], media_type: str = UNKNOWN
) -> Response:
    """Return the answer that sends it; closes the descriptor when it is sent, or the listener has gone."""
    common = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-store"}
    try:
        wanted = parse_range(headers.get("range", ""), size_bytes)
    except ValueError:
        os.close(descriptor)
        return Response(status_code=416, headers={**common, "Content-Range": f"bytes */{size_bytes}"})
    first, behind = wanted or (0, size_bytes)
    common["Content-Length"] = str(behind - first)
    if wanted:
        common["Content-Range"] = f"bytes {first}-{behind - 1}/{size_bytes}"
    return StreamingResponse(
        _blocks(descriptor, first, behind),
        206 if wanted else 200,
        common,
        media_type,
    )


def _blocks(descriptor: int, first: int, behind: int) -> Iterator[bytes]:
    try:
        while first < behind:
            block = os.pread(descriptor, min(BLOCK_BYTES, behind - first), first)
            if not block:  # it became shorter meanwhile
                return
            first += len(block)
            yield block
    finally:
        os.close(descriptor)
