"""Plain 16 kHz WAVE files, read as they are: no other program is needed where there is nothing to decode.

What voice recorders, telephone systems and other recognisers write most: PCM of 16 bits, one channel or two.
Starting ffmpeg costs more than recognising five seconds of it. Only a header of a few numbers is looked
at, by the same reader that tells ffmpeg where such a file ends (wave.py); whatever is not exactly this is
left to ffmpeg, and so is a file whose sound is in several pieces.

Enters: an open recording and a part of it. Leaves: :class:`PlainWave`, a stream like ffmpeg's (tracks.py),
the same to the last bit. Fails with :class:`~asr_daemon.errors.ReadFailedError`.
"""

from __future__ import annotations

import collections
import os
import threading
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.errors import ReadFailedError
from asr_daemon.recogniser.sound.facts import Facts, Track
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.stream import Block, Trouble
from asr_daemon.recogniser.sound.wave import Header, holds_more_sound, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.recogniser.sound.parts import Part

_PCM, _BITS, _BYTES = 1, 16, 2
_LAYOUTS = {1: "mono", 2: ""}  # which of two is left is not said in such a header
_READ_BYTES = 1 << 19
_FULL_SCALE = np.float32(1 / 32768)


class PlainWave:
    """The sound between two offsets; iterate once. :meth:`close` may be called from another thread."""

    status = None  # of ffmpeg, which is not asked

    def __init__(self, fd: int, begin: int, end: int, channels: int) -> None:
        self.track = Track(0, "pcm_s16le", SAMPLE_RATE_HZ, channels, _LAYOUTS[channels])
        self.layout = self.track.layout
        self.trouble = Trouble()
        self.words: collections.deque[str] = collections.deque(maxlen=1)
        self.end_samples = 0  # of what was yielded so far
        self._fd, self._at, self._end = fd, begin, end
        self._closed = threading.Event()

    @property
    def facts(self) -> Facts:
        """What is to be known before it is read."""
        duration_s = (self._end - self._at) / (_BYTES * self.track.channels * SAMPLE_RATE_HZ)
        return Facts((self.track,), has_picture=False, start_s=0.0, duration_s=duration_s, evidence="")

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks, of some seconds at most."""
        width = _BYTES * self.track.channels
        while not self._closed.is_set():
            try:
                raw = os.pread(self._fd, min(_READ_BYTES, self._end - self._at), self._at)
            except OSError as error:
                raise ReadFailedError(f"Reading the recording failed: {error.strerror}.") from None
            whole = len(raw) // width * width
            if not whole:
                return
            self._at += whole
            samples = np.frombuffer(raw[:whole], "<i2").astype(np.float32).reshape(-1, self.track.channels)
            samples *= _FULL_SCALE
            block = Block(self.end_samples, samples)
            self.end_samples = block.end_samples
            yield block

    def close(self) -> None:
        """End the iteration; safe from any thread, and more than once."""
        self._closed.set()


def plain_wave(fd: int, part: Part) -> PlainWave | None:
    """Return the stream of a part; None where it needs ffmpeg. May raise ``OSError``."""
    size = os.fstat(fd).st_size
    header = read_header(fd, part.begin, size)
    if header is None or not _is_plain(header):
        return None
    limit = size if part.end is None else min(part.end, size)
    end = limit if part.options else min(header.sound_at + header.sound_bytes, limit)
    if end - header.sound_at < _BYTES * header.channels or holds_more_sound(fd, end, limit):
        return None
    return PlainWave(fd, header.sound_at, end, header.channels)


def _is_plain(header: Header) -> bool:
    described = (header.tag, header.bits, header.rate_hz, header.bytes_per_s)
    expected = (_PCM, _BITS, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * _BYTES * header.channels)
    return (
        header.channels in _LAYOUTS
        and described == expected
        and header.frame_bytes == _BYTES * header.channels
    )
