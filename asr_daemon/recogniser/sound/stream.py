"""One track being decoded by one ffmpeg process, each block with its place in time.

Enters: an open recording, the part of it and the track. Leaves: :class:`Block` after :class:`Block`, each at
16 kHz with all channels, in the order of time, where the container's clock says that it belongs: a late start
and gaps leave room, a clock that starts anew goes on counting.

ffmpeg's ``asetpts`` filter prints where a frame's time stamp departs from the number of samples before it,
and it does so before any of that frame's sound is written; so nothing needs to be read twice.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import os
import re
import secrets
import select
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT, bind_ffmpeg, open_arguments
from asr_daemon.recogniser.sound.layouts import LAYOUTS
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from asr_daemon.recogniser.sound.facts import Facts, Track
    from asr_daemon.recogniser.sound.parts import Part

BYTES_PER_SAMPLE = 4
_READ_BYTES = 1 << 20
_MOST_LINE_BYTES = 1 << 16
KEPT_LINES = 200
# Prints the number of samples so far and how far the clock is ahead of them, wherever that changes by more
# than 50 ms (what containers with milliseconds, and clocks that drift, need by way of room). Before each pair
# stands a number that nobody else knows: ffmpeg's warnings quote what the recording's author wrote.
_CLOCK = (
    r"asetpts=st(0\,PTS*TB-N/SR)\;"
    r"if(eq(N\,0)+gt(abs(ld(0)-ld(1))\,0.05)\,print({nonce}\,24)+print(N/SR\,24)+print(ld(0)\,24)+st(1\,if(isnan(ld(0))\,0\,ld(0))))\;"
    r"N/SR/TB"
)
_PRINTED = re.compile(r"\[Eval @ 0x[0-9a-f]+\] (-?(?:\d+\.\d+|nan|inf))$")
BACKWARDS_S = -0.5  # a clock that falls back by more has started anew
_DECODER_ERRORS = re.compile(
    r"Error submitting packet to decoder|Error while decoding stream|Decoding error|CRC mismatch"
    r"|[Cc]orrupt|Invalid data found|[Ii]nvalid (?:EBML|block|sync|as first byte)|exceeds (?:max|containing)"
)
_CUT = re.compile(r"partial file|ended prematurely|[Tt]runcat(?:ed|ing)|Packet mismatch")
_GUESSED_LAYOUT = "Guessed Channel Layout"


@dataclass(frozen=True, slots=True)
class Block:
    """Sound that goes on without a gap: ``float32 [n_samples, n_channels], 16 kHz``."""

    start_samples: int
    samples: NDArray[np.float32]
    is_joined: bool = False  # another recording begins here: the clock started anew

    @property
    def end_samples(self) -> int:
        """Where it ends."""
        return self.start_samples + len(self.samples)


@dataclass(frozen=True, slots=True)
class _Change:
    """A reading of the container's clock that differs from the last."""

    sent: int  # samples before it
    ahead_s: float  # by how much the clock is ahead of them
    follows_error: bool


@dataclass
class Trouble:
    """What ffmpeg complained of."""

    errors: int = 0
    holes: int = 0  # places where the clock goes forward after an error
    lost_samples: int = 0  # in those
    is_cut: bool = False


