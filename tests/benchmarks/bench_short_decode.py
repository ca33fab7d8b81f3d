"""What decoding a short recording costs against another checkout of this program, ffmpeg counted.

    python tests/benchmarks/bench_short_decode.py AUDIO_FILE OTHER_CHECKOUT [--seconds 3 5 10] [--rounds 7]

Two processes, one for each checkout, decode the same files (48 kHz stereo, as phones leave them) in turns,
so that a busy machine strikes both alike; what counts is processor time, their own and ffmpeg's. The ratio is
the median of the rounds; at most 1.10 is wanted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from asr_daemon.ffmpeg import find_ffmpeg

ENCODERS = {
    "wav": (), "mp3": ("-b:a", "64k"), "m4a": ("-c:a", "aac"), "opus": ("-b:a", "24k"), "flac": (),
    "amr": ("-ar", "8000", "-ac", "1", "-b:a", "12.2k"), "webm": ("-c:a", "libopus", "-b:a", "24k"),
    "wma": ("-c:a", "wmav2"),
}  # fmt: skip
MOST = 1.10
WORKER = """
import os, resource, sys
from pathlib import Path
try:
    from asr_daemon.recogniser.sound.decoding import Decoding
except ImportError:  # until the way of a recording was laid out in packages
    from asr_daemon.audio import Decoding
def spent():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
for line in sys.stdin:
    count, path = line.rstrip().split(" ", 1)
    before = spent()
    for _ in range(int(count)):
        with open(path, "rb") as file:
            decoded = sum(map(len, Decoding(file.fileno(), Path(sys.argv[1]), 86400)))
    print(spent() - before, decoded, flush=True)
"""


class Checkout:
    """One checkout's decoding, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, find_ffmpeg()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.fspath(folder)},
        )

    def cost_ms(self, path: Path, count: int) -> float:
        """Decode a file so often; return the milliseconds of processor time for each."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count} {path}\n")
        self._process.stdin.flush()
        spent_s, decoded = self._process.stdout.readline().split()
        if not int(decoded):
            raise SystemExit(f"{path.name} was not decoded")
        return float(spent_s) / count * 1000


def main() -> int:
    """Measure, print, and return 1 where some format costs more than wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("other", type=lambda name: Path(name).resolve())
    parser.add_argument("--seconds", type=float, nargs="+", default=[3, 5, 10])
    parser.add_argument("--formats", choices=ENCODERS, nargs="+", default=list(ENCODERS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=int, default=8, help="that a file is decoded in a round")
    options = parser.parse_args()
    ours, theirs = Checkout(Path(__file__).resolve().parents[2]), Checkout(options.other)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for suffix in options.formats:
            for seconds in options.seconds:
                path = Path(folder) / f"{seconds:g}.{suffix}"
                shape = ("-t", str(seconds), "-ar", "48000", "-ac", "2", *ENCODERS[suffix])
                command = [find_ffmpeg(), "-v", "error", "-i", options.audio.resolve(), *shape, path]
                subprocess.run(command, check=True)
                for checkout in (ours, theirs):
                    checkout.cost_ms(path, 2)
                rounds = [
                    (ours.cost_ms(path, options.times), theirs.cost_ms(path, options.times))
                    for _ in range(options.rounds)
                ]
                mine, other = (statistics.median(costs) for costs in zip(*rounds, strict=True))
                ratio = statistics.median(one / two for one, two in rounds)
                worst = max(worst, ratio)
                print(
                    f"{suffix:5} {seconds:3g} s: {mine:6.1f} ms, there {other:6.1f} ms, {ratio:.2f}",
                    flush=True,
                )
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
