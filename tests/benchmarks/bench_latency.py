"""How long a person waits for a 30 s recording, beyond settling and recognition.

Run: python tests/benchmarks/bench_latency.py

Prints, for each of several recordings dropped one by one into a warm daemon, the seconds from the last write
to the transcript, what the settle window and the recognition took of them, and the rest: noticing, hashing,
queueing, writing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import SAMPLES, DaemonUnderTest, convert

ROUNDS = 7
SETTLE_S = 0.3  # as the tests' daemon is configured


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        daemon = DaemonUnderTest(folder, inboxes={"inbox": ""}).start()
        print(f"{'total s':>8} {'settle s':>9} {'recognition s':>14} {'rest s':>7}")
        rests = []
        for number in range(ROUNDS + 1):
            made = convert(
                *(SAMPLES / "finance.m4a", folder / f"{number}.wav"),
                *("-filter_complex", "aloop=1:900000", "-t", f"{30 + number / 100}"),
            )
            content = made.read_bytes()
            (folder / "inbox" / made.name).write_bytes(content)
            written_s = time.monotonic()
            text = folder / "inbox" / f"{number}.txt"
            while not text.exists():
                time.sleep(0.002)
            total_s = time.monotonic() - written_s
            if number == 0:
                continue  # the model was loaded meanwhile
            recognition_s = daemon.events("recognition_finished")[-1]["took_s"]
            rests.append(total_s - SETTLE_S - recognition_s)
            print(f"{total_s:8.2f} {SETTLE_S:9.2f} {recognition_s:14.2f} {rests[-1]:7.2f}")
        print(f"median of the rest: {sorted(rests)[len(rests) // 2]:.2f} s")
        daemon.stop()


if __name__ == "__main__":
    main()
