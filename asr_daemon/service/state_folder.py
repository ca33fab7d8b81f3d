"""The state folder: one daemon holds it at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shlex
import stat
from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError, StateFolderHeldError
from asr_daemon.files.mounts import filesystem_type, is_network_type
from asr_daemon.files.owner import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

LOCK = "lock"
# O_NONBLOCK: a FIFO in its place is refused, not waited for.
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class StateFolder:
    """A lock on the folder, given back by the kernel however the process ends."""

    def __init__(self, path: Path, *, fs_type_of: Callable[[Path], str] = filesystem_type) -> None:
        self.path = path
        self._fs_type_of = fs_type_of
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises :class:`~asr_daemon.errors.StateFolderHeldError`, naming the holder.
        """
        descriptor = self._open_lock()
        if is_network_type(fs_type := self._fs_type_of(self.path)):
            os.close(descriptor)
            raise OperatorError(
                f"the state folder {self.path} lies on a network file system ({fs_type}), where SQLite's "
                "locks do not hold: set daemon.state_dir to a local disk"
            )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StateFolderHeldError(
                f"another asr-daemon (process {holder}) holds the state folder {self.path}: "
                "stop it first, or use another daemon.state_dir"
            ) from None
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the number is only for the message above
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def _open_lock(self) -> int:
        """Open the lock, and nothing that was put in its place."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                descriptor = os.open(LOCK, _LOCK_FLAGS, 0o600, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise OperatorError(
                f"the state folder {self.path} cannot be used ({error.strerror}): {self._advice(error)}"
            ) from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            os.close(descriptor)
            raise OperatorError(f"{self.path / LOCK} is no file of asr-daemon's own: remove it")
        return descriptor

    def _advice(self, error: OSError) -> str:
        lock = self.path / LOCK
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            return f"{lock} is no file of asr-daemon's own: remove it"
        with contextlib.suppress(OSError):
            folder, found = self.path.stat(), lock.lstat()
            if error.errno == errno.EACCES and found.st_uid != folder.st_uid:
                owner = name_of(folder.st_uid)
                return (
                    f"{lock} belongs to {name_of(found.st_uid)}, the folder to {owner}: "
                    f"chown -R {owner}: {shlex.quote(str(self.path))}"
                )
        return "create it for this user, or set daemon.state_dir"

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
