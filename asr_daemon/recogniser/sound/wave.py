"""WAVE headers, which lie: what they announce, whether that is so, and where the sound really ends.

Recorders that crash leave 0 or a placeholder, programs that write into a pipe another one; beyond 4 GB the
length wraps around; files are joined by copying one behind the other. ffmpeg believes what says less, and
searches gigabytes of zeros for the next chunk.

Enters: an open file. Leaves: the stretches of it that are one recording each. May raise ``OSError``.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace

from asr_daemon.recogniser.sound.parts import Part

_MOST_CHUNKS = 10_000
_BLOCK_BYTES = 1 << 20
_RIFF = (b"RIFF", b"RF64", b"BW64")
_TAGS = (b"TAG", b"APETAGEX", b"ID3", b"LYRICS")  # what players write behind the sound
_PLACEHOLDERS = (  # sox, arecord, ffmpeg, mplayer and recorders that died leave about these
    (0, 0),
    (0x3FFF_0000, 0x4000_0000),
    (0x7FFF_0000, 0x8000_1000),
    (0xFFFF_0000, 0xFFFF_FFFF),
    (1_000_000_000 - 4096, 1_000_000_000 + 4096),
    (2_000_000_000 - 4096, 2_000_000_000 + 4096),
    (4_000_000_000 - 4096, 4_000_000_000 + 4096),
    (1 << 62, 1 << 64),
)
_FORMAT = struct.Struct("<HHIIHH")  # tag, channels, rate, bytes a second, bytes a frame, bits
_IN_DS64 = 0xFFFF_FFFF
_PCM_TAGS = (0x0001, 0xFFFE)  # the latter with more words behind
# ffmpeg tries every format that hides in PCM (DTS, S/PDIF) on more and more of it, which costs more than
# decoding minutes of sound; those are found in that much.
_BRIEFLY = ("-probesize", "65536")
LEAST_MORE_S = 0.25  # more than that behind the announced end is sound, less is some program's mark


@dataclass(frozen=True, slots=True)
class Header:
    """What a WAVE file says of itself."""

    sound_at: int  # offset of the first sample
    sound_bytes: int  # as announced
    riff_end: int  # as announced
    bytes_per_s: int
    tag: int  # of the format: 1 is PCM
    channels: int
    rate_hz: int
    frame_bytes: int
    bits: int


def wave_parts(fd: int, size: int, max_duration_s: float) -> list[Part]:
    """Return the parts of a WAVE file of ``size`` bytes; none where it is no such file."""
    parts: list[Part] = []
    at = 0
    while at < size and len(parts) < _MOST_CHUNKS:
        header = read_header(fd, at, size)
        if header is None:
            break
        part, at = _part(fd, at, size, header, max_duration_s)
        parts.append(replace(part, probing=_BRIEFLY) if header.tag in _PCM_TAGS else part)
    return parts


def _part(fd: int, begin: int, size: int, header: Header, max_duration_s: float) -> tuple[Part, int]:
    """Return the recording that begins there, and where the next one may."""
    announced_s = header.sound_bytes / header.bytes_per_s
    end = header.sound_at + header.sound_bytes
    is_placeholder = any(low <= header.sound_bytes <= high for low, high in _PLACEHOLDERS)
    if end > size and not is_placeholder:  # it ends before its header says
        is_cut = abs(header.riff_end - size) > 1  # else the file is as long as it says, the sound is not
        return Part(begin, size, _LENGTH_IGNORED, announced_s, is_cut=is_cut), size
    if end <= size and not (header.sound_bytes == 0 and size - end > LEAST_MORE_S * header.bytes_per_s):
        follows = _follows(fd, end, size)
        if follows is not None:
            return Part(begin, follows, (), announced_s), follows
    sound_end = _sound_end(fd, min(max(end, header.sound_at), size) if end <= size else header.sound_at, size)
    if sound_end - end < LEAST_MORE_S * header.bytes_per_s and end <= size and header.sound_bytes:
        return Part(begin, end, (), announced_s), size
    if (
        sound_end - header.sound_at
    ) / header.bytes_per_s > max_duration_s and 0 < announced_s < max_duration_s:
        unread_s = (sound_end - end) / header.bytes_per_s
        return Part(begin, end, (), announced_s, unread_s=unread_s), size
    return Part(begin, sound_end, _LENGTH_IGNORED), size


_LENGTH_IGNORED = ("-ignore_length", "1")


def read_header(fd: int, begin: int, size: int) -> Header | None:
    """Return the header that begins there; None where none does."""
    head = os.pread(fd, 12, begin)
    if head[:4] not in _RIFF or head[8:12] != b"WAVE":
        return None
    riff_end = begin + 8 + int.from_bytes(head[4:8], "little")
    at, long_bytes = begin + 12, 0
    tag = channels = rate_hz = bytes_per_s = frame_bytes = bits = 0
    for _ in range(_MOST_CHUNKS):
        chunk = os.pread(fd, 28, at)
        if len(chunk) < 8:  # noqa: PLR2004 (name and length)
            return None
        name, length = chunk[:4], int.from_bytes(chunk[4:8], "little")
        if name == b"ds64":
            long_bytes = int.from_bytes(chunk[16:24], "little")
            riff_end = begin + 8 + int.from_bytes(chunk[8:16], "little")
        elif name == b"fmt ":
            tag, channels, rate_hz, bytes_per_s, frame_bytes, bits = _FORMAT.unpack_from(
                chunk.ljust(28, b"\0"), 8
            )
        elif name == b"data":
            if bytes_per_s <= 0:
                return None
            if head[:4] != b"RIFF" and length == _IN_DS64 and long_bytes:
                length = long_bytes
            of_format = (bytes_per_s, tag, channels, rate_hz, frame_bytes, bits)
            return Header(at + 8, length, riff_end, *of_format)
        at += 8 + length + length % 2
        if at >= size:
            return None
    return None


def _follows(fd: int, end: int, size: int) -> int | None:
    """Return where the file of which the sound ends at ``end`` ends; None where no file ends like that."""
    at = end
    for _ in range(_MOST_CHUNKS):
        head = os.pread(fd, 12, at)
        if head[:4] in _RIFF and head[8:12] == b"WAVE":
            return at
        if len(head) < 8 or head.startswith(_TAGS):  # noqa: PLR2004 (name and length)
            return size
        if not head[:4].isascii() or not head[:4].decode().isprintable():
            if at % 2 and at == end:  # the padding after an odd length
                at += 1
                continue
            return None
        at += 8 + int.from_bytes(head[4:8], "little")
        at += at % 2 if at < size else 0
        if at > size + 1:
            return None
    return None


def holds_more_sound(fd: int, end: int, limit: int) -> bool:
    """Return whether another stretch of sound lies behind the one that ends at ``end``."""
    at = end + end % 2
    for _ in range(_MOST_CHUNKS):
        chunk = os.pread(fd, 8, at)
        if len(chunk) < 8 or at + 8 > limit:  # noqa: PLR2004 (name and length)
            return False
        if chunk[:4] == b"data":
            return True
        at += 8 + int.from_bytes(chunk[4:8], "little")
        at += at % 2
    return True


def _sound_end(fd: int, begin: int, size: int) -> int:
    """Return where the zeros begin that the file ends with, not before ``begin``.

    Where the file system says which parts were never written, those are not read.
    """
    end = min(size, _written_end(fd, begin, size))
    while end > begin:
        low = max(begin, end - _BLOCK_BYTES)
        block = os.pread(fd, end - low, low).rstrip(b"\0")
        if block:
            return min(size, low + len(block) + len(block) % 2)
        end = low
    return begin


def _written_end(fd: int, begin: int, size: int) -> int:
    """Return an offset behind which nothing was ever written."""
    try:
        own = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)  # an offset of its own
    except OSError:
        return size
    try:
        end, at = begin, begin
        for _ in range(_MOST_CHUNKS):
            try:
                at = os.lseek(own, at, os.SEEK_DATA)
            except OSError:  # no more data
                return end
            end = at = os.lseek(own, at, os.SEEK_HOLE)
    except OSError:
        return size
    finally:
        os.close(own)
    return size
