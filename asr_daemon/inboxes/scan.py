"""Found: every recording below an inbox's folder, one after the other, nothing opened or read.

Enters: an inbox's folder. Leaves: one :class:`~asr_daemon.inboxes.candidate.Candidate` for each recording.
May fail with :class:`~asr_daemon.errors.InboxGoneError`; a sub-folder that cannot be read is reported and
passed over.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.files.folders import FOLDER_FLAGS
from asr_daemon.files.junk import is_junk_folder
from asr_daemon.files.syscalls import open_beneath
from asr_daemon.files.temporary import is_stale_temporary
from asr_daemon.inboxes.candidate import Candidate, candidate_of, is_candidate
from asr_daemon.inboxes.presence import gone
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Of a folder's path: beyond, what lies in it, or is written there, may have a path that the kernel refuses.
MOST_PATH_BYTES = 4095 - 256
MOST_SHOWN_CHARS = 200  # of a path in a sentence


def is_too_deep(folder: str | Path) -> bool:
    """Return whether a folder's path is too long for what may lie in it."""
    return len(os.fsencode(folder)) > MOST_PATH_BYTES


def is_inside(path: Path, folder: Path, *, recursive: bool) -> bool:
    """Return whether an event's path lies where :func:`scan` would look."""
    try:
        parents = path.relative_to(folder).parts[:-1]
    except ValueError:
        return False
    if is_too_deep(path.parent):
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
            if is_too_deep(prefix):
                look.on_problem(folder / relative, OSError(errno.ENAMETOOLONG, "the folder lies too deep"))
                continue
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
                    if entry.is_file(follow_symlinks=False):
                        if is_candidate(name):
                            self._consider(entry, prefix, found)
                        elif name[0] == "." and is_stale_temporary(name):
                            self.on_temporary(Path(prefix + name))
                    elif entry.is_dir(follow_symlinks=False) and not is_junk_folder(name):
                        folders.append(name)
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


def unreadable(path: Path, error: OSError) -> Sentence:
    """Return what is said of a folder that a scan cannot look into."""
    shown = shortened(path)
    return Sentence(f"{shown}: {error.strerror}", f"这个位置读不了，里面的录音看不到：{shown}")


def shortened(path: Path) -> str:
    """Return a path as a sentence can bear it: those in a share may be pages long."""
    text = str(path)
    return text if len(text) <= MOST_SHOWN_CHARS else f"{text[: MOST_SHOWN_CHARS - 40]}…{text[-39:]}"
