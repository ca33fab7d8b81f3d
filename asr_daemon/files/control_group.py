"""What the control groups of this process leave it of the machine: processor time and memory.

In a container, and under ``CPUQuota=`` and ``MemoryMax=`` of a unit, the machine's own figures are no help:
``/proc/meminfo`` and the number of cores are the host's. Enters: ``/proc/self/cgroup`` and the files below
``/sys/fs/cgroup`` (version 2, else version 1, of each controller). Leaves: the least that this group, or one
above it, is allowed; None where there is no limit, or none that can be read. Nothing raises.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of Linux.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
_NO_LIMIT_BYTES = 1 << 60  # version 1 writes about 2^63 where there is none


def usable_cores(root: Path = ROOT) -> int:
    """Return how many threads can compute at once: the cores that the process may use, within its quota.

    A part of a core counts as a whole one: one and a half are used up by two threads, not by one (as Java and
    Go reckon, too).
    """
    quota = cpu_quota(root)
    cores = len(os.sched_getaffinity(0))
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return how many cores' time the groups allow (``cpu.max``; ``cpu.cfs_quota_us``)."""
    found = [quota for folder in group_folders("cpu", root) if (quota := _quota(folder)) is not None]
    return min(found, default=None)


def memory_limit_bytes(root: Path = ROOT) -> int | None:
    """Return how much memory the groups allow (``memory.max``; ``memory.limit_in_bytes``)."""
    found = [limit for folder in group_folders("memory", root) if (limit := _limit(folder)) is not None]
    return min(found, default=None)


def memory_left_bytes(root: Path = ROOT) -> int | None:
    """Return how much the groups' limits leave.

    What the kernel would give back at once counts as left: pages of files that were read and are not in use
    (``inactive_file``). A recording that was hashed just now would take the memory of a batch otherwise.
    """
    found = []
    for folder in group_folders("memory", root):
        limit = _limit(folder)
        used = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            found.append(max(0, limit - max(0, used - _unused_pages(folder))))
    return min(found, default=None)


def available_bytes(root: Path = ROOT) -> int | None:
    """Return what this process can still take of the machine's memory, within its groups' limits."""
    found = [
        int(line.split()[1]) * 1024
        for line in _lines(root / "proc/meminfo")
        if line.startswith("MemAvailable:")
    ]
    if (left := memory_left_bytes(root)) is not None:
        found.append(left)
    return min(found, default=None)


def group_folders(controller: str, root: Path = ROOT) -> Iterator[Path]:
    """Yield the folder of this process's group, then of each above it, as far as they can be seen here.

    In a container the mount shows a part of the tree, from the container's own group down.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        group = Path(os.path.normpath(mount / path.lstrip("/")))
        if not group.is_relative_to(mount):  # "/../.." is what lies above the part that is seen
            group = mount
        while True:
            if group.is_dir():
                yield group
            if group == mount:
                break
            group = group.parent


def _quota(folder: Path) -> float | None:
    words = " ".join(_lines(folder / "cpu.max")).split()
    if not words:
        words = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:  # noqa: PLR2004
        return None  # "max", or -1
    return int(words[0]) / int(words[1])


def _limit(folder: Path) -> int | None:
    limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
    return limit if limit is not None and limit < _NO_LIMIT_BYTES else None


def _unused_pages(folder: Path) -> int:
    words = [line.split() for line in _lines(folder / "memory.stat")]
    figures = {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}  # noqa: PLR2004
    return figures.get("total_inactive_file", figures.get("inactive_file", 0))  # the former is version 1's


def _number(*files: Path) -> int | None:
    """Return what the first of the files says that is there."""
    for file in files:
        if text := "".join(_lines(file)):
            return int(text) if text.isdigit() else None
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
