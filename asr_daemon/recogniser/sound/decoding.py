"""Decoding: an open recording goes in, 16 kHz mono windows come out, through one ffmpeg process.

Enters: an open, seekable file descriptor of any container and codec on the lists below. Leaves: windows of
``float32 [n_samples], 16 kHz mono`` (about -1..1), one after the other, so that memory does not grow with
the recording's length. Fails with :class:`~asr_daemon.errors.EmptyFileError`, ``NotDecodableError``,
``NoAudioError``, ``TooLongError`` or ``ReadFailedError``, with ffmpeg's last words as evidence.

The recording is hostile until proven otherwise: ffmpeg may open nothing but that descriptor (no network,
no playlists, no other files), decodes sound only, and runs under limits of memory and processor time.
"""

from __future__ import annotations

import collections
import os
import re
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

import numpy as np

from asr_daemon.errors import (
    EmptyFileError,
    JobError,
    NoAudioError,
    NotDecodableError,
    ReadFailedError,
    TooLongError,
)
from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT, bind_ffmpeg, open_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
BYTES_PER_SAMPLE = 4
WINDOW_S = 30.0
EVIDENCE_LINES = 20

UNKNOWN_WAVE_BYTES = 0xFFFF_FF00  # a recorder that died leaves about the maximum in the header

_NO_AUDIO = ("does not contain any stream", "matches no streams")
_UNKNOWN_LAYOUT = "Rematrix is needed"  # more channels than ffmpeg has names for
_CHANNELS = re.compile(r"Audio:.*?, (\d+) channels")
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_GUESSED_DURATION = "Estimating duration from bitrate"


class Decoding:
    """One recording being decoded; iterate once over its windows.

    After the last window ``decoded_samples`` is the recording's length and ``is_truncated`` tells whether
    the container had announced clearly more. :meth:`close` may be called from another thread: the
    iteration then ends early, without an error.
    """

    def __init__(self, fd: int, ffmpeg: Path, max_duration_s: float, window_s: float = WINDOW_S) -> None:
        self.announced_s: float | None = None  # what the container says; None while unknown
        self.decoded_samples = 0
        self._fd = fd
        self._ffmpeg = ffmpeg
        self._max_samples = int(max_duration_s * SAMPLE_RATE_HZ)
        self._window_samples = int(window_s * SAMPLE_RATE_HZ)
        self._words: collections.deque[str] = collections.deque(maxlen=200)
        self._channels = 0
        self._duration_is_guessed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()
        self._starting = threading.Lock()  # close() never misses a process that is just being started

    @property
    def decoded_s(self) -> float:
        """Length decoded so far."""
        return self.decoded_samples / SAMPLE_RATE_HZ

    @property
    def is_truncated(self) -> bool:
        """Whether clearly less could be decoded than the container announces."""
        if self.announced_s is None:
            return False
        return self.decoded_s < self.announced_s - max(1.0, 0.02 * self.announced_s)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield ``float32 [<= window], 16 kHz mono`` windows; all but the last are of full length."""
        if os.fstat(self._fd).st_size == 0:
            raise EmptyFileError
        self.announced_s = self._header_length_s()
        yield from self._run(mix=())
        if self._closed.is_set() or self.decoded_samples:
            return
        if _UNKNOWN_LAYOUT in self._last_words() and self._channels:
            equal = "+".join(f"{1 / self._channels:.6f}*c{channel}" for channel in range(self._channels))
            yield from self._run(mix=("-af", f"pan=mono|c0={equal}"))
        if not self._closed.is_set() and not self.decoded_samples:
            raise self._failure()

    def close(self) -> None:
        """End ffmpeg; safe from any thread, and more than once."""
        with self._starting:
            self._closed.set()
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def _header_length_s(self) -> float | None:
        try:
            return _wave_length_s(self._fd)
        except OSError as error:
            raise ReadFailedError(f"Reading the recording failed: {error.strerror}.") from None

    def _run(self, mix: tuple[str, ...]) -> Iterator[NDArray[np.float32]]:
        process = self._start(mix)
        if process is None:
            return
        assert process.stdout is not None  # noqa: S101 (PIPE above)
        assert process.stderr is not None  # noqa: S101
        listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        listener.start()
        try:
            while block := process.stdout.read(self._window_samples * BYTES_PER_SAMPLE):
                samples = np.frombuffer(block[: len(block) // 4 * 4], dtype="<f4")
                self.decoded_samples += len(samples)
                if self.decoded_samples > self._max_samples:
                    limit_h = self._max_samples / SAMPLE_RATE_HZ / 3600
                    raise TooLongError(f"The recording is longer than the limit of {limit_h:g} h.")
                yield np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()
            process.stdout.close()  # a writer that is still at it gets SIGPIPE
            process.wait()
            listener.join()

    def _start(self, mix: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
        command = [
            *open_arguments(self._ffmpeg, self._fd), "-vn", "-sn", "-dn", "-map_metadata", "-1",
            *(mix or ("-af", "aresample=rematrix_maxval=1", "-ac", "1")),  # never louder than one channel
            "-ar", str(SAMPLE_RATE_HZ), "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1",
        ]  # fmt: skip
        with self._starting:
            if self._closed.is_set():
                return None
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(self._fd,),
                env=FFMPEG_ENVIRONMENT,
            )
        bind_ffmpeg(self._process.pid, cpu_s=int(120 + self._max_samples / SAMPLE_RATE_HZ / 5))
        return self._process

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            for raw in stderr:
                line = raw.decode(errors="replace").rstrip()[:500]
                self._words.append(line)
                if _GUESSED_DURATION in line:
                    self._duration_is_guessed = True
                elif (found := _DURATION.search(line)) and not self._duration_is_guessed:
                    hours, minutes, seconds = found.groups()
                    self.announced_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
                if not self._channels and (found := _CHANNELS.search(line)):
                    self._channels = int(found.group(1))

    def _last_words(self) -> str:
        return "\n".join(list(self._words)[-EVIDENCE_LINES:])

    def _failure(self) -> JobError:
        """Return why nothing could be decoded."""
        evidence = self._last_words()
        if any(words in evidence for words in _NO_AUDIO):
            return NoAudioError(evidence=evidence)
        if trouble := _read_trouble(self._fd):
            return ReadFailedError(f"Reading the recording failed: {trouble}.", evidence=evidence)
        status = self._process.returncode if self._process else None
        return NotDecodableError(evidence=f"{evidence}\n(ffmpeg ended with {status})")


def _wave_length_s(fd: int) -> float | None:
    """Return the length that a WAVE header announces (ffmpeg goes by what is there instead), if it is one."""
    head = os.pread(fd, 4096, 0)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    offset, bytes_per_s = 12, 0
    while offset + 8 <= len(head):
        name, size = head[offset : offset + 4], int.from_bytes(head[offset + 4 : offset + 8], "little")
        if name == b"fmt ":
            bytes_per_s = int.from_bytes(head[offset + 16 : offset + 20], "little")
        if name == b"data":
            is_known = (
                0 < size < UNKNOWN_WAVE_BYTES and bytes_per_s > 0
            )  # a recorder that died leaves 0 or the maximum
            return size / bytes_per_s if is_known else None
        offset += 8 + size + size % 2
    return None


def _read_trouble(fd: int) -> str:
    """Read the recording through once more; return what the operating system says against it, or nothing."""
    offset = 0
    try:
        while block := os.pread(fd, 1 << 20, offset):
            offset += len(block)
    except OSError as error:
        return error.strerror or str(error)
    return ""
