"""The state folder: one daemon holds it at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError, StateFolderHeldError
from asr_daemon.files.mounts import filesystem_type, is_network_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self


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
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise OperatorError(
                f"the state folder {self.path} cannot be used ({error.strerror}): "
                "create it for this user, or set daemon.state_dir"
            ) from error
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

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
