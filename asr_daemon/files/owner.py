"""Whose a folder is, and doing the work in it as that user: what root does there, the owner could have done.

Who may write into a folder decides what its names lead to: a link in place of a lock, a folder in place of a
file. Root would follow them with root's rights, and what it makes there its owner could not use. So root
becomes the owner first. Enters: a path. Leaves: the effective user changed, for a while or for good. Nothing
happens where the caller is not root, or root alone rules there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_LINKS = 40  # as the kernel


@dataclass(frozen=True, slots=True)
class Owner:
    """A user who decides what a path leads to."""

    user: int
    group: int
    groups: tuple[int, ...]
    home: str = ""  # "" of one without an entry

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of(self.user)


def owner_of(path: Path, more_groups: Sequence[int] = ()) -> Owner | None:
    """Return the first user but root who rules on the way to ``path``; None where there is none.

    That is the owner of the first folder from / down that is not root's, whatever lies below it: who owns a
    folder may put another one in the place of each in it. Who owns a file does not rule over its name.
    ``more_groups`` are those of the service's unit.
    """
    found = _first_not_of_root(Path(os.path.abspath(path)), _MOST_LINKS)
    if found is None:
        return None
    try:
        entry = pwd.getpwuid(found.st_uid)
    except KeyError:  # as in a container: a number without a name
        return Owner(found.st_uid, found.st_gid, (found.st_gid, *more_groups))
    own = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Owner(entry.pw_uid, entry.pw_gid, tuple(dict.fromkeys((*own, *more_groups))), entry.pw_dir)


def _first_not_of_root(path: Path, links_left: int) -> os.stat_result | None:
    for each in (*reversed(path.parents), path):
        try:
            found = os.lstat(each)
        except OSError:  # what is not there yet will be made by whoever rules so far
            return None
        if stat.S_ISLNK(found.st_mode) and links_left:  # in a folder of root's: its target counts
            target = Path(os.path.normpath(each.parent / each.readlink()))
            if (ruler := _first_not_of_root(target, links_left - 1)) is not None:
                return ruler
        elif found.st_uid != 0 and stat.S_ISDIR(found.st_mode):
            return found
    return None


@contextlib.contextmanager
def as_owner_of(path: Path, more_groups: Sequence[int] = ()) -> Iterator[None]:
    """Be the user who rules at ``path`` meanwhile, with all threads; see :func:`owner_of`.

    The way back stays open, so whatever is started meanwhile might find it, too: children need
    :func:`become_for_good`.
    """
    owner = owner_of(path, more_groups) if os.geteuid() == 0 else None
    before = (os.getgroups(), os.getegid())
    if owner is None or not _become(owner):
        yield
        return
    try:
        yield
    finally:
        if os.getuid() == 0:  # not for good meanwhile
            os.seteuid(0)
            os.setegid(before[1])
            os.setgroups(before[0])


def become_owner_of(path: Path, more_groups: Sequence[int] = ()) -> Owner | None:
    """Be the user who rules at ``path`` from now on; return it, None where nothing had to change.

    :func:`as_caller` still goes back, until :func:`become_for_good`.
    """
    owner = owner_of(path, more_groups) if os.geteuid() == 0 else None
    return owner if owner is not None and _become(owner) else None


def _become(owner: Owner) -> bool:
    """Change the effective user; False where the system does not let even root (a name space without it)."""
    before = (os.getgroups(), os.getegid())
    try:
        os.setgroups(owner.groups)
        os.setegid(owner.group)
        os.seteuid(owner.user)
    except OSError:
        os.setegid(before[1])
        with contextlib.suppress(OSError):
            os.setgroups(before[0])
        return False
    return True


def become_for_good() -> None:
    """Give up the way back: from now on this process, and what it starts, is the effective user alone."""
    user, group = os.geteuid(), os.getegid()
    if os.getuid() == user:
        return
    with contextlib.suppress(KeyError):
        os.environ["HOME"] = pwd.getpwuid(user).pw_dir
    groups = os.getgroups()
    os.seteuid(0)
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


@contextlib.contextmanager
def as_caller() -> Iterator[None]:
    """Be who called meanwhile: for the files that the caller named, not for what lies in others' folders."""
    user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
    if os.getuid() == user:
        yield
        return
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    try:
        yield
    finally:
        os.setgroups(groups)
        os.setegid(group)
        os.seteuid(user)


@contextlib.contextmanager
def for_caller(path: Path) -> Iterator[None]:
    """Have the rights by which a path that the caller named is opened: the caller's own.

    Where another user rules, that user's: a link that lies there is followed with no others.
    """
    with as_caller(), as_owner_of(path):
        yield


def open_named(path: Path) -> BinaryIO:
    """Open a file for reading that the caller named, :func:`for_caller`.

    Raises ``OSError``, also for what is no regular file: a FIFO would be waited for.
    """
    with for_caller(path):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
    return os.fdopen(fd, "rb")


def name_of(user: int) -> str:
    """Return what people call the user of that number."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
