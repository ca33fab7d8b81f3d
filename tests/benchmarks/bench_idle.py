"""What an idle daemon costs with 100,000 finished recordings.

``python tests/benchmarks/bench_idle.py [FILES] [SECONDS]``. The window must hold two rescans, whose period
grows with their cost (164 s was seen): one without measures a daemon that does nothing, and fails. Rescans
are the bursts of processor time that are seen from outside. Bounds: 0.5% of a core, 100 MB. The history is
filled directly; the files are real, the daemon is real.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from attack import AttackedDaemon

from asr_daemon.history import open_history
from support import eventually

MOST_SHARE, MOST_BYTES = 0.005, 100 * 10**6
FEWEST_RESCANS = 2
LOOK_S, BURST_S = 1.0, 0.05  # a second with that much processor time belongs to a rescan


def fill(daemon: AttackedDaemon, count: int) -> None:
    """Make files and the rows that say that they are done."""
    history = open_history(daemon.history_path)
    with history.transaction():
        history.db.execute("INSERT INTO profiles (digest, profile, created_at) VALUES ('p', '{}', 'x')")
        for number in range(count):
            history.db.execute(
                "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at, finished_at)"
                " VALUES (?, ?, 'p', 'done', 'x', 'x')",
                (number + 1, f"{number:064x}"),
            )
            folder = daemon.inbox / f"{number // 1000:03}"
            folder.mkdir(exist_ok=True)
            path = folder / f"会议录音-{number:06}.wav"
            path.write_bytes(b"x")
            (folder / f"会议录音-{number:06}.txt").write_bytes(b"x")
            found = path.stat()
            history.db.execute(
                "INSERT INTO recordings"
                " (inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, found_at)"
                " VALUES ('inbox', ?, ?, ?, ?, ?, ?, ?, 'done', 'x')",
                (
                    os.fsencode(path),
                    path.name,
                    found.st_size,
                    found.st_mtime_ns,
                    found.st_ino,
                    found.st_dev,
                    number + 1,
                ),
            )
    history.close()


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, with its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int, key: str) -> int:
    """Return VmRSS or VmHWM."""
    told = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{key}:\s+(\d+) kB", told)[1]) * 1024  # type: ignore[index]


def watch(pid: int, seconds: int) -> tuple[float, list[float]]:
    """Return the processor time that passes in that time, and how much of it each rescan took."""
    bursts: list[float] = []
    goes_on = False
    first_s = last_s = cpu_s(pid)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(LOOK_S)
        now_s = cpu_s(pid)
        is_burst = now_s - last_s >= BURST_S
        if is_burst and goes_on:
            bursts[-1] += now_s - last_s
        elif is_burst:
            bursts.append(now_s - last_s)
        goes_on, last_s = is_burst, now_s
    return last_s - first_s, bursts


def main(count: int = 100_000, seconds: int = 420) -> int:
    """Measure, print, and return 1 where a bound is passed."""
    with tempfile.TemporaryDirectory(prefix="asr-daemon-idle-") as name:
        daemon = AttackedDaemon(Path(name))
        daemon.config_path.write_text(
            daemon.config_path.read_text(encoding="utf-8").replace("rescan_s = 2", "rescan_s = 60"),
            encoding="utf-8",
        )
        fill(daemon, count)
        with daemon:
            began = time.monotonic()
            daemon.start()
            started_s = time.monotonic() - began
            pid = daemon.live()["pid"]
            time.sleep(20)  # the first scan and the inotify watches
            spent_s, rescans = watch(pid, seconds)
            share = spent_s / seconds
            rss, most = memory_bytes(pid, "VmRSS"), memory_bytes(pid, "VmHWM")
            eventually(lambda: not daemon.events("recording_queued"), what="that nothing was hashed again")
            daemon.stop()
    print(
        f"{count} files: answers after {started_s:.1f} s, idle {share:.3%} of a core,"
        f" {rss / 1e6:.0f} MB (most {most / 1e6:.0f} MB); rescans in {seconds} s, their processor time:"
        f" {', '.join(f'{rescan:.2f} s' for rescan in rescans) or 'none'}"
    )
    return int(share > MOST_SHARE or most > MOST_BYTES or len(rescans) < FEWEST_RESCANS)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
