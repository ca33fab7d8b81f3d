"""What a claim costs while ten thousand recordings wait: milliseconds, the median and the worst.

``python tests/benchmarks/bench_claims.py [FOLDER] [--queued 10000] [--inboxes 10] [--claims 300]``

A claim is everything that a recogniser's thread does for one: whose turn it is, and the transaction.
Besides: the same while nothing fits (all are too large), which is asked twice a second, and the time that
finding every place takes once, after the start.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.clock import Clock
from asr_daemon.config import Config
from asr_daemon.history import open_history
from asr_daemon.history.recordings import Look
from asr_daemon.queue.arrivals import Arrivals
from asr_daemon.queue.job import Engine, Result
from asr_daemon.queue.jobs import Jobs
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Queue them, claim some, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--inboxes", type=int, default=10)
    parser.add_argument("--claims", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        root = Path(made)
        names = [f"inbox {number:03}" for number in range(options.inboxes)]
        config = Config.model_validate(
            {
                "daemon": {"state_dir": root / "state"},
                "inbox": [{"name": name, "path": root / name} for name in names],
            }
        )
        history = open_history(config.history_path)
        jobs = Jobs(config, history, Clock())
        arrivals, profile = Arrivals(history, jobs, Clock()), Profile("model@1")
        with history.transaction():
            for number in range(options.queued):
                inbox = names[number % len(names)]
                look = Look(
                    root / inbox / f"{number}.wav", f"{number}.wav", 10_000_000 + number * 7919, 1, 1, 1
                )
                arrivals.put(inbox, look, hashlib.sha256(str(number).encode()).hexdigest(), profile)
        print(f"{options.queued} recordings of {options.inboxes} inboxes wait")
        _tell("every place found, once", [_taken_ms(jobs.turns.line.place)])
        _tell("nothing fits", [_taken_ms(lambda: jobs.claim("cpu", most_bytes=1)) for _ in range(50)])
        claims = []
        for _ in range(options.claims):
            claimed = []
            claims.append(_taken_ms(lambda to=claimed: to.append(jobs.claim("cpu"))))
            jobs.finish(claimed[0].id, Result(0, 600_000), Engine("m", model_is_builtin=False, device="cpu"))
        _tell("a claim", claims)
        history.close()


def _taken_ms(run: Callable[[], object]) -> tuple[float, float]:
    """Return what it took by the clock, and of the processor."""
    began_s, computed_s = time.perf_counter(), time.thread_time()
    run()
    return (time.perf_counter() - began_s) * 1000, (time.thread_time() - computed_s) * 1000


def _tell(what: str, taken_ms: list[tuple[float, float]]) -> None:
    by_clock_ms, computed_ms = zip(*taken_ms, strict=True)
    worst = f", worst {max(by_clock_ms):.2f} ms" if len(taken_ms) > 1 else ""
    middle_ms, processor_ms = statistics.median(by_clock_ms), statistics.median(computed_ms)
    print(f"{what}: {middle_ms:.2f} ms{worst}; of the processor {processor_ms:.2f} ms")


if __name__ == "__main__":
    main()
