"""What the first recording after idle waits for: from the start of the recogniser's child until it is Ready.

``python tests/benchmarks/bench_startup.py [MODEL_FOLDER] [--family seaco_paraformer] [--vad FOLDER]
[--precision int8] [--rounds 5]``; without a folder the built-in model. Disk caches are warm from the second
round on; the best and the median count, and the processor time beside them, for machines that are busy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from bench_large import cpu_s

from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.dispatch.protocol import Note, Ready, Setup
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.catalogue import BUILTIN_FOLDER


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=lambda name: Path(name).resolve(), default=BUILTIN_FOLDER)
    parser.add_argument("--family", default="seaco_paraformer")
    parser.add_argument("--vad", type=lambda name: Path(name).resolve())
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    setup = Setup(
        options.folder.name, options.family, str(options.folder), str(options.vad or ""), "", "cpu", 0.0, 0,
        str(find_ffmpeg()), 3600.0, precision=options.precision,
    )  # fmt: skip
    waited, spent = [], []
    for _ in range(options.rounds):
        began = time.perf_counter()
        child = RecogniserProcess.spawn(setup)
        while isinstance(ready := child.receive(180), Note):
            pass
        waited.append(time.perf_counter() - began)
        spent.append(cpu_s(child.pid))
        assert isinstance(ready, Ready), ready
        load_s = ready.load_ms / 1000
        print(f"{waited[-1]:.2f} s, of them {load_s:.2f} s loading; cpu {spent[-1]:.2f} s", flush=True)
        child.stop(20)
    print(
        f"best {min(waited):.2f} s, median {statistics.median(waited):.2f} s; cpu best {min(spent):.2f} s, "
        f"median {statistics.median(spent):.2f} s"
    )


if __name__ == "__main__":
    main()
