"""Which programs beside ours hold the history open for writing: a database tool, a script, an old daemon.

Enters: the history's path and ``/proc``. Leaves: their names, ``sqlitebrowser (process 1234)``. Processes
that the caller may not look into are not seen.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def other_writers(history: Path, proc: Path) -> list[str]:
    """Return the programs that may write the history and are not this one."""
    try:
        wanted = history.stat()
    except OSError:
        return []
    return [
        f"{_name(process)} (process {process.name})"
        for process in proc.iterdir()
        if process.name.isdecimal()
        and not _is_ours(process)
        and any(_is_writing(process, fd) for fd in _open(process, wanted))
    ]


def _is_ours(process: Path) -> bool:
    """Whether it is this program, however it was started; who cannot be looked into counts as such.

    ``asr-daemon run``, ``python -X utf8 …/bin/asr-daemon run``, ``python -m asr_daemon``. A folder of our
    name in the arguments, as in ``sqlite3 /var/lib/asr-daemon/history.db``, is none of these.
    """
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return True
    return any(
        word.rpartition(b"/")[2] == b"asr-daemon" or word.split(b".")[0] == b"asr_daemon"
        for word in words[:4]
    )


def _name(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return "a program"


def _open(process: Path, wanted: os.stat_result) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                found = descriptor.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    yield descriptor.name


def _is_writing(process: Path, descriptor: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        for line in (process / "fdinfo" / descriptor).read_text(encoding="ascii").splitlines():
            if line.startswith("flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return False
