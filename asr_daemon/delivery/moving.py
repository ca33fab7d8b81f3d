"""Archived, where that is wished: a finished recording and its outputs move to ``ARCHIVE/INBOX/YYYY/MM/``.

The outputs move first and the recording last: while the recording lies in the inbox, the move is not finished
and is simply done again. On another file system a file is copied, made durable, read again and compared
before the original is removed. Nothing in the archive is ever overwritten: the second recording of a name in
a month is kept as ``NAME (2)``. Whoever may write into the archive, or into the inbox, leads nothing astray
by links: below their roots none is followed, and what was opened is what is worked in.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from asr_daemon.errors import InboxGoneError, RecordingGoneError, WriteFailedError
from asr_daemon.files.folders import FOLDER_FLAGS, fsync_folder, open_folder, stat_in
from asr_daemon.files.publish import write_error
from asr_daemon.files.syscalls import rename_without_replacing
from asr_daemon.files.temporary import hold, new_temporary_name
from asr_daemon.transcripts.names import fitting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from asr_daemon.inboxes.share import Shares

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
) -> dict[Path, Path]:
    """Move the files and return where each lies now, the recording last; called after a crash it finishes.

    ``when`` chooses the month; it must be the same each time (when the recording was finished, say). An
    output that is not there is passed over. ``root``: no link is followed below that folder of the sources'.

    Raises :class:`InboxGoneError` where the archive is not there (it is never created: its share may not be
    mounted), :class:`RecordingGoneError` where the recording is gone or changed, or what writing raises.
    """
    if not target_root.is_dir():
        raise InboxGoneError(f"the archive folder {target_root} is not there; create it, or mount its share")
    names = (_folder_name(inbox), f"{when:%Y}", f"{when:%m}")
    with contextlib.ExitStack() as open_folders:
        try:
            target_fd = _make_folder(target_root, names)
            open_folders.callback(os.close, target_fd)
            sources = [_source(path, root, open_folders) for path in (*outputs, recording)]
            targets = _free_names(recording, sources, target_fd)
            moved = {
                path: target
                for path, source, target in zip((*outputs, recording), sources, targets, strict=True)
                if _move(source, target, target_fd) or _is_file(stat_in(target_fd, target))
            }
        except OSError as error:
            raise write_error(target_root, error) from None
    if recording not in moved:
        raise RecordingGoneError(f"{recording.name!r} is gone, and not in the archive")
    return {path: target_root.joinpath(*names, target) for path, target in moved.items()}


def require_archive(target_root: Path, inbox: str, shares: Shares) -> None:
    """Raise :class:`InboxGoneError` where what an inbox has in its archive is not there: not mounted, say."""
    folder = target_root / _folder_name(inbox)
    if not shares.ask(target_root, folder.is_dir):
        raise InboxGoneError(f"the archive folder {folder} is not there; mount its share")


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that is to be moved, and its open folder."""

    name: str
    folder_fd: int  # -1: the folder is not there

    def stat(self) -> os.stat_result | None:
        return None if self.folder_fd < 0 else stat_in(self.folder_fd, self.name)


def _source(path: Path, root: Path | None, open_folders: contextlib.ExitStack) -> _Source:
    try:
        folder_fd = open_folder(path.parent, root)
    except FileNotFoundError:
        return _Source(path.name, -1)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise RecordingGoneError(f"{path.name!r} lies behind a link: links are not followed") from None
        raise
    open_folders.callback(os.close, folder_fd)
    return _Source(path.name, folder_fd)


def _folder_name(inbox: str) -> str:
    return inbox if inbox.strip(".") else "_" + inbox


def _make_folder(root: Path, names: Sequence[str]) -> int:
    """Make the folders below ``root``, with its rights, durably and without links; return the last, open."""
    at = open_folder(root)
    try:
        mode = stat.S_IMODE(os.fstat(at).st_mode)
        for name in names:
            is_new = _made(at, name)
            deeper = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=at)
            if is_new:
                with contextlib.suppress(OSError):
                    os.fchmod(deeper, mode)
                fsync_folder(at)
            os.close(at)
            at = deeper
    except OSError as error:
        os.close(at)
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise InboxGoneError(
                f"{name!r} in the archive folder {root} is no folder, or a link, which is not followed there"
            ) from None
        raise
    return at


def _made(folder_fd: int, name: str) -> bool:
    try:
        os.mkdir(name, dir_fd=folder_fd)
    except FileExistsError:
        return False
    return True


def _free_names(recording: Path, sources: Sequence[_Source], target_fd: int) -> list[str]:
    """Return names that belong to this recording alone: free, or of these very files already."""
    stem = recording.stem
    for number in itertools.count(1):
        mark = f" ({number})" if number > 1 else ""
        targets = []
        for source in sources:
            own_stem = stem if source.name.startswith(stem) else PurePath(source.name).stem
            targets.append(fitting(own_stem + mark, source.name[len(own_stem) :]))
        if not any(
            _is_in_the_way(source, target, target_fd) for source, target in zip(sources, targets, strict=True)
        ):
            return targets
    raise AssertionError  # pragma: no cover (the count has no end)


def _is_in_the_way(source: _Source, target: str, target_fd: int) -> bool:
    """Return whether the target is another file than the source, which was not moved yet."""
    there = stat_in(target_fd, target)
    return there is not None and source.stat() is not None and not _is_same(source, target, target_fd)


def _is_same(source: _Source, target: str, target_fd: int) -> bool:
    first, second = source.stat(), stat_in(target_fd, target)
    if first is None or second is None or not (_is_file(first) and _is_file(second)):
        return False
    if first.st_size != second.st_size:
        return False
    return os.path.samestat(first, second) or (
        _hash_at(source.name, source.folder_fd) == _hash_at(target, target_fd)
    )


def _is_file(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISREG(found.st_mode)


def _move(source: _Source, target: str, target_fd: int) -> bool:
    """Move one file; return False where the source was not there."""
    found = source.stat()
    if found is None:
        return False
    if not _is_file(found):
        raise RecordingGoneError(f"{source.name!r} is no regular file any more")
    try:
        if stat_in(target_fd, target) is not None and _is_same(source, target, target_fd):
            os.unlink(source.name, dir_fd=source.folder_fd)  # copied before a crash
        else:
            _move_between(source, target, target_fd)
        fsync_folder(target_fd)
        fsync_folder(source.folder_fd)
    except FileNotFoundError:
        return False
    return True


def _move_between(source: _Source, target: str, target_fd: int) -> None:
    try:
        rename_without_replacing(source.name, target, source_fd=source.folder_fd, target_fd=target_fd)
    except FileExistsError:
        raise WriteFailedError(f"{target!r} appeared in the archive meanwhile") from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_and_remove(source.folder_fd, source.name, target_fd, target)


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
        copied = 0
        while copied <= like.st_size and (block := os.read(fd, BLOCK_BYTES)):  # not for ever, if it grows
            digest.update(block)
            copied += len(block)
            if not any(block):  # a hole stays one: a file of nothing but holes would fill the archive
                os.lseek(copy, len(block), os.SEEK_CUR)
                continue
            left = memoryview(block)
            while left:
                left = left[os.write(copy, left) :]
        os.ftruncate(copy, copied)
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


def _refuse_change(name: str, before: os.stat_result, now: os.stat_result) -> None:
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (now.st_ino, now.st_size, now.st_mtime_ns):
        raise RecordingGoneError(f"{name!r} changed while it was archived")


def _refuse_difference(name: str, read: str, written: str) -> None:
    if read != written:
        raise WriteFailedError(f"the copy of {name!r} in the archive differs from it")