class TrackStream:
    """One track's decoding; iterate once. :meth:`close` may be called from another thread."""

    def __init__(
        self, fd: int, ffmpeg: Path, part: Part, facts: Facts, track: Track, most_samples: int
    ) -> None:
        self.track = track
        self.layout = track.layout  # "" once ffmpeg says that it only guessed
        self.trouble = Trouble()
        self.end_samples = 0  # of what was yielded so far
        self.words: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._fd, self._ffmpeg, self._part = fd, ffmpeg, part
        self._start_s = facts.start_s
        self._nonce = secrets.randbelow(10**12) + 10**12
        self._most_samples = most_samples
        announced_s = facts.duration_s
        self._latest_samples = (
            most_samples
            if announced_s is None
            else min(most_samples, int((announced_s + 1) * SAMPLE_RATE_HZ))
        )
        self._received = 0  # samples from ffmpeg
        self._shift = 0  # samples of gaps before what is received next
        self._ahead_s: float | None = None  # how far the clock was ahead of them, at the last reading
        self._offset_s = 0.0  # from the clock to ours, since it started anew
        self._printed: list[float] = []
        self._changes: collections.deque[_Change] = collections.deque()
        self._is_in_error = False  # something could not be read, and the clock has not changed since
        self._rest = b""  # less than a sample
        self._line = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()
        self._listening = threading.Lock()
        self._starting = threading.Lock()  # close() never misses a process that is just being started

    @property
    def status(self) -> int | None:
        """How ffmpeg ended."""
        return None if self._process is None else self._process.returncode

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks, of some seconds at most."""
        process = self._start()
        if process is None:
            return
        assert process.stdout is not None  # noqa: S101 (PIPE)
        assert process.stderr is not None  # noqa: S101
        os.set_blocking(process.stderr.fileno(), False)
        listener = threading.Thread(target=self._keep_listening, args=(process.stderr.fileno(),), daemon=True)
        listener.start()
        is_over = False
        try:
            while raw := process.stdout.read(_READ_BYTES):
                self._listen(process.stderr.fileno())  # what was said before this was written
                yield from self._placed(raw)
            is_over = True
        finally:
            if process.poll() is None and not is_over:
                process.kill()
            process.stdout.close()
            process.wait()
            listener.join()
            process.stderr.close()

    def close(self) -> None:
        """End ffmpeg; safe from any thread, and more than once."""
        with self._starting:
            self._closed.set()
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def _start(self) -> subprocess.Popen[bytes] | None:
        shape = ("aformat=channel_layouts=" + self.track.layout,) if self.track.layout in LAYOUTS else ()
        zero = ("-start_at_zero",) if self._start_s is None else ()
        clock = _CLOCK.format(nonce=self._nonce)
        options = ("-copyts", *zero, *self._part.options)
        command = [
            *open_arguments(self._ffmpeg, self._fd, self._part.span, options, "repeat+warning"),
            "-map", f"0:a:{self.track.number}", "-vn", "-sn", "-dn", "-map_metadata", "-1",
            "-af", ",".join((clock, *shape)),  # the shape changes nothing, unless the track changes midway
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
        bind_ffmpeg(self._process.pid, cpu_s=int(120 + self._most_samples / SAMPLE_RATE_HZ / 5))
        with contextlib.suppress(OSError, AttributeError):  # it may decode on while we compute
            assert self._process.stdout is not None  # noqa: S101 (PIPE)
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, _READ_BYTES)
        return self._process

    def _keep_listening(self, said: int) -> None:
        """Take in what ffmpeg says while nobody reads what it decodes."""
        poll = select.poll()
        poll.register(said, select.POLLIN)
        while poll.poll() and self._listen(said):
            pass

    def _listen(self, said: int) -> bool:
        """Take in all that ffmpeg has said; return False at its end."""
        with self._listening:
            while True:
                try:
                    heard = os.read(said, _MOST_LINE_BYTES)
                except BlockingIOError:
                    return True
                if not heard:
                    return False
                *lines, self._line = (self._line[-_MOST_LINE_BYTES:] + heard).split(b"\n")
                for raw in lines:
                    self._hear(raw.decode(errors="replace").rstrip()[:500])

    def _hear(self, line: str) -> None:
        if printed := _PRINTED.match(line):
            number = float(printed.group(1))
            if number == self._nonce or self._printed:
                self._printed.append(number)
            if len(self._printed) == 3:  # noqa: PLR2004 (the nonce and a pair)
                self._clock_changed(*self._printed[1:])
                self._printed.clear()
            return
        self.words.append(line)
        if _DECODER_ERRORS.search(line):
            self.trouble.errors += 1
            self._is_in_error = True
        if _CUT.search(line):
            self.trouble.is_cut = True
        if _GUESSED_LAYOUT in line:
            self.layout = ""

    def _clock_changed(self, sent_s: float, ahead_s: float) -> None:
        """Note that after so many seconds of sound the clock is so far ahead of them."""
        if np.isfinite(ahead_s) and np.isfinite(sent_s):
            change = _Change(
                round(sent_s * SAMPLE_RATE_HZ), ahead_s - (self._start_s or 0.0), self._is_in_error
            )
            self._changes.append(change)
            self._is_in_error = False

    def _placed(self, raw: bytes) -> Iterator[Block]:
        """Yield the samples of a chunk where they belong."""
        width = BYTES_PER_SAMPLE * self.track.channels
        raw = self._rest + raw if self._rest else raw
        whole = len(raw) // width * width
        self._rest = raw[whole:]
        samples = np.frombuffer(raw[:whole] if self._rest else raw, "<f4").reshape(-1, self.track.channels)
        while len(samples):
            is_joined = False
            while self._changes and self._changes[0].sent <= self._received:
                is_joined |= self._set_clock(self._changes.popleft())
            upto = self._changes[0].sent - self._received if self._changes else len(samples)
            piece, samples = samples[:upto], samples[upto:]
            block = Block(self._received + self._shift, piece, is_joined)
            self._received += len(piece)
            self.end_samples = block.end_samples
            yield block

    def _set_clock(self, change: _Change) -> bool:
        """Take a new reading of the clock; return whether another recording begins with it.

        Time goes forward only: a clock that fell back starts anew, or drifts; one that jumped beyond what
        the container announces is not believed. Both go on counting from here.
        """
        here = self._received + self._shift
        sent, ahead_s = change.sent, change.ahead_s
        before, self._ahead_s = self._ahead_s, ahead_s
        is_other_kind = before is not None and sent == 0 < self._received  # ffmpeg counts anew, too
        falls_back = before is not None and ahead_s - before < BACKWARDS_S
        gap = sent + round((ahead_s + self._offset_s) * SAMPLE_RATE_HZ) - here
        if is_other_kind or falls_back or here + gap > self._latest_samples:
            self._offset_s = (here - sent) / SAMPLE_RATE_HZ - ahead_s
        elif gap > 0:
            self._shift += gap
            if change.follows_error and before is not None:
                self.trouble.holes += 1
                self.trouble.lost_samples += gap
        return falls_back
