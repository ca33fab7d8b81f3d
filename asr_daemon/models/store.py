"""The models folder as a place to put models into: each whole and verified, or not at all.

What is on its way lies two folders deep, in ``.incoming``, on the same file system, where no one takes it for
a model; it is renamed when every byte of it was compared and is on the disk. Fails with
:class:`~asr_daemon.errors.OperatorError`: a folder that may not be written, a full disk, a model in the way.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from typing import TYPE_CHECKING, BinaryIO

from asr_daemon.errors import ModelMissingError, OperatorError
from asr_daemon.files.folders import fsync_folder
from asr_daemon.files.syscalls import exchange
from asr_daemon.models.manifest import MANIFEST_NAME, encode_manifest, read_manifest
from asr_daemon.models.soundness import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.models.manifest import Manifest

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_FORBIDDEN = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
_RESERVED = frozenset(("auto", "builtin", "paraformer-tiny-zh"))
_INCOMING = ".incoming"
_LOCK = "lock"
_SPARE_BYTES = 64 << 20  # left free beside what is fetched


@contextlib.contextmanager
def open_store(models_dir: Path) -> Iterator[Path]:
    """Have the models folder to oneself while it is changed; yield where to put what is on its way.

    Failures of the disk become one sentence.
    """
    with disk_sentences(models_dir):
        incoming = models_dir / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        with _opened(incoming, os.O_NOFOLLOW) as folder, _open_lock(folder) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperatorError(
                    f"another `models` command is changing {models_dir}: wait for it"
                ) from None
            yield incoming


def _open_lock(folder: int) -> BinaryIO:
    """Open the lock of an open folder, and nothing that was put in its place."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(_LOCK, flags, 0o600, dir_fd=folder), "rb")


@contextlib.contextmanager
def disk_sentences(folder: Path) -> Iterator[None]:
    """Turn ``OSError`` into the sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OperatorError(
                f"the disk of {folder} is full: make room, then give the same command again; "
                "no model was changed, and the next try resumes from what was fetched"
            ) from error
        if error.errno in _FORBIDDEN:
            raise OperatorError(
                f"{error.filename or folder} cannot be written ({error.strerror}): {folder} is a read-only "
                "share, or another user's; do it where it may be written, or set another models.dir"
            ) from error
        raise OperatorError(f"{error.filename or folder}: {error.strerror}") from error


def checked_name(name: str) -> str:
    """Return the name where a model folder may be called that."""
    if name in _RESERVED or name.startswith(".") or "/" in name or "\0" in name or not name.strip():
        raise OperatorError(f"{name!r} is no name for a model folder")
    return name


def require_room(folder: Path, wanted_bytes: int) -> None:
    """Raise where the disk has less room than that."""
    free_bytes = shutil.disk_usage(folder).free
    if wanted_bytes + _SPARE_BYTES > free_bytes:
        raise OperatorError(
            f"{wanted_bytes / 1e6:,.0f} MB are needed in {folder}, "
            f"{free_bytes / 1e6:,.0f} MB are free: make room"
        )


def require_replaceable(target: Path, *, force: bool) -> None:
    """Raise where a folder is there that nobody wants to lose unasked: one that was placed by hand."""
    if force or not os.path.lexists(target):
        return
    try:
        manifest = read_manifest(target)
    except ModelMissingError:  # damaged: to be replaced
        return
    if manifest is None:
        raise OperatorError(
            f"{target} is there already, placed by hand: `asr-daemon models adopt {target.name}` keeps it, "
            "--force replaces it"
        )


def is_sound(folder: Path) -> bool:
    """Return whether the folder is exactly what its manifest says."""
    try:
        manifest = read_manifest(folder)
    except ModelMissingError:
        return False
    return manifest is not None and next(faults(folder, manifest), None) is None


def install(staging: Path, target: Path, manifest: Manifest) -> None:
    """Make a complete folder the model: manifest written, all on the disk, then one rename."""
    (staging / MANIFEST_NAME).write_bytes(encode_manifest(manifest))
    _settle(staging)
    with _opened(target.parent) as parent_fd:
        if os.path.lexists(target):
            exchange(staging, target)
            fsync_folder(parent_fd)
            discard(staging)
        else:
            staging.rename(target)
        fsync_folder(parent_fd)


def discard(path: Path) -> None:
    """Remove a folder, or a link to one, whatever became of it."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Let everybody read (the service is another user than who pulls) and make all of it durable."""
    for parent, _folders, files in os.walk(folder, topdown=False):
        for name in files:
            fd = os.open(os.path.join(parent, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # noqa: PTH118
            try:
                os.fchmod(fd, 0o644)
                os.fsync(fd)
            finally:
                os.close(fd)
        with _opened(parent) as fd:
            os.fchmod(fd, 0o755)
            fsync_folder(fd)


@contextlib.contextmanager
def _opened(folder: Path | str, more_flags: int = 0) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | more_flags)
    try:
        yield fd
    finally:
        os.close(fd)
