"""MPEG audio and AAC as bare frames, which have no clock: time is where a frame lies.

What is missing in the middle (a bad sector, a copy that went on after a gap) would be passed over, and all
that follows stand too early. So the frames are looked for first: bytes between them that are no frame, and
frames that a Xing header counts and that are not there, are time that passed. A cover between joined files is
none, though ffmpeg takes it for some.

Enters: an open file. Leaves: the stretches between such holes, each behind the time that was lost. Exact
where the bit rate is constant, or a Xing header counts the frames and there is one hole; else by the mean bit
rate. A hole whose bytes are gone altogether shows by the Xing header alone. Reads the file once. May raise
``OSError``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.sound.parts import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOST_S = 0.3  # a hole of that length is a word; shorter ones are ffmpeg's to bridge
_BLOCK_BYTES = 1 << 22
MOST_HOLES = 64  # a file with more is no recording with holes
_LEAST_FRAME_BYTES = 20
_HEAD_BYTES = 4
_SHORT_TAG_BYTES = 1000  # ffmpeg passes over it
_XING_BYTES = 200
_RATES_HZ = (44_100, 48_000, 32_000)
_HALVINGS = {3: 1, 2: 2, 0: 4}  # MPEG 1, 2, 2.5
_KILOBITS = {  # by (MPEG 1, layer): ISO 11172-3 and 13818-3
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AAC_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000)
_AAC_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class _Kind:
    """What all frames of a file share, by its first one."""

    samples: int  # in a frame
    rate_hz: int
    fixed: tuple[tuple[int, int, int], ...]  # (byte, mask, value)
    lengths: NDArray[np.int64] | None  # in bytes, by the third byte; None: AAC, whose frames say it

    @property
    def frame_s(self) -> float:
        return self.samples / self.rate_hz


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames one behind the other."""

    begin: int
    end: int
    frames: int
    is_joined: bool = False  # behind a tag: another file, of which nothing is missing before


def frame_parts(fd: int, size: int) -> list[Part]:
    """Return the parts of a file of bare frames of ``size`` bytes; none where it is in one piece."""
    begin = _behind_tags(fd, 0, size)
    kind = _kind(os.pread(fd, 7, begin))
    if kind is None:
        return []
    stretches = _stretches(fd, begin, size, kind)
    if len(stretches) < 2 or len(stretches) > MOST_HOLES:  # noqa: PLR2004 (a hole has two sides)
        return []
    lost_s, missing_s, is_exact = _lost_s(fd, stretches, kind)
    return parts_between(stretches, lost_s, missing_s, kind.frame_s, size, is_exact=is_exact)


def parts_between(
    stretches: list[Stretch],
    lost_s: list[float],
    missing_s: float,
    frame_s: float,
    size: int,
    options: tuple[str, ...] = (),
    *,
    is_exact: bool,
    least_s: float = LOST_S,
) -> list[Part]:
    """Return what lies between holes; none where there is no hole of ``least_s``.

    ``lost_s`` is what each gap between two stretches lost, ``missing_s`` what is missing at the end.
    """
    parts: list[Part] = []
    first, frames, gap_s = stretches[0].begin, stretches[0].frames, 0.0
    for (before, after), lost in zip(pairwise(stretches), lost_s, strict=True):
        if lost >= least_s or after.is_joined:
            parts.append(Part(first, before.end, options, frames * frame_s, lost_s=gap_s, is_exact=is_exact))
            first, frames, gap_s = after.begin, 0, lost
        frames += after.frames
    if not parts:
        return []
    announced_s = frames * frame_s + missing_s
    return [*parts, Part(first, size, options, announced_s, lost_s=gap_s, is_exact=is_exact)]


