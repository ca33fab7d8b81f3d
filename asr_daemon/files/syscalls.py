"""The system calls that Python lacks and work in other people's folders needs: openat2, renameat2, inotify.

The first two have a slower, equally safe way where the kernel or a sandbox does not offer them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SYS_OPENAT2 = 437  # the same number on every architecture
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
AT_FDCWD = -100
IN_DELETE = 0x200
# What a seccomp filter or an old kernel answers in place of doing it; EAGAIN: a rename went on meanwhile.
NOT_OFFERED = frozenset({errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.EINVAL, errno.EAGAIN})
NO_SUCH_RENAME = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})
NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root_fd: int, relative: str, flags: int) -> int:
    """Open ``relative`` below the folder ``root_fd``, following no link in any of its components.

    Raises ``OSError``: ``ELOOP`` (or ``ENOTDIR``) for a link, ``EXDEV`` for a path that leads out.
    """
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return _openat2(root_fd, relative, flags)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
    return open_stepwise(root_fd, relative, flags)


def _openat2(root_fd: int, relative: str, flags: int) -> int:
    how = _OpenHow(flags, 0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH)
    arguments = (
        ctypes.c_long(SYS_OPENAT2),
        ctypes.c_int(root_fd),
        ctypes.c_char_p(os.fsencode(relative)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    while True:
        fd: int = _libc.syscall(*arguments)
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number), relative)


def open_stepwise(root_fd: int, relative: str, flags: int) -> int:
    """Do what :func:`open_beneath` does with one ``openat(O_NOFOLLOW)`` a component."""
    *folders, name = relative.split("/")
    if ".." in (*folders, name):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
    at = os.dup(root_fd)
    try:
        for folder in folders:
            if folder in ("", "."):
                continue
            deeper = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = deeper
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


def rename_without_replacing(source: str, target: str, *, source_fd: int, target_fd: int) -> None:
    """Rename between two open folders; raises ``FileExistsError`` where the target's name is taken.

    Atomic by ``renameat2(RENAME_NOREPLACE)``; on file systems without it (NFS) by link and unlink; on those
    without hard links either (SMB, FAT) by a look and a rename, which leaves a moment between the two.
    """
    if _renameat2(source_fd, source, target_fd, target, RENAME_NOREPLACE):
        return
    try:
        os.link(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
    else:
        os.unlink(source, dir_fd=source_fd)
        return
    with contextlib.suppress(FileNotFoundError):
        os.stat(target, dir_fd=target_fd, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)


def exchange(one: Path, other: Path) -> None:
    """Let two folders of one file system change their names.

    Atomic by ``renameat2(RENAME_EXCHANGE)``; on file systems without it (NFS, SMB) by three renames, between
    which ``other`` is not there for a moment.
    """
    if _renameat2(AT_FDCWD, os.fspath(one), AT_FDCWD, os.fspath(other), RENAME_EXCHANGE):
        return
    aside = one.with_name(f"{one.name}.aside")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def _renameat2(source_fd: int, source: str, target_fd: int, target: str, flag: int) -> bool:
    """Return whether the kernel and the file system did it; False where they do not offer it."""
    if not hasattr(_libc, "renameat2"):
        return False
    done = _libc.renameat2(
        ctypes.c_int(source_fd),
        ctypes.c_char_p(os.fsencode(source)),
        ctypes.c_int(target_fd),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(flag),
    )
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number not in NO_SUCH_RENAME:
        raise OSError(number, os.strerror(number), source, None, target)
    return False


def probe_inotify(folder: Path) -> None:
    """Ask the kernel for one more file watch and give it back.

    Raises ``OSError``: ``ENOSPC`` where this user's watches are used up, ``EMFILE`` where the instances are.
    """
    fd = _checked(_libc.inotify_init1(ctypes.c_int(os.O_CLOEXEC)), folder)
    try:
        _checked(
            _libc.inotify_add_watch(ctypes.c_int(fd), os.fsencode(folder), ctypes.c_uint32(IN_DELETE)), folder
        )
    finally:
        os.close(fd)


def _checked(answer: int, path: Path) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return answer
