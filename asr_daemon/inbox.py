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

from asr_daemon.presence import InboxPresence, check_presence, gone
from asr_daemon.syscalls import open_beneath
from asr_daemon.temporary import is_stale_temporary

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

SUFFIXES = frozenset(
    """
    wav wave w64 rf64 mp3 mp2 m4a m4b aac flac ogg oga opus spx amr awb wma weba aif aiff aifc caf ac3 mka ape
    au dss mp4 m4v mov qt mkv webm avi wmv asf flv f4v 3gp 3gpp 3ga 3g2 mpg mpeg mts m2ts ogv
    """.split()  # noqa: SIM905 (a list would be fifty lines)
)
# Half-written or foreign by their first letters: dot files (rsync, Syncthing, macOS), Office's, Windows'.
TEMPORARY_PREFIXES = (".", "~$", "~syncthing~", "$", "~tmp")
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
    return _candidate(path, found) if stat.S_ISREG(found.st_mode) and is_candidate(path.name) else None


def is_inside(path: Path, folder: Path, *, recursive: bool) -> bool:
    """Return whether an event's path lies where :func:`scan` would look."""
    try:
        parents = path.relative_to(folder).parts[:-1]
    except ValueError:
        return False
    return (recursive or not parents) and not any(is_junk_folder(part) for part in parents)


def scan(  # noqa: C901 (one loop, one decision an entry)
    folder: Path,
    *,
    recursive: bool,
    on_problem: Callable[[Path, OSError], None] | None = None,
    is_known: Callable[[str, os.stat_result], bool] | None = None,
    on_temporary: Callable[[Path], None] | None = None,
) -> Iterator[Candidate]:
    """Yield every candidate below the folder, in no order.

    ``is_known(path, stat)`` may say cheaply that a file needs no further look (see
    :class:`~asr_daemon.seen.SeenFiles`); ``on_temporary`` hears of files that a killed daemon left
    half-written; ``on_problem`` of sub-folders that cannot be read. Raises
    :class:`~asr_daemon.errors.InboxGoneError` where the folder itself cannot be.
    """
    try:
        root_fd = os.open(folder, FOLDER_FLAGS)
    except OSError as error:
        raise gone(folder, error) from None
    pending = [""]
    try:
        while pending:
            relative = pending.pop()
            prefix = f"{folder}/{relative}/" if relative else f"{folder}/"
            try:
                for entry in _entries(root_fd, relative):
                    name = entry.name
                    if is_candidate(name):
                        found = _stat_of_file(entry)
                        if found and not (is_known and is_known(prefix + name, found)):
                            yield _candidate(Path(prefix + name), found)
                    elif recursive and entry.is_dir(follow_symlinks=False):
                        if not is_junk_folder(name):
                            pending.append(f"{relative}/{name}" if relative else name)
                    elif on_temporary and is_stale_temporary(name):
                        on_temporary(Path(prefix + name))
            except OSError as error:
                if not relative:
                    raise gone(folder, error) from None
                if on_problem:
                    on_problem(folder / relative, error)
    finally:
        os.close(root_fd)


def _entries(root_fd: int, relative: str) -> Iterator[os.DirEntry[str]]:
    """Yield one folder's entries, opened below the inbox's descriptor.

    So a folder that is swapped for a link meanwhile is not followed out of the inbox.
    """
    fd = open_beneath(root_fd, relative or ".", FOLDER_FLAGS)
    try:
        with os.scandir(fd) as entries:
            yield from entries
    finally:
        os.close(fd)


def _stat_of_file(entry: os.DirEntry[str]) -> os.stat_result | None:
    if not entry.is_file(follow_symlinks=False):
        return None
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # gone since its folder was read
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _candidate(path: Path, found: os.stat_result) -> Candidate:
    return Candidate(
        path=path,
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        device=found.st_dev,
        ctime_ns=found.st_ctime_ns,
    )
