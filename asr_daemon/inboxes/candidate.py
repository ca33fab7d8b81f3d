"""What may be a recording: a regular file that its suffix tells, or that is to be looked into.

A suffix of a sound or video format tells enough. What has another one, none, or one that other programs use
as well (``.ts``, ``.dat``), is looked into once it is settled, when it is opened anyway; see
:mod:`asr_daemon.inboxes.admission`. What this program writes itself, half-written files and what a NAS keeps
for itself are neither.

Symbolic links are not followed, whatever they point to; FIFOs, sockets and devices are no candidates. A hard
link is a file like any other: whoever made it could read or write what it names (the kernel's
``protected_hardlinks``), and NAS snapshots and deduplication make them by the thousand; two names of one
inode get two transcripts of one recognition.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.files.formats import SHARED_SUFFIXES, SUFFIXES
from asr_daemon.files.junk import JUNK_FILES
from asr_daemon.history.recordings import Look
from asr_daemon.printable import valid_text

if TYPE_CHECKING:
    import os
    from pathlib import Path

# Half-written by their first letters: dot files (rsync, Syncthing, macOS), Office's, Syncthing's on Windows.
TEMPORARY_PREFIXES = (".", "~$", "~syncthing~")
_TELLING = SUFFIXES - SHARED_SUFFIXES
_NEVER = frozenset(
    (
        *("txt", "srt", "vtt", "json", "md", "docx"),  # what is written beside recordings
        *(
            "part",
            "partial",
            "filepart",
            "tmp",
            "temp",
            "crdownload",
            "download",
            "opdownload",
            "!ut",
            "aria2",
        ),
    )
)
# One table, since a scan asks of each name.
_IS_TOLD = {**dict.fromkeys(_TELLING, True), **dict.fromkeys(_NEVER, False)}
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1  # SQLite's integers


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
    def needs_look(self) -> bool:
        """Whether only its content can tell if it is a recording."""
        return not is_told_by_name(self.path.name)

    @property
    def look(self) -> Look:
        """What the history keeps of it."""
        name = valid_text(self.path.name)
        return Look(self.path, name, self.size_bytes, self.mtime_ns, self.inode, self.device)

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
    """Return whether a file of that name may be a recording: told by its suffix, or to be looked into."""
    stem, _, suffix = name.rpartition(".")
    is_told = _IS_TOLD.get(suffix.lower()) if stem else None
    if is_told is False or name.startswith(TEMPORARY_PREFIXES):
        return False
    return is_told or name.lower() not in JUNK_FILES


def is_told_by_name(name: str) -> bool:
    """Return whether a candidate's suffix is that of a sound or video format and of nothing else."""
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() in _TELLING and bool(stem)


def look_at(path: Path) -> Candidate | None:
    """Return the candidate at that path as it is now, None where there is none (gone, a link, a FIFO ...)."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return candidate_of(path, found) if stat.S_ISREG(found.st_mode) and is_candidate(path.name) else None


def candidate_of(path: Path, found: os.stat_result) -> Candidate:
    """Return the candidate that a file's stat shows."""
    return Candidate(
        path=path,
        size_bytes=found.st_size,
        mtime_ns=mtime_of(found),
        inode=_signed(found.st_ino),
        device=_signed(found.st_dev),
        ctime_ns=found.st_ctime_ns,
    )


def mtime_of(found: os.stat_result) -> int:
    """Return when a file was changed, in nanoseconds, as the history can keep it: in 64 bits with a sign.

    Those end in 2262; ext4 knows times until 2446, and SMB servers hand out 1601 and 30828. Whoever compares
    with what the history says asks here.
    """
    at_ns = found.st_mtime_ns
    if _LEAST <= at_ns <= _MOST:  # asked of each file at each scan
        return at_ns
    return _LEAST if at_ns < _LEAST else _MOST


def restless_signature_of(found: os.stat_result) -> tuple[int, ...]:
    """Return the :attr:`Candidate.restless_signature` that a file's stat shows."""
    inode, device = _signed(found.st_ino), _signed(found.st_dev)
    return (found.st_size, mtime_of(found), inode, device, found.st_ctime_ns)


def _signed(number: int) -> int:
    """Return a number of 64 bits without a sign, as network file systems give inodes, as one with a sign."""
    return number - (1 << 64) if number > _MOST else number
