"""Whether the state folder can be written: else nothing is begun, however idle it looks.

Enters: the folder. Leaves: one sentence, or "".
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asr_daemon.sentence import Sentence

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
        return Sentence(
            f"the state folder {folder} cannot be used: {error.strerror}",
            "系统的数据文件夹打不开，转写暂停。请联系管理员。",
        )
    if found.f_flag & os.ST_RDONLY:
        return Sentence(
            f"the state folder {folder} lies on a disk that is mounted read-only: nothing can be recorded",
            "系统的数据磁盘是只读的，转写暂停。请联系管理员。",
        )
    free_bytes = found.f_bavail * found.f_frsize
    if free_bytes < FULL_BYTES:
        return Sentence(
            f"the disk of the state folder {folder} is full ({free_bytes // 1024} KiB free): "
            "nothing can be recorded until there is room",
            "服务器的磁盘空间已满，转写暂停；有空间后会自动继续。请联系管理员。",
        )
    if found.f_files and not found.f_favail:
        return Sentence(
            f"the disk of the state folder {folder} has no room for further files (inodes)",
            "服务器的磁盘不能再建新文件，转写暂停。请联系管理员。",
        )
    return ""
