"""Whether a folder may be written by this process, asked without writing, and why not.

Enters: a folder. Leaves: one sentence for the administrator, or "". A service that systemd starts sees every
folder read-only that was not opened to it then (``ProtectSystem=strict``), whatever its rights are.
"""

from __future__ import annotations

import contextlib
import grp
import os
import stat
from typing import TYPE_CHECKING

from asr_daemon.files.mounts import find_mount
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from pathlib import Path

RESTART = "run `asr-daemon install`, then `systemctl restart asr-daemon`"


def _closed(why: str, chinese: str) -> Sentence:
    return Sentence(why, f"系统不能在这个文件夹里写入文字稿：{chinese}")


def why_closed(folder: Path) -> str:
    """Return why nothing can be written into an existing folder, and what helps; "" where it can."""
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return ""
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return _why_read_only(folder)
        found = folder.stat()
    except OSError as error:
        return _closed(f"{folder} cannot be written: {error.strerror}", "文件夹打不开。请联系管理员。")
    if found.st_mode & stat.S_IWGRP and found.st_gid not in {os.getegid(), *os.getgroups()}:
        return _closed(
            f"{folder} cannot be written: its group {_group(found.st_gid)} may, and this service is not in "
            f"it; {RESTART}",
            "服务还没有加入有权限的用户组。请管理员运行 asr-daemon install 并重启服务。",
        )
    return _closed(
        f"{folder} cannot be written: permission denied; `sudo asr-daemon check` names the fix",
        "没有写入权限。请管理员运行 asr-daemon check 查看办法。",
    )


def _why_read_only(folder: Path) -> str:
    mount = find_mount(folder)
    if mount is not None and mount.is_read_only:
        return _closed(
            f"{folder} cannot be written: it lies on a file system that is mounted read-only "
            f"({mount.fs_type}, {mount.source}); mount it for writing",
            "共享以只读方式挂载。请管理员改为可写。",
        )
    return _closed(
        f"{folder} cannot be written: it was made, or configured, after the service was started, which sees "
        f"it read-only until then; {RESTART}",
        "这个文件夹是服务启动之后才有的。请管理员运行 asr-daemon install 并重启服务。",
    )


def _group(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)
