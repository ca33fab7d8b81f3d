"""AMR as phones and recorders leave it: bare frames of 20 ms; the first byte of each says how long it is.

ffmpeg takes whatever lies in a hole for frames of some length, so that all that follows stands elsewhere, and
what it makes of them is noise. Here a hole is where the chain of frames breaks, and it ends where the next
chain begins. Files that were joined have the second one's mark between them, which is no hole. ffmpeg's own
decoder calls the frames damaged with which phones send silence; where the chain holds, they are not.

Enters: an open file. Leaves: the stretches between holes, each behind the time that was lost: exact where all
frames are of one length, else by their mean. Sound whose bytes are gone altogether leaves no trace. Reads the
file once. May raise ``OSError``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import pairwise

from asr_daemon.recogniser.sound.frames import MOST_HOLES, Stretch, parts_between
from asr_daemon.recogniser.sound.parts import Part

FRAME_S = 0.02
_SURE = 8  # frames one behind the other are a chain: 1 in 10^9 places of noise begins one
_AT_ONCE_BYTES = 1 << 20
_MOST_STEPS = 5_000_000  # more than a day; what has more is made to be counted
_SPARE = 0x83  # bits of a frame's first byte that are 0 (RFC 4867, 5.3)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two codecs."""

    mark: bytes  # with which a file begins
    demuxer: str  # ffmpeg's, for frames without that mark
    lengths: tuple[int, ...]  # in bytes with the first one, by that; 0: no frame begins so


def _lengths(*speech_and_silence: int) -> tuple[int, ...]:
    """Return the lengths by first byte: those types, and type 15, of which there is nothing but that byte.

    A byte of 0 would be a frame that came damaged, of the lowest rate; it is what a hole is filled with.
    """
    by_type = dict(enumerate(speech_and_silence)) | {15: 1}
    return (0, *(0 if byte & _SPARE else by_type.get(byte >> 3 & 15, 0) for byte in range(1, 256)))


_KINDS = (  # 3GPP TS 26.101 and 26.201
    _Kind(b"#!AMR\n", "amrnb", _lengths(13, 14, 16, 18, 20, 21, 27, 32, 6)),
    _Kind(b"#!AMR-WB\n", "amrwb", _lengths(18, 24, 33, 37, 41, 47, 51, 59, 61, 6)),
)


def amr_parts(fd: int, size: int) -> list[Part]:
    """Return the parts of an AMR file of ``size`` bytes; none where nothing can be told."""
    head = os.pread(fd, 16, 0)
    kind = next((one for one in _KINDS if head.startswith(one.mark)), None)
    if kind is None:
        return []
    stretches = _Walk(fd, size, kind).stretches()
    if not stretches or len(stretches) > MOST_HOLES:
        return []
    frames = sum(one.frames for one in stretches)
    mean_bytes = sum(one.end - one.begin for one in stretches) / frames
    is_exact = all(one.end - one.begin == one.frames * mean_bytes for one in stretches)
    lost_s = [
        0.0 if after.is_joined else (after.begin - before.end) / mean_bytes * FRAME_S
        for before, after in pairwise(stretches)
    ]
    options = ("-f", kind.demuxer)
    # also where little is lost: ffmpeg finds its way back late
    parts = parts_between(stretches, lost_s, 0.0, FRAME_S, size, options, is_exact=is_exact, least_s=0.0)
    if not parts and size - stretches[-1].end < max(kind.lengths):
        parts = [Part(0, size)]
    return [replace(part, is_chain=True) for part in parts]


class _Walk:
    """The way from frame to frame through a file."""

    def __init__(self, fd: int, size: int, kind: _Kind) -> None:
        self._fd, self._size, self._kind = fd, size, kind
        self._block, self._block_at = b"", 0
        self._steps = 0

    def stretches(self) -> list[Stretch]:
        """Return where frames follow each other; one at most where that cannot be told."""
        at, is_joined = len(self._kind.mark), False
        found: list[Stretch] = []
        while at < self._size and len(found) <= MOST_HOLES:
            end, frames = self._follow(at)
            if frames:
                found.append(Stretch(at, end, frames, is_joined))
            is_joined = os.pread(self._fd, len(self._kind.mark), end) == self._kind.mark
            at = end + len(self._kind.mark) if is_joined else self._next_chain(end)
            if self._steps > _MOST_STEPS:
                return []
        return found

    def _follow(self, at: int, most: int = _MOST_STEPS) -> tuple[int, int]:
        """Return where a chain breaks, or the file ends, and the number of whole frames before."""
        lengths, frames = self._kind.lengths, 0
        block, block_at = self._block, self._block_at
        while frames < most:
            if not 0 <= at - block_at < len(block):
                block, block_at = os.pread(self._fd, _AT_ONCE_BYTES, at), at
                if not block:
                    break
            length = lengths[block[at - block_at]]
            if not length or at + length > self._size:
                break
            at += length
            frames += 1
        self._block, self._block_at = block, block_at
        self._steps += frames + 1
        return at, frames

    def _next_chain(self, at: int) -> int:
        """Return where the next chain begins behind a break; the file's end where none does."""
        while at < self._size and self._steps <= _MOST_STEPS:
            at += 1
            if self._follow(at, _SURE)[1] == _SURE:
                return at
        return self._size
