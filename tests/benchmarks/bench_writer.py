"""How many recognisers one daemon can write for: segments a second that it commits, and in cards.

``python tests/benchmarks/bench_writer.py [FOLDER] [--jobs 48] [--rounds 40]``

The daemon is the only writer, of as many recognisers as there are: a segment of ten seconds is parsed from
its line (as it comes from the bridge), and committed with those of its batch, durably. FOLDER is the disk
that counts. A card at 1,000 times real time says 100 such segments a second.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from asr_daemon.clock import Clock
from asr_daemon.config import Config
from asr_daemon.dispatch.protocol import Recognised, decode, encode
from asr_daemon.history import open_history
from asr_daemon.history.recordings import Look
from asr_daemon.queue.arrivals import Arrivals
from asr_daemon.queue.jobs import Jobs
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Segment, Token

SEGMENT_S = 10
CARD_RTFX = 1000
TEXT = "各位同事早上好今天我们讨论第三季度的预算请财务部先说一下情况然后是研发部的采购"


def main() -> None:
    """Fill a history, commit batches of some sizes, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--jobs", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        root = Path(made)
        config = Config.model_validate(
            {"daemon": {"state_dir": root / "state"}, "inbox": [{"name": "office", "path": root / "in"}]}
        )
        history = open_history(config.history_path)
        jobs = Jobs(config, history, Clock())
        arrivals = Arrivals(history, jobs, Clock())
        for number in range(options.jobs):
            look = Look(root / "in" / f"{number}.wav", f"{number}.wav", 10_000_000 + number, 1, 1, 1)
            arrivals.put("office", look, f"{number:064x}", Profile("model@1"))
        claimed = [jobs.claim("cluster#1") for _ in range(options.jobs)]
        numbers = [job.id for job in claimed if job is not None]
        written = 0
        for batch in (1, 4, 16, 64):
            taken: list[tuple[float, float]] = []
            for round_number in range(options.rounds):
                job = numbers[round_number % len(numbers)]
                line = encode(Recognised(job, segments(written, batch)))
                written += batch
                began_s, computed_s = time.perf_counter(), time.thread_time()
                message = decode(line)
                assert isinstance(message, Recognised)
                jobs.save(job, message.segments, (), "")
                taken.append((time.perf_counter() - began_s, time.thread_time() - computed_s))
            tell(batch, taken)
        history.close()


def segments(first: int, count: int) -> tuple[Segment, ...]:
    """Return segments of ten seconds, a character each 250 ms."""
    made = []
    for index in range(first, first + count):
        start_ms = index * SEGMENT_S * 1000
        tokens = tuple(
            Token(character, start_ms + 250 * at, start_ms + 250 * at + 200)
            for at, character in enumerate(TEXT)
        )
        made.append(Segment(index, start_ms, start_ms + SEGMENT_S * 1000, TEXT, TEXT, tokens))
    return tuple(made)


def tell(batch: int, taken: list[tuple[float, float]]) -> None:
    """Print one size of batch."""
    by_clock_s, computed_s = (statistics.median(each) for each in zip(*taken, strict=True))
    a_second = batch / by_clock_s
    print(
        f"{batch:3} segments a batch: {by_clock_s * 1000:6.2f} ms, "
        f"of the processor {computed_s * 1000:6.2f} ms; "
        f"{a_second:6.0f} segments/s, {a_second * SEGMENT_S:8,.0f} times real time, "
        f"{a_second * SEGMENT_S / CARD_RTFX:5.1f} cards at {CARD_RTFX:,}x"
    )


if __name__ == "__main__":
    main()