def _kind(head: bytes) -> _Kind | None:
    """Return what the frame with that head is (ISO 11172-3, 13818-7)."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:  # noqa: PLR2004
        return None
    if head[1] & 0xF6 == 0xF0:  # noqa: PLR2004 (ADTS)
        rate = head[2] >> 2 & 15
        if rate >= len(_AAC_RATES_HZ):
            return None
        shared = ((0, 0xFF, 0xFF), (1, 0xFF, head[1]), (2, 0xFD, head[2] & 0xFD), (3, 0xC0, head[3] & 0xC0))
        return _Kind(_AAC_SAMPLES, _AAC_RATES_HZ[rate], shared, None)
    version, layer, sampling = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 2 & 3
    if version not in _HALVINGS or layer > 3 or sampling > 2:  # noqa: PLR2004 (reserved)
        return None
    is_first = version == 3  # noqa: PLR2004 (MPEG 1)
    rate_hz = _RATES_HZ[sampling] // _HALVINGS[version]
    samples = {1: 384, 2: 1152, 3: 1152 if is_first else 576}[layer]
    lengths = np.zeros(256, np.int64)
    for index, kilobits in enumerate(_KILOBITS[is_first, layer]):
        slot = 4 if layer == 1 else 1
        for padding in range(2):
            length = (samples // 8 * 1000 * kilobits // slot // rate_hz + padding) * slot if kilobits else 0
            for private in range(2):
                lengths[index << 4 | sampling << 2 | padding << 1 | private] = length
    fixed = ((0, 0xFF, 0xFF), (1, 0xFF, head[1]), (2, 0x0C, head[2] & 0x0C))
    return _Kind(samples, rate_hz, fixed, lengths)


def _stretches(fd: int, begin: int, size: int, kind: _Kind) -> list[Stretch]:
    """Return where frames follow each other; what lies between two stretches is no frame and no tag."""
    found: list[Stretch] = []
    at = begin
    while at + _HEAD_BYTES < size:
        block = os.pread(fd, _BLOCK_BYTES, at)
        starts, ends = _frames(np.frombuffer(block, np.uint8), kind, is_last=at + len(block) >= size)
        if len(starts) * _LEAST_FRAME_BYTES > len(block):
            return []  # every byte a frame: made to be counted
        if len(starts):
            breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
            edges = [0, *breaks.tolist(), len(starts)]
            for low, high in pairwise(edges):
                _join(fd, kind, found, Stretch(at + int(starts[low]), at + int(ends[high - 1]), high - low))
                if len(found) > MOST_HOLES:
                    return found
        step = int(ends[-1]) if len(starts) else len(block)
        at += step if step > len(block) // 2 else len(block)
    return found


def _join(fd: int, kind: _Kind, found: list[Stretch], stretch: Stretch) -> None:
    """Add a stretch, to the last one where nothing but a last frame and a tag lies between them."""
    if not found:
        found.append(stretch)
        return
    last = found[-1]
    end = last.end + _frame_bytes(np.frombuffer(os.pread(fd, 7, last.end), np.uint8), kind)
    if stretch.begin == last.end:  # the next block
        found[-1] = Stretch(last.begin, stretch.end, last.frames + stretch.frames, last.is_joined)
    elif end > last.end and _behind_tags(fd, end, stretch.begin) == stretch.begin:
        found[-1] = Stretch(last.begin, end, last.frames + 1, last.is_joined)
        if stretch.begin - end > _SHORT_TAG_BYTES:
            found.append(Stretch(stretch.begin, stretch.end, stretch.frames, is_joined=True))
        else:
            found[-1] = Stretch(last.begin, stretch.end, last.frames + 1 + stretch.frames, last.is_joined)
    elif stretch.begin > last.end:
        found.append(stretch)


def _frames(
    block: NDArray[np.uint8], kind: _Kind, *, is_last: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where frames begin and end: heads behind which, at the frame's end, lies another head."""
    if len(block) < 8:  # noqa: PLR2004
        return np.empty(0, np.int64), np.empty(0, np.int64)
    count = len(block) - 6
    heads = np.flatnonzero(block[:count] == 0xFF)  # noqa: PLR2004
    for byte, mask, value in kind.fixed[1:]:
        heads = heads[block[heads + byte] & mask == value]
    if kind.lengths is not None:
        lengths = kind.lengths[block[heads + 2]]
    else:
        third, fourth, fifth = (block[heads + byte].astype(np.int64) for byte in (3, 4, 5))
        lengths = (third & 3) << 11 | fourth << 3 | fifth >> 5
    heads, lengths = heads[lengths > 0], lengths[lengths > 0]
    ends = heads + lengths
    is_head = np.zeros(len(block) + 1, bool)
    is_head[heads] = True
    if is_last:
        is_head[-1] = True
    sound = (ends <= len(block)) & is_head[np.minimum(ends, len(block))]
    return heads[sound], ends[sound]


