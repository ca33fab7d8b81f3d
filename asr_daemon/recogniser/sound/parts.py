"""Recordings that lie one behind the other in one file, and that ffmpeg would not all read as one.

Enters: an open file. Leaves: its parts in order, most often one. Reads headers alone. May raise ``OSError``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from asr_daemon.files.formats import format_of

_MOST_PARTS = 1000
_MOST_STEPS = 10_000_000
_PAGE_HEAD_BYTES = 27 + 255
_AT_ONCE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the file, in bytes, that is decoded by itself."""

    begin: int = 0
    end: int | None = None  # None: to the end of the file
    options: tuple[str, ...] = ()  # of ffmpeg's input
    announced_s: float | None = None  # what a header says that ffmpeg does not pass on
    is_cut: bool = False  # it ends before its header says
    unread_s: float = 0.0  # sound that is there and left out
    lost_s: float = 0.0  # that passed before it, and cannot be read
    is_exact: bool = True  # how much that was
    is_chain: bool = False  # all frames are there: what ffmpeg cannot read among them is silence
    probing: tuple[str, ...] = ()  # options with which ffmpeg finds out sooner what it is

    @property
    def span(self) -> tuple[int, int] | None:
        """The stretch, unless it is the whole file."""
        return None if self.end is None else (self.begin, self.end)

    @property
    def input_options(self) -> tuple[str, ...]:
        """All options of ffmpeg's input."""
        return (*self.options, *self.probing)


def find_parts(fd: int, max_duration_s: float) -> list[Part]:
    """Return the parts of an open recording."""
    from asr_daemon.recogniser.sound.amr import amr_parts  # noqa: PLC0415 (they need Part)
    from asr_daemon.recogniser.sound.frames import frame_parts  # noqa: PLC0415
    from asr_daemon.recogniser.sound.wave import wave_parts  # noqa: PLC0415

    size = os.fstat(fd).st_size
    head = os.pread(fd, 16, 0)
    parts: list[Part] = []
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        parts = wave_parts(fd, size, max_duration_s)
    elif head[:4] == b"OggS":
        parts = _spans(_ogg_chains(fd, size), size)
    elif head[4:8] == b"ftyp":
        parts = _spans(_mp4_files(fd, size), size)
    elif format_of(head) in ("MPEG audio", "AAC"):
        parts = frame_parts(fd, size)
    elif head.startswith(b"#!AMR"):
        parts = amr_parts(fd, size)
    if len(parts) == 1 and parts[0].begin == 0 and parts[0].end == size:
        return [replace(parts[0], end=None)]
    return parts or [Part()]


def _spans(begins: list[int], size: int) -> list[Part]:
    return [Part(begin, end) for begin, end in zip(begins, [*begins[1:], size], strict=True)]


def _ogg_chains(fd: int, size: int) -> list[int]:
    """Return where the links of a chained Ogg file begin (RFC 3533: a page that begins a stream)."""
    begins, at, in_head = [0], 0, True
    block, block_at = b"", 0
    for _ in range(_MOST_STEPS):
        if at + _PAGE_HEAD_BYTES > block_at + len(block):
            block, block_at = os.pread(fd, _AT_ONCE_BYTES, at), at
        page = block[at - block_at : at - block_at + _PAGE_HEAD_BYTES]
        if page[:4] != b"OggS" or len(page) < 27:  # noqa: PLR2004 (RFC 3533); damage: ffmpeg finds the next
            found = block.find(b"OggS", at - block_at + 1)
            at = block_at + found if found >= 0 else max(at + 1, block_at + len(block) - 3)
            if at + 27 > size:
                return begins
            continue
        begins_stream = bool(page[5] & 2)
        if begins_stream and not in_head and len(begins) < _MOST_PARTS:
            begins.append(at)
        in_head = begins_stream
        at += 27 + page[26] + sum(page[27 : 27 + page[26]])
        if at >= size:
            break
    return begins


def _mp4_files(fd: int, size: int) -> list[int]:
    """Return where the files begin of which an MP4 file was joined."""
    begins, at, has_index = [0], 0, False
    for _ in range(_MOST_STEPS):
        box = os.pread(fd, 16, at)
        length = int.from_bytes(box[:4], "big")
        if length == 1:
            length = int.from_bytes(box[8:16], "big")
        if len(box) < 16 or length < 8:  # noqa: PLR2004 (a box's head); 0: to the end of the file
            break
        if box[4:8] == b"ftyp" and at and has_index and len(begins) < _MOST_PARTS:
            begins.append(at)
            has_index = False
        has_index |= box[4:8] == b"moov"
        at += length
        if at >= size:
            break
    return begins
