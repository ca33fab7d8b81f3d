"""One ffmpeg that decodes: started within its bounds, heard while its sound is read, ended from any thread.

Enters: a command (ffmpeg.py). Leaves: the bytes of its standard output, and its words, line by line, those
that were said before some bytes always before them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT, bind_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 1 << 20
_MOST_LINE_BYTES = 1 << 16
_AT_ONCE_BYTES = 1 << 16
_MOST_ASIDE_BYTES = 1 << 20
_WORDS_WAIT_MS = 20  # it says some lines before there is sound: not each is worth waking up for


class FfmpegProcess:
    """A running ffmpeg; ``hear`` is called with each of its lines. Other threads may call :meth:`close`."""

    def __init__(self, hear: Callable[[str], None] = lambda _line: None) -> None:
        self.hear = hear
        self.aside = b""  # what stands in its second output so far, up to a bound
        self._process: subprocess.Popen[bytes] | None = None
        self._beside: int | None = None  # the reading end of that output's pipe
        self._listener: threading.Thread | None = None
        self._line = b""
        self._listening = threading.Lock()
        self._closed = threading.Event()
        self._starting = threading.Lock()  # close() never misses a process that is just being started

    @property
    def status(self) -> int | None:
        """How it ended."""
        return None if self._process is None else self._process.returncode

    def start(self, command: Callable[[int], list[str]], fd: int, cpu_s: int, *, aside: bool = False) -> bool:
        """Start it on an open recording; False where it was closed before.

        ``command`` gets the descriptor of a second output, -1 without ``aside``. Raises ``OSError``.
        """
        with self._starting:
            if self._closed.is_set():
                return False
            self._beside, written = os.pipe() if aside else (None, -1)
            try:
                self._process = subprocess.Popen(
                    command(written),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=(fd, written) if aside else (fd,),
                    env=FFMPEG_ENVIRONMENT,
                )
            finally:
                if aside:
                    os.close(written)
        bind_ffmpeg(self._process.pid, cpu_s)
        os.set_blocking(self._outputs()[1], False)
        if self._beside is not None:
            os.set_blocking(self._beside, False)
        return True

    def first_sound(self, within_s: float) -> bytes | None:
        """Wait for the next bytes of sound, before :meth:`listen`; empty at its end, None where none came."""
        deadline_s = time.monotonic() + within_s
        sound, said = self._outputs()
        poll = select.poll()
        poll.register(sound, select.POLLIN)
        while time.monotonic() < deadline_s:
            is_there = poll.poll(_WORDS_WAIT_MS)
            found = os.read(sound, _AT_ONCE_BYTES) if is_there else None
            self._listen(said)  # what was written before the sound was
            if self._beside is not None:
                self._look_aside(self._beside)
            if found is not None:
                return found
        return None

    def listen(self) -> None:
        """Take in from now on what it says while nobody reads its sound; it may decode ahead."""
        sound, said = self._outputs()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(sound, fcntl.F_SETPIPE_SZ, READ_BYTES)
        self._listener = threading.Thread(target=self._keep_listening, args=(said,), daemon=True)
        self._listener.start()

    def read(self) -> bytes:
        """Return the next bytes of sound; empty at its end."""
        assert self._process is not None  # noqa: S101 (started)
        assert self._process.stdout is not None  # noqa: S101 (PIPE)
        raw = self._process.stdout.read(READ_BYTES)
        self._listen(self._outputs()[1])  # what was said before this was written
        return raw

    def close(self) -> None:
        """Kill it; safe from any thread, and more than once."""
        with self._starting:
            self._closed.set()
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def end(self) -> None:
        """Wait for its end; a writer that is still at it finds nobody."""
        process, beside = self._process, self._beside
        if process is not None:
            sound, said = process.stdout, process.stderr
            assert sound is not None  # noqa: S101 (PIPE)
            assert said is not None  # noqa: S101
            sound.close()
            process.wait()
            if self._listener is not None:
                self._listener.join()
            said.close()
        if beside is not None:
            self._beside = None
            os.close(beside)

    def _outputs(self) -> tuple[int, int]:
        """Return the descriptors of sound and words."""
        assert self._process is not None  # noqa: S101 (started)
        assert self._process.stdout is not None  # noqa: S101 (PIPE)
        assert self._process.stderr is not None  # noqa: S101
        return self._process.stdout.fileno(), self._process.stderr.fileno()

    def _keep_listening(self, said: int) -> None:
        poll = select.poll()
        poll.register(said, select.POLLIN)
        beside = self._beside
        if beside is not None:  # it must not fill up
            poll.register(beside, select.POLLIN)
        while ready := dict(poll.poll()):
            if beside is not None and beside in ready and not self._look_aside(beside):
                poll.unregister(beside)
            if said in ready and not self._listen(said):
                return

    def _look_aside(self, beside: int) -> bool:
        """Take in all that stands in the second output; return False at its end."""
        while True:
            try:
                more = os.read(beside, _AT_ONCE_BYTES)
            except BlockingIOError:
                return True
            if not more:
                return False
            self.aside += more[: _MOST_ASIDE_BYTES - len(self.aside)]

    def _listen(self, said: int) -> bool:
        """Take in all that was said; return False at its end."""
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
                    self.hear(raw.decode(errors="replace").rstrip()[:500])
