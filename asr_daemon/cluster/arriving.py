"""A recording on its way into a machine's memory: never on a disk there, and what was queued or nothing.

Enters: pieces, one after the other, or a file that this machine sees as well. Leaves: a descriptor that
nobody can write to any more. Fails with :class:`~asr_daemon.errors.RecordingGoneError` where the whole is
not what was hashed when it was queued.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.errors import ReadFailedError, RecordingGoneError
from asr_daemon.inboxes.candidate import mtime_of
from asr_daemon.inboxes.fingerprint import READ_BYTES, open_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.dispatch.protocol import Source

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
CHANGED = "The recording was changed after it had been queued."


class Arriving:
    """One recording; belongs to one thread, but :meth:`close` may be called by any."""

    def __init__(self, source: Source) -> None:
        self.fd = os.memfd_create("recording", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._source = source
        self._digest = hashlib.sha256()
        self._arrived_bytes = 0

    @property
    def is_whole(self) -> bool:
        """Whether every byte is there."""
        return not self._missing_bytes

    @property
    def _missing_bytes(self) -> int:
        return self._source.size_bytes - self._arrived_bytes

    def add(self, offset: int, data: bytes) -> None:
        """Take the next piece; raises ``ValueError`` where it is not that."""
        if offset != self._arrived_bytes or offset + len(data) > self._source.size_bytes:
            raise ValueError(f"bytes from {offset} on are not those that come next")
        left = memoryview(data)
        while left:
            left = left[os.write(self.fd, left) :]
        self._digest.update(data)
        self._arrived_bytes += len(data)

    def copy(self, on_bytes: Callable[[], None]) -> None:
        """Take all of the file that the source names, as this machine sees it; ``on_bytes`` hears of pieces.

        Raises :class:`~asr_daemon.errors.JobError` where it is not there, or is another: then nothing of it
        was taken.
        """
        path, root = Path(self._source.path), Path(self._source.root)
        if not path.is_relative_to(root):
            raise RecordingGoneError(f"{path.name!r} is not below the folder that it is said to be below")
        fd = open_recording(path, root)
        try:
            found = os.fstat(fd)
            if (found.st_size, mtime_of(found)) != (self._source.size_bytes, self._source.mtime_ns):
                raise RecordingGoneError("its size or its time is another one there")
            while block := os.pread(fd, min(READ_BYTES, self._missing_bytes), self._arrived_bytes):
                self.add(self._arrived_bytes, block)
                on_bytes()
            if not self.is_whole or not self._is_what_was_queued:
                raise RecordingGoneError("its content is another one there")
        except OSError as error:
            raise ReadFailedError(f"reading it failed: {error.strerror}") from None
        finally:
            os.close(fd)

    @property
    def _is_what_was_queued(self) -> bool:
        return self._digest.hexdigest() == self._source.sha256

    def finish(self) -> None:
        """Compare the whole; from now on nobody can write to it."""
        if not self.is_whole or not self._is_what_was_queued:
            raise RecordingGoneError(CHANGED)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def close(self) -> None:
        """Let go of it: who holds another descriptor keeps it."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)
