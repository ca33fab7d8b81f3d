"""A recogniser that outgrows the service's memory: the kernel ends it, never the daemon."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attack import FAILED, AttackedDaemon, recording

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

MEMORY = Path("/sys/fs/cgroup/memory")
LIMIT_MIB = 300  # ample for the daemon and a recogniser that behaves
TOO_MUCH_MIB = 2 * LIMIT_MIB


@pytest.fixture
def limited() -> Iterator[tuple[str, ...]]:
    """Yield a command's prefix that puts it into a control group with that limit."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = next((line.split(":", 2)[2] for line in lines if line.split(":")[1] == "memory"), None)
    if own is None or os.geteuid() != 0:
        pytest.skip("needs root and cgroup v1's memory controller (with v2, only systemd may make groups)")
    group = MEMORY / own.lstrip("/") / f"asr-daemon-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(LIMIT_MIB << 20), encoding="ascii")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group))
    eventually(lambda: not (group / "cgroup.procs").read_text(encoding="ascii"), what="the group's emptiness")
    group.rmdir()


def test_the_kernel_ends_the_recogniser_and_the_daemon_goes_on(
    tmp_path: Path, limited: tuple[str, ...]
) -> None:
    """The recording is tried again, then quarantined for memory; those behind it get their transcripts."""
    daemon = AttackedDaemon(tmp_path, extra="max_attempts = 2")
    daemon.prefix = limited
    good = recording("good", segments=2)
    with daemon:
        bad = recording("bad", segments=2, take_mib=TOO_MUCH_MIB)
        (daemon.inbox / "00-bad.wav").write_bytes(bad)
        daemon.start()
        pid = daemon.live()["pid"]
        note = daemon.wait_for(f"inbox/00-bad{FAILED}")
        assert "内存（或显存）不足" in note.read_text(encoding="utf-8")
        (daemon.inbox / "good.wav").write_bytes(good)
        daemon.wait_until_done(1)
        assert daemon.live()["pid"] == pid
        lost = daemon.events("recogniser_lost")
        assert {event["error"] for event in lost} == {"out_of_memory"}
        assert all("for want of memory" in event["problem"] for event in lost)
        assert all("about to take memory" in event["evidence"] for event in lost)
        assert daemon.query("SELECT state, error_code FROM jobs ORDER BY id") == [
            ("quarantined", "out_of_memory"),
            ("done", None),
        ]
        assert daemon.stop() == 0


def test_the_kernel_would_choose_the_recogniser_first(tmp_path: Path) -> None:
    """Whatever their sizes: the child offers itself, the daemon does not."""
    daemon = AttackedDaemon(tmp_path)
    with daemon:
        (daemon.inbox / "a.wav").write_bytes(recording(1, segments=1000, ms=100))
        daemon.start()
        eventually(daemon.recognised, what="the first segment")
        live = daemon.live()
        pids = (live["pid"], live["recogniser"]["pid"])
        ours, childs = (int(Path(f"/proc/{pid}/oom_score").read_text(encoding="ascii")) for pid in pids)
        assert childs > ours + 300
