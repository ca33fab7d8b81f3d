"""What a container, or a unit, is allowed counts instead of what the machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr_daemon.dispatch.local_process import _child_environment
from asr_daemon.files.control_group import (
    cpu_quota,
    group_folders,
    memory_left_bytes,
    memory_limit_bytes,
    usable_cores,
)
from asr_daemon.recogniser.engine import choose_feeders, choose_threads

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
OURS = {"proc/self/cgroup": "0::/box/app\n"}
VERSION_1 = {"proc/self/cgroup": "4:memory:/docker/7f\n3:cpu,cpuacct:/docker/7f\n0::/\n"}


def system(root: Path, *parts: dict[str, str]) -> Path:
    """Write a system's files below a folder."""
    for files in parts:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/box/app/cpu.max": "150000 100000\n"}, 1.5),
        ({"sys/fs/cgroup/box/app/cpu.max": "max 100000\n"}, None),
        (
            {
                "sys/fs/cgroup/box/app/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/box/cpu.max": "50000 100000\n",
            },
            0.5,
        ),
        ({"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2.0),  # a container's: its own group is the mount
        ({}, None),
    ],
    ids=["own", "none", "the group above has less", "the mount itself", "no files"],
)
def test_quota_is_the_least_of_the_groups(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    """`cpus: 1.5`, or CPUQuota= of a slice above."""
    assert cpu_quota(system(tmp_path, OURS, files)) == quota


def test_version_1_of_a_container_is_found_at_the_mount(tmp_path: Path) -> None:
    """/proc/self/cgroup names the host's path there, and the mount shows the container's own group alone."""
    root = system(
        tmp_path,
        VERSION_1,
        {
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{512 * MIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{500 * MIB}\n",
            "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {400 * MIB}\n",
        },
    )
    assert cpu_quota(root) == 3.0
    assert memory_limit_bytes(root) == 512 * MIB
    assert memory_left_bytes(root) == 412 * MIB


def test_version_1_without_limits_has_none(tmp_path: Path) -> None:
    """-1, and the largest number of pages."""
    root = system(
        tmp_path,
        VERSION_1,
        {
            "sys/fs/cgroup/cpu/docker/7f/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/docker/7f/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/docker/7f/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert (cpu_quota(root), memory_limit_bytes(root), memory_left_bytes(root)) == (None, None, None)


def test_pages_of_files_that_were_read_do_not_count_as_taken(tmp_path: Path) -> None:
    """Hashing a large recording fills the group with its pages; a batch's memory is there all the same."""
    files = {
        "sys/fs/cgroup/box/app/memory.max": f"{1000 * MIB}\n",
        "sys/fs/cgroup/box/app/memory.current": f"{990 * MIB}\n",
        "sys/fs/cgroup/box/app/memory.stat": f"anon {90 * MIB}\ninactive_file {900 * MIB}\n",
        "sys/fs/cgroup/box/memory.max": "max\n",
        "sys/fs/cgroup/box/memory.current": f"{2000 * MIB}\n",
    }
    assert memory_left_bytes(system(tmp_path, OURS, files)) == 910 * MIB


@pytest.mark.parametrize(
    ("group", "folders"),
    [("/", [""]), ("/../..", [""]), ("/../../etc", [""]), ("/a/b", ["a", ""])],  # "b" is not seen here
)
def test_groups_above_are_looked_at_and_nothing_beside_them(
    tmp_path: Path, group: str, folders: list[str]
) -> None:
    """A container that shares its name space with another may be told a path that leads out."""
    mount = tmp_path / "sys/fs/cgroup"
    (mount / "a").mkdir(parents=True)
    system(tmp_path, {"proc/self/cgroup": f"0::{group}\n"})
    assert list(group_folders("cpu", tmp_path)) == [mount / name for name in folders]


@pytest.mark.parametrize(("quota", "threads"), [("50000", 1), ("150000", 2), ("300000", 3), ("900000", 4)])
def test_recogniser_takes_as_many_threads_as_its_quota_feeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, threads: int
) -> None:
    """More would be stopped for a part of each tenth of a second, all together."""
    system(tmp_path, OURS, {"sys/fs/cgroup/box/app/cpu.max": f"{quota} 100000\n"})
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    assert usable_cores(tmp_path) == threads
    monkeypatch.setattr("asr_daemon.recogniser.engine.usable_cores", lambda: usable_cores(tmp_path))
    assert choose_threads() == threads
    assert choose_threads(sharers=2) == max(1, threads // 2)
    assert choose_feeders("cuda:0", 1, None) == max(1, threads - 1)
    monkeypatch.setattr("asr_daemon.dispatch.local_process.usable_cores", lambda: usable_cores(tmp_path))
    assert _child_environment()["OPENBLAS_NUM_THREADS"] == str(threads)