def _frame_bytes(head: NDArray[np.uint8], kind: _Kind) -> int:
    """Return the length of the frame with that head; 0 where it is none of the file's."""
    if len(head) < 7 or any(head[byte] & mask != value for byte, mask, value in kind.fixed):  # noqa: PLR2004
        return 0
    if kind.lengths is not None:
        return int(kind.lengths[head[2]])
    return (int(head[3]) & 3) << 11 | int(head[4]) << 3 | int(head[5]) >> 5


def _lost_s(fd: int, stretches: list[Stretch], kind: _Kind) -> tuple[list[float], float, bool]:
    """Return how much time was lost between stretches, and at the end, and whether the former is exact."""
    counted, announced_bytes = _xing(fd, stretches[0].begin, kind)
    if any(stretch.is_joined for stretch in stretches):  # it speaks of the first of several
        counted = announced_bytes = 0
    frames = sum(stretch.frames for stretch in stretches)
    in_frames = sum(stretch.end - stretch.begin for stretch in stretches)
    mean_bytes = in_frames / frames
    gaps = [
        0.0 if after.is_joined else float(after.begin - before.end) for before, after in pairwise(stretches)
    ]
    if announced_bytes:
        removed = stretches[0].begin + announced_bytes - stretches[-1].end
        torn = [number for number, gap in enumerate(gaps) if gap < 2 * mean_bytes]
        if (
            removed > 2 * mean_bytes and len(torn) == 1
        ):  # else it is missing at the end, or nobody knows where
            gaps[torn[0]] += removed
    lost = [gap / mean_bytes for gap in gaps]
    is_constant = abs(stretches[0].end - stretches[0].begin - stretches[0].frames * mean_bytes) < mean_bytes
    is_exact = is_constant
    missing = counted - frames if counted else sum(lost)
    if missing <= 0:
        lost = [0.0] * len(gaps)
    elif counted and not is_constant and missing < 2 * sum(lost):  # else some is missing at the end
        lost = [one * missing / sum(lost) for one in lost]
        is_exact = len(gaps) == 1
    rest = max(0.0, missing - sum(lost))
    return [one * kind.frame_s for one in lost], rest * kind.frame_s, is_exact


def _xing(fd: int, begin: int, kind: _Kind) -> tuple[int, int]:
    """Return how many frames, and bytes with its own, the first frame announces; 0: it does not say."""
    if kind.lengths is None:
        return 0, 0
    head = os.pread(fd, _XING_BYTES, begin)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0:
        return 0, 0
    has_frames, has_bytes = head[at + 7] & 1, head[at + 7] & 2
    frames = int.from_bytes(head[at + 8 : at + 12], "big") if has_frames else 0
    low = at + (12 if has_frames else 8)
    return frames, int.from_bytes(head[low : low + 4], "big") if has_bytes else 0


def _behind_tags(fd: int, at: int, end: int) -> int:
    """Return where the tags end that lie there (ID3, APE, Lyrics3)."""
    while at < end:
        head = os.pread(fd, 32, at)
        if head.startswith(b"ID3") and len(head) >= 10:  # noqa: PLR2004
            at += 10 + sum(
                (byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)
            )
        elif head.startswith(b"TAG"):
            at += 128
        elif head.startswith(b"APETAGEX") and len(head) == 32:  # noqa: PLR2004
            has_header = head[23] & 0x20
            at += int.from_bytes(head[12:16], "little") + (32 if has_header else 0)
        elif head.startswith(b"LYRICSBEGIN"):
            words = os.pread(fd, 1 << 16, at)
            found = words.find(b"LYRICS200")
            if found < 0:
                return at
            at += found + 9
        else:
            return at
    return min(at, end)
