"""Every folder in one folder is a department: which there are, and which cannot be one.

Enters: the folder above them. Leaves: their names, and why the others are left out. Who may make a folder
there chooses its name, so a name is taken as it is or not at all; a link is none, wherever it leads. Nothing
raises: a folder that cannot be read, or a share that does not answer, is a problem in words.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.files.junk import is_junk_folder
from asr_daemon.printable import HARMFUL, printable, valid_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_DEPARTMENTS = 200  # each is watched and scanned by itself
MOST_ENTRIES = 10_000  # more are not looked at
WITHIN_S = 5.0  # a share that is merely slow answers sooner
LONGEST_NAME = 64  # of an inbox
_MEANS_EVERY = "*"  # in the rights of accesses
_hung: dict[Path, threading.Thread] = {}  # looks that have not come back; a share hangs for the whole process


@dataclass(frozen=True, slots=True)
class Listing:
    """What one look found."""

    inodes: Mapping[str, int] = field(default_factory=dict)  # of each department's folder, by its name
    refused: Mapping[str, str] = field(default_factory=dict)  # a name as it may be shown, and why not
    problem: str = ""  # why nothing could be seen


def list_departments(folder: Path, within_s: float = WITHIN_S) -> Listing:
    """Look into the folder; in a thread of its own, which is left behind where the share does not answer.

    Until that one comes back, everybody who asks hears so at once.
    """
    away = Listing(problem=f"the folder of the departments {folder} does not answer")
    if (hung := _hung.get(folder)) is not None and hung.is_alive():
        return away
    found: list[Listing] = []

    def look() -> None:
        try:
            found.append(_listed(folder))
        except OSError as error:
            found.append(Listing(problem=f"the folder of the departments {folder}: {error.strerror}"))

    thread = threading.Thread(target=look, name="departments", daemon=True)
    thread.start()
    thread.join(within_s)
    if not found:
        _hung[folder] = thread
        return away
    _hung.pop(folder, None)
    return found[0]


def _listed(folder: Path) -> Listing:
    inodes: dict[str, int] = {}
    refused: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= MOST_ENTRIES:
                break
            if not _is_meant(entry):
                continue
            if why := "it is a link" if entry.is_symlink() else _why_not(entry.name):
                refused[printable(valid_text(entry.name))] = why
            else:
                inodes[entry.name] = entry.inode()  # needs no call on what is mounted there
    return Listing(dict(sorted(inodes.items())), refused)


def _is_meant(entry: os.DirEntry[str]) -> bool:
    """Return whether somebody may take that for a department: a folder, or a link to one."""
    return not is_junk_folder(entry.name) and (entry.is_symlink() or entry.is_dir(follow_symlinks=False))


def _why_not(name: str) -> str:
    """Return why a folder of that name cannot be a department; "" where it can."""
    if len(name) > LONGEST_NAME:
        return f"its name has more than {LONGEST_NAME} characters"
    if HARMFUL.search(name):
        return "its name holds characters that cannot be shown, or is no UTF-8"
    if name != name.strip() or not re.search(r"\w", name) or name == _MEANS_EVERY:
        return "its name begins or ends with a space, or holds no letter"
    return ""
