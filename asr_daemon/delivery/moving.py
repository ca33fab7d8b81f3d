"""Archived, where that is wished: a finished recording and its outputs move to ``ARCHIVE/INBOX/YYYY/MM/``.

The outputs move first and the recording last: while the recording lies in the inbox, the move is not finished
and is simply done again. On another file system a file is copied, made durable, read again and compared
before the original is removed. Nothing in the archive is ever overwritten: the second recording of a name in
a month is kept as ``NAME (2)``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
from typing import TYPE_CHECKING

from asr_daemon.delivery.names import fitting
from asr_daemon.errors import InboxGoneError, RecordingGoneError, WriteFailedError
from asr_daemon.files.publish import fsync_folder, open_folder, write_error
from asr_daemon.files.syscalls import rename_without_replacing
from asr_daemon.files.temporary import hold, new_temporary_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

BLOCK_BYTES = 1 << 20
SOURCE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def archive(
    recording: Path,
    outputs: Sequence[Path],
    target_root: Path,
    inbox: str,
    when: datetime,
    *,
    root: Path | None = None,
) -> tuple[Path, ...]:
    """Move the files and return where they lie now, outputs first; called again after a crash it finishes.

    ``when`` chooses the month; it must be the same each time (when the recording was finished, say). An
    output that is not there is passed over. ``root``: no link is followed below that folder of the sources'.

    Raises :class:`InboxGoneError` where the archive is not there (it is never created: its share may not be
    mounted), :class:`RecordingGoneError` where the recording is gone or changed, or what writing raises.
    """
    if not target_root.is_dir():
        raise InboxGoneError(f"the archive folder {target_root} is not there; create it, or mount its share")
    sources = [*outputs, recording]
    try:
        folder = _make_folder(target_root, (_folder_name(inbox), f"{when:%Y}", f"{when:%m}"))
        targets = _free_names(recording, sources, folder)
        moved = [
            target
            for source, target in zip(sources, targets, strict=True)
            if _move(source, target, root) or target.is_file()
        ]
    except OSError as error:
        raise write_error(target_root, error) from None
    if targets[-1] not in moved:
        raise RecordingGoneError(f"{recording.name!r} is gone, and not in the archive")
    return tuple(moved)


def _folder_name(inbox: str) -> str:
    return inbox if inbox.strip(".") else "_" + inbox


def _make_folder(root: Path, names: Sequence[str]) -> Path:
    """Make the folders below ``root``, with its rights, durably."""
    mode = stat.S_IMODE(root.stat().st_mode)
    folder = root
    for name in names:
        folder /= name
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            with contextlib.suppress(OSError):
                folder.chmod(mode)
            parent_fd = open_folder(folder.parent)
            try:
                fsync_folder(parent_fd)
            finally:
                os.close(parent_fd)
    return folder


def _free_names(recording: Path, sources: Sequence[Path], folder: Path) -> list[Path]:
    """Return targets that belong to this recording alone: free, or holding these very files already."""
    stem = recording.stem
    for number in itertools.count(1):
        mark = f" ({number})" if number > 1 else ""
        targets = []
        for source in sources:
            own_stem = stem if source.name.startswith(stem) else source.stem
            targets.append(folder / fitting(own_stem + mark, source.name[len(own_stem) :]))
        if not any(_is_in_the_way(source, target) for source, target in zip(sources, targets, strict=True)):
            return targets
    raise AssertionError  # pragma: no cover (the count has no end)


def _is_in_the_way(source: Path, target: Path) -> bool:
    """Return whether the target is another file than the source, which was not moved yet."""
    if not os.path.lexists(target) or not os.path.lexists(source):
        return False
    return not _is_same(source, target)


def _is_same(one: Path, other: Path) -> bool:
    first, second = one.lstat(), other.lstat()
    if not stat.S_ISREG(first.st_mode) or not stat.S_ISREG(second.st_mode):
        return False
    return first.st_size == second.st_size and (os.path.samestat(first, second) or _hash(one) == _hash(other))


def _move(source: Path, target: Path, root: Path | None) -> bool:
    """Move one file; return False where the source was not there."""
    source_fd = open_folder(source.parent, root)
    try:
        target_fd = open_folder(target.parent)
        try:
            _move_between(source_fd, source, target_fd, target)
            fsync_folder(target_fd)
            fsync_folder(source_fd)
        except FileNotFoundError:
            return False
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)
    return True


def _move_between(source_fd: int, source: Path, target_fd: int, target: Path) -> None:
    if not stat.S_ISREG(os.stat(source.name, dir_fd=source_fd, follow_symlinks=False).st_mode):
        raise RecordingGoneError(f"{source.name!r} is no regular file any more")
    if os.path.lexists(target) and _is_same(source, target):
        os.unlink(source.name, dir_fd=source_fd)  # copied before a crash
        return
    try:
        rename_without_replacing(source.name, target.name, source_fd=source_fd, target_fd=target_fd)
    except FileExistsError:
        raise WriteFailedError(f"{target.name!r} appeared in the archive meanwhile") from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_and_remove(source_fd, source.name, target_fd, target.name)


def _copy_and_remove(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Move a file to another file system: the original goes when its copy has been read back."""
    fd = os.open(source, SOURCE_FLAGS, dir_fd=source_fd)
    try:
        before = os.fstat(fd)
        temporary = new_temporary_name()
        try:
            digest = _copy(fd, before, temporary, target_fd)
            _refuse_difference(source, digest, _hash_at(temporary, target_fd))
            _refuse_change(source, before, os.stat(source, dir_fd=source_fd, follow_symlinks=False))
            rename_without_replacing(temporary, target, source_fd=target_fd, target_fd=target_fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=target_fd)
            raise
        fsync_folder(target_fd)
        _refuse_change(source, before, os.stat(source, dir_fd=source_fd, follow_symlinks=False))
        os.unlink(source, dir_fd=source_fd)
    finally:
        os.close(fd)


def _copy(fd: int, like: os.stat_result, name: str, folder_fd: int) -> str:
    """Write a durable copy with the original's times and rights; return the SHA-256 of what was read."""
    digest = hashlib.sha256()
    copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder_fd)
    try:
        hold(copy)
        while block := os.read(fd, BLOCK_BYTES):
            digest.update(block)
            left = memoryview(block)
            while left:
                left = left[os.write(copy, left) :]
        with contextlib.suppress(OSError):  # each as far as the service and the file system may
            os.fchown(copy, like.st_uid, like.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(copy, stat.S_IMODE(like.st_mode))
        with contextlib.suppress(OSError):
            os.utime(copy, ns=(like.st_atime_ns, like.st_mtime_ns))
        os.fsync(copy)
    finally:
        os.close(copy)
    return digest.hexdigest()


def _hash_at(name: str, folder_fd: int) -> str:
    fd = os.open(name, SOURCE_FLAGS, dir_fd=folder_fd)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # from the disk, not from memory
        digest = hashlib.sha256()
        while block := os.read(fd, BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest()
    finally:
        os.close(fd)


def _hash(path: Path) -> str:
    folder_fd = open_folder(path.parent)
    try:
        return _hash_at(path.name, folder_fd)
    finally:
        os.close(folder_fd)


def _refuse_change(name: str, before: os.stat_result, now: os.stat_result) -> None:
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (now.st_ino, now.st_size, now.st_mtime_ns):
        raise RecordingGoneError(f"{name!r} changed while it was archived")


def _refuse_difference(name: str, read: str, written: str) -> None:
    if read != written:
        raise WriteFailedError(f"the copy of {name!r} in the archive differs from it")
