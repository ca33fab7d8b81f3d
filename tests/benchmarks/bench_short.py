"""What a short recording costs beside its recognition: ten thousand voice messages are mostly that.

    python tests/benchmarks/bench_short.py AUDIO_FILE... [--files 200] [--format wav] [--daemon-files 2000]

Two halves. The recogniser's: files of 5 s go through the real child with the built-in model, twelve at a time
as the daemon gives them; the same sound in one recording costs what recognition does, and the difference is
what the files cost. The daemon's: as many bytes a file go through the real daemon with the fake recogniser;
its own processor time counts, from the first look at the folder to the last transcript. Processor time is
what to compare: on a busy machine time says little. Bound: 15 ms a file, both halves together.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from bench_large import cpu_s
from bench_recogniser import read, write

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from attack import AttackedDaemon, recording

from asr_daemon.dispatch.claims import MOST_AT_ONCE
from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.dispatch.protocol import Failed, Finished, Ready, Recognise, Setup
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.transcripts.profile import Profile
from support import eventually

FILE_S = 5
FILE_BYTES = FILE_S * SAMPLE_RATE_HZ * 2
MOST_MS = 15.0
ENCODERS = {"wav": (), "flac": (), "mp3": ("-b:a", "64k"), "m4a": ("-c:a", "aac"), "opus": ("-b:a", "24k")}


@dataclass
class Spent:
    """What some recordings took."""

    cpu_s: float
    wall_s: float
    stages_ms: dict[str, int] = field(default_factory=dict)


class Child:
    """The real recogniser."""

    def __init__(self, precision: str, threads: int) -> None:
        setup = Setup(
            "builtin", "seaco_paraformer", str(BUILTIN_FOLDER), "", "", "cpu", 0.0, threads,
            str(find_ffmpeg()), 86_400.0, precision=precision,
        )  # fmt: skip
        self._child = RecogniserProcess.spawn(setup)
        while not isinstance(self._child.receive(180), Ready):
            pass
        self._orders = 0

    def take(self, paths: list[Path]) -> Spent:
        """Recognise recordings, as many at once as the daemon gives."""
        began_s, began_cpu_s = time.perf_counter(), cpu_s(self._child.pid)
        left, under_way, stages = list(reversed(paths)), 0, {}
        while left or under_way:
            while left and under_way < MOST_AT_ONCE:
                self._orders += 1
                path = left.pop()
                fd = os.open(path, os.O_RDONLY)
                profile = Profile("m", phonetic_correction=False)
                self._child.send(Recognise(self._orders, self._orders, path.name, profile), fd)
                os.close(fd)
                under_way += 1
            message = self._child.receive(600)
            if isinstance(message, Finished):
                under_way -= 1
                for stage, spent_ms in message.timings_ms.items():
                    stages[stage] = stages.get(stage, 0) + spent_ms
            elif isinstance(message, Failed) or message is None:
                raise SystemExit(f"the recogniser failed: {message}")
        time.sleep(0.2)  # the last ffmpeg has been waited for
        return Spent(cpu_s(self._child.pid) - began_cpu_s, time.perf_counter() - began_s - 0.2, stages)

    def stop(self) -> None:
        """End it."""
        self._child.stop(20)


def recogniser_half(options: argparse.Namespace, folder: Path) -> float:
    """Print what a file costs the recogniser beside recognition; return its milliseconds of processor."""
    sound = np.concatenate([read(path) for path in options.audio])
    sound = np.resize(sound, options.files * FILE_S * SAMPLE_RATE_HZ)
    pieces = sound.reshape(options.files, -1)
    files = [made(folder / f"{number}.wav", piece, options.format) for number, piece in enumerate(pieces)]
    whole = made(folder / "whole.wav", sound, options.format)
    child = Child(options.precision, options.threads)
    child.take(files[:MOST_AT_ONCE])
    costs = []
    for _ in range(options.rounds):
        short, long = child.take(files), child.take([whole])
        costs.append((short.cpu_s - long.cpu_s) / options.files * 1000)
        for name, spent in (("files", short), ("whole", long)):
            print(
                f"{name}: {spent.cpu_s / options.files * 1000:6.1f} ms of processor, "
                f"{spent.wall_s / options.files * 1000:6.1f} ms for each {FILE_S} s; stages in ms "
                f"{ {stage: round(ms / options.files, 1) for stage, ms in spent.stages_ms.items()} }",
                flush=True,
            )
    child.stop()
    print(f"recogniser: a {options.format} file costs {min(costs):.1f} ms beside recognition (best round)")
    return min(costs)


def made(path: Path, samples: np.ndarray, suffix: str) -> Path:
    """Write a recording in a format."""
    write(path, samples)
    if suffix == "wav":
        return path
    target = path.with_suffix(f".{suffix}")
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", "-i", path, *ENCODERS[suffix], target], check=True)
    return target


def daemon_half(count: int, folder: Path) -> float:
    """Print what a file costs the daemon; return its milliseconds of processor."""
    with AttackedDaemon(folder) as daemon:
        daemon.inbox.mkdir(exist_ok=True)
        for number in range(count):
            content = recording(number, segments=1)
            (daemon.inbox / f"{number:06}.wav").write_bytes(content + bytes(FILE_BYTES - len(content)))
        daemon.start()
        pid = daemon.live()["pid"]
        began_s, began_cpu_s = time.perf_counter(), own_cpu_s(pid)
        eventually(
            lambda: sum(path.suffix == ".txt" for path in daemon.inbox.iterdir()) == count,
            within_s=3600,
            what="every transcript",
        )
        spent = Spent(own_cpu_s(pid) - began_cpu_s, time.perf_counter() - began_s)
        daemon.stop()
    cost_ms = spent.cpu_s / count * 1000
    print(f"daemon: a file costs {cost_ms:.1f} ms of processor, {spent.wall_s / count * 1000:.1f} ms in all")
    return cost_ms


def own_cpu_s(pid: int) -> float:
    """Return what a process has spent, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure, print, and return 1 where the bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--format", choices=ENCODERS, default="wav")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--daemon-files", type=int, default=2000, help="0 leaves that half out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asr-daemon-short-") as name:
        folder = Path(name)
        cost_ms = recogniser_half(options, folder) if options.files else 0.0
        if options.daemon_files:
            (folder / "daemon").mkdir()
            cost_ms += daemon_half(options.daemon_files, folder / "daemon")
    print(f"together {cost_ms:.1f} ms; at most {MOST_MS:.0f} ms are wanted")
    return int(cost_ms > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
