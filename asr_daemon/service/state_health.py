"""Whether the state folder can be written: else nothing is begun, however idle it looks.

Enters: the folder. Leaves: one sentence, or "".
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FULL_BYTES = 1 << 20  # less is none: so much a transaction and its log may take


def folder_problem(folder: Path) -> str:
    """Return why nothing can be written there, "" where something can, or the folder is not there yet."""
    try:
        found = os.statvfs(folder)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"the state folder {folder} cannot be used: {error.strerror}"
    if found.f_flag & os.ST_RDONLY:
        return f"the state folder {folder} lies on a disk that is mounted read-only: nothing can be recorded"
    free_bytes = found.f_bavail * found.f_frsize
    if free_bytes < FULL_BYTES:
        return (
            f"the disk of the state folder {folder} is full ({free_bytes // 1024} KiB free): "
            "nothing can be recorded until there is room"
        )
    if found.f_files and not found.f_favail:
        return f"the disk of the state folder {folder} has no room for further files (inodes)"
    return ""
