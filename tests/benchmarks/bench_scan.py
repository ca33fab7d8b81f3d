"""What an idle rescan of 100,000 finished recordings costs: CPU seconds, share of a core, memory.

``python tests/benchmarks/bench_scan.py [FOLDER] [--files 100000] [--others 0] [--per-folder 1000]``

``--others``: files that their names do not tell, and that were looked into and are no recordings.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.inboxes.scan import scan
from asr_daemon.inboxes.seen import IgnoredFiles, SeenFiles
from asr_daemon.inboxes.watch import SCAN_SHARE

if TYPE_CHECKING:
    import os

RESCAN_S = 60.0
ROUNDS = 5


def main() -> None:
    """Make the files, scan them once as new, then as seen; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--others", type=int, default=0)
    parser.add_argument("--per-folder", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        root = Path(made)
        for number in range(options.files):
            folder = root / f"day {number // options.per_folder:04}"
            if number % options.per_folder == 0:
                folder.mkdir()
            (folder / f"会议录音 {number:06}.m4a").write_bytes(b"x")
            (folder / f"会议录音 {number:06}.txt").write_bytes(b"x")
        for number in range(options.others):
            (root / f"day {number // options.per_folder:04}" / f"照片 {number:06}.jpg").write_bytes(b"x")
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seen, ignored = SeenFiles(), IgnoredFiles()
        began_s = time.process_time()
        for candidate in scan(root, recursive=True):
            (ignored if candidate.needs_look else seen).add(candidate)

        def is_known(path: str, found: os.stat_result) -> bool:
            return seen.is_known(path, found) or ignored.is_known(path, found)

        first_s = time.process_time() - began_s
        costs_s = []
        for _ in range(ROUNDS):
            began_s = time.process_time()
            found = sum(1 for _ in scan(root, recursive=True, is_known=is_known))
            costs_s.append(time.process_time() - began_s)
            if found:
                raise SystemExit(f"{found} files were not known")
        grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    best_s = min(costs_s)
    print(f"{options.files} recordings, {len(seen)} seen, each with a transcript; {len(ignored)} others")
    print(f"first scan {first_s:.2f} s CPU; idle rescan {best_s:.3f} s CPU (best of {ROUNDS})")
    share = 100 * best_s / RESCAN_S
    period_s = max(RESCAN_S, best_s / SCAN_SHARE)
    print(f"the daemon would rescan every {period_s:.0f} s: {100 * best_s / period_s:.2f} % of a core")
    print(f"at one rescan in {RESCAN_S:.0f} s: {share:.2f} % of a core; memory {grown_mib:.0f} MiB")


if __name__ == "__main__":
    main()
