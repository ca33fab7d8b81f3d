"""Found: which files of a folder are recordings, and whether the folder is really there.

Enters: an inbox's folder. Leaves: :class:`Candidate` after :class:`Candidate`, nothing opened or read.
May fail with :class:`~asr_daemon.errors.InboxGoneError`; a sub-folder that cannot be read is reported and
passed over.

What is a recording: a regular file with the suffix of a sound or video format. Symbolic links are not
followed, whatever they point to; FIFOs, sockets and devices are no candidates. A hard link is a file like any
other: whoever made it could read or write what it names (the kernel's ``protected_hardlinks``), and NAS
snapshots and deduplication make them by the thousand; two names of one inode get two transcripts of one
recognition.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.files.syscalls import open_beneath
from asr_daemon.files.temporary import is_stale_temporary
from asr_daemon.formats import SUFFIXES
from asr_daemon.inboxes.presence import InboxPresence, check_presence, gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Candidate",
    "InboxPresence",
    "check_presence",
    "is_candidate",
    "is_inside",
    "is_junk_folder",
    "look_at",
    "scan",
]

# Half-written by their first letters: dot files (rsync, Syncthing, macOS), Office's, Syncthing's on Windows.
TEMPORARY_PREFIXES = (".", "~$", "~syncthing~")
# What a NAS or an operating system keeps for itself, in lower case; folders that begin with a dot, too.
JUNK_FOLDERS = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@sharesnap"),  # Synology
        *("@recycle", "@recently-snapshot", "@transcode"),  # QNAP
        *("$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx"),
    )
)
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording as the folder shows it.

    ``path`` holds invalid UTF-8 as surrogates, which ``os.fsencode`` undoes.
    """

    path: Path
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int
    ctime_ns: int = 0

    @property
    def signature(self) -> tuple[int, int]:
        """What must stay the same for a recording that is done to be unchanged: (size in bytes, mtime in ns).

        Inode and device are left out on purpose: network file systems number them anew with every mount, and
        a whole share would be read and hashed again after each restart of the machine.
        """
        return (self.size_bytes, self.mtime_ns)

    @property
    def restless_signature(self) -> tuple[int, ...]:
        """What must stay the same while a recording settles.

        ctime moves with every write, also where a copying program has set size and mtime beforehand.
        """
        return (self.size_bytes, self.mtime_ns, self.inode, self.device, self.ctime_ns)


def shown_name(path: Path) -> str:
    """Return the file's name as valid text, for logs and lists; bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def is_candidate(name: str) -> bool:
    """Return whether a file of that name is taken for a recording."""
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() in SUFFIXES and bool(stem) and not name.startswith(TEMPORARY_PREFIXES)


def is_junk_folder(name: str) -> bool:
    """Return whether a sub-folder of that name holds no one's recordings."""
    return name.startswith(".") or name.lower() in JUNK_FOLDERS


def look_at(path: Path) -> Candidate | None:
    """Return the candidate at that path as it is now, None where there is none (gone, a link, a FIFO ...)."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return candidate_of(path, found) if stat.S_ISREG(found.st_mode) and is_candidate(path.name) else None


def is_inside(path: Path, folder: Path, *, recursive: bool) -> bool:
    """Return whether an event's path lies where :func:`scan` would look."""
    try:
        parents = path.relative_to(folder).parts[:-1]
    except ValueError:
        return False
    return (recursive or not parents) and not any(is_junk_folder(part) for part in parents)


def scan(
    folder: Path,
    *,
    recursive: bool,
    on_problem: Callable[[Path, OSError], None] | None = None,
    is_known: Callable[[str, os.stat_result], bool] | None = None,
    on_temporary: Callable[[Path], None] | None = None,
) -> Iterator[Candidate]:
    """Yield every candidate below the folder, in no order.

    ``is_known(path, stat)`` may say cheaply that a file needs no further look (see
    :class:`~asr_daemon.inboxes.seen.SeenFiles`); ``on_temporary`` hears of files that a killed daemon left
    half-written; ``on_problem`` of sub-folders and files that cannot be looked at. Raises
    :class:`~asr_daemon.errors.InboxGoneError` where the folder itself cannot be.
    """
    try:
        root_fd = os.open(folder, FOLDER_FLAGS)
    except OSError as error:
        raise gone(folder, error) from None
    look = _Look(is_known, on_problem or _ignore, on_temporary or _ignore)
    pending = [""]
    try:
        while pending:
            relative = pending.pop()
            prefix = f"{folder}/{relative}/" if relative else f"{folder}/"
            try:
                found, sub_folders = look.into(root_fd, relative or ".", prefix)
            except OSError as error:
                if not relative:
                    raise gone(folder, error) from None
                look.on_problem(folder / relative, error)
                continue
            yield from found
            if recursive:
                pending += [f"{relative}/{name}" if relative else name for name in sub_folders]
    finally:
        os.close(root_fd)


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one folder: a tight loop, since an inbox may hold 100,000 finished recordings."""

    is_known: Callable[[str, os.stat_result], bool] | None
    on_problem: Callable[[Path, OSError], None]
    on_temporary: Callable[[Path], None]

    def into(self, root_fd: int, relative: str, prefix: str) -> tuple[list[Candidate], list[str]]:
        """Return the folder's candidates that are not known, and its sub-folders' names.

        It is opened below the inbox's descriptor: a folder that is swapped for a link meanwhile is not
        followed out of the inbox.
        """
        found: list[Candidate] = []
        folders: list[str] = []
        fd = open_beneath(root_fd, relative, FOLDER_FLAGS)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    name = entry.name
                    if is_candidate(name):
                        if entry.is_file(follow_symlinks=False):
                            self._consider(entry, prefix, found)
                    elif entry.is_dir(follow_symlinks=False):
                        if not is_junk_folder(name):
                            folders.append(name)
                    elif name[0] == "." and is_stale_temporary(name):
                        self.on_temporary(Path(prefix + name))
        finally:
            os.close(fd)
        return found, folders

    def _consider(self, entry: os.DirEntry[str], prefix: str, found: list[Candidate]) -> None:
        path = prefix + entry.name
        try:
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since its folder was read
            return
        except OSError as error:
            self.on_problem(Path(path), error)
            return
        if (self.is_known is None or not self.is_known(path, seen)) and stat.S_ISREG(seen.st_mode):
            found.append(candidate_of(Path(path), seen))


def candidate_of(path: Path, found: os.stat_result) -> Candidate:
    """Return the candidate that a file's stat shows."""
    return Candidate(
        path=path,
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        device=found.st_dev,
        ctime_ns=found.st_ctime_ns,
    )
