"""A card kept busy: many files of 20 s and one of hours, a large random model, stock FunASR beside it.

    python tests/benchmarks/bench_card.py CACHE_FOLDER MODELS_FOLDER AUDIO_FILE... [--device cuda:0]

CACHE_FOLDER takes the model (large_models.py makes it, without a network), MODELS_FOLDER holds fsmn-vad. Ours
is given as many files at once as the daemon gives, and one recording to warm up; what is shown is seconds of
sound a second (RTFx), the share of that time in which the device was in a batch, as the child tells it, and
the most memory, of the process and (with a card) of the card. Stock is ``AutoModel`` with its own VAD, file
by file. Goals on an H100: 1,000x, three times stock, busy 85%. ``--device cpu --tiny`` shows that it works.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import large_models
import numpy as np
from bench_large import cpu_s, memory_bytes
from bench_recogniser import loop, read, write

from asr_daemon.dispatch.claims import MOST_AT_ONCE
from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.dispatch.protocol import Computed, Failed, Finished, Ready, Recognise, Setup
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from typing_extensions import Self

FILE_S = 20
LOOK_S = 0.2
STOCK = """
import logging, resource, sys, time
logging.basicConfig(level=logging.ERROR)
from funasr import AutoModel
folder, vad, device, first, *paths = sys.argv[1:]
model = AutoModel(model=folder, vad_model=vad, vad_kwargs={"max_end_silence_time": 800}, device=device,
                  disable_update=True, disable_pbar=True, log_level="ERROR")
model.generate(input=first)
began = time.perf_counter()
for path in paths:
    model.generate(input=path, batch_size_s=300)
print("RESULT", time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@dataclass(frozen=True)
class Run:
    """What some recordings took."""

    spent_s: float
    peak_bytes: int
    busy_s: float = 0.0
    card_mib: int = 0
    cpu_s: float = 0.0


class CardMemory:
    """The most memory in use on all cards, looked at again and again; nothing without nvidia-smi."""

    def __init__(self) -> None:
        self.most_mib = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self._is_over.wait(LOOK_S):
            try:
                told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError):
                return
            self.most_mib = max(self.most_mib, *map(int, told.split()))


def run_ours(setup: Setup, first: Path, parts: dict[str, list[Path]]) -> dict[str, Run]:
    """Return the figures of our recogniser, part by part."""
    child = RecogniserProcess.spawn(setup)
    while not isinstance(ready := child.receive(600), Ready):
        print(f"      {ready}")
    print(f"      loaded in {ready.load_ms / 1000:.1f} s on {ready.device}, {ready.precision}, batches of "
          f"{ready.bound_s:.0f} s at most, {memory_bytes(child.pid, 'VmHWM') / 1e6:.0f} MB")  # fmt: skip
    take(child, [first], 0)
    runs = {}
    for number, (name, paths) in enumerate(parts.items(), start=1):
        began_s, began_cpu_s = time.perf_counter(), cpu_s(child.pid)
        with CardMemory() as card:
            busy_s = take(child, paths, number * 1_000_000)
        spent_s, peak = time.perf_counter() - began_s, memory_bytes(child.pid, "VmHWM")
        runs[name] = Run(spent_s, peak, busy_s, card.most_mib, cpu_s(child.pid) - began_cpu_s)
    child.stop(20)
    return runs


def take(child: RecogniserProcess, paths: list[Path], base: int) -> float:
    """Recognise recordings, as many at once as the daemon gives; return the seconds in batches."""
    left, under_way, busy_s = list(enumerate(paths, start=base))[::-1], 0, 0.0
    while left or under_way:
        while left and under_way < MOST_AT_ONCE:
            order, path = left.pop()
            fd = os.open(path, os.O_RDONLY)
            child.send(Recognise(order, order, path.name, Profile("m", phonetic_correction=False)), fd)
            os.close(fd)
            under_way += 1
        message = child.receive(600)
        if isinstance(message, Computed):
            busy_s += message.spent_ms / 1000
        elif isinstance(message, Finished):
            under_way -= 1
        elif isinstance(message, Failed) or message is None:
            raise SystemExit(f"the recogniser failed: {message}")
    return busy_s


def run_stock(folder: Path, vad: Path, device: str, first: Path, paths: list[Path]) -> Run:
    """Return the figures of stock FunASR."""
    command = [sys.executable, "-c", STOCK, str(folder), str(vad), device, str(first), *map(str, paths)]
    with CardMemory() as card:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    spent_s, peak = map(float, done.stdout.rpartition("RESULT")[2].split())
    return Run(spent_s, round(peak), card_mib=card.most_mib)


def show(name: str, who: str, run: Run, seconds: float) -> None:
    """Print one measurement."""
    card = f", card {run.card_mib} MiB" if run.card_mib else ""
    busy = f"  busy {run.busy_s / run.spent_s:4.0%}  cpu {run.cpu_s:.1f} s" if run.busy_s else ""
    print(
        f"{name:5} {who:5} {run.spent_s:8.2f} s {seconds / run.spent_s:7.0f}x  "
        f"peak {run.peak_bytes / 1e6:6.0f} MB{card}{busy}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cache", type=lambda name: Path(name).resolve())
    parser.add_argument("models", type=lambda name: Path(name).resolve())
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--tiny", action="store_true", help="the built-in model in place of the large one")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--without-stock", action="store_true")
    options = parser.parse_args()
    folder = BUILTIN_FOLDER if options.tiny else large_models.paraformer(options.cache)
    vad = options.models / "fsmn-vad"
    setup = Setup(
        folder.name, "seaco_paraformer", str(folder), str(vad), "", options.device, 0.0, 0,
        str(find_ffmpeg()), 86_400.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="asr-daemon-card-") as name:
        sound = np.concatenate([read(path) for path in options.audio])
        piece = FILE_S * SAMPLE_RATE_HZ
        turned = (np.roll(sound, -number * 7 * SAMPLE_RATE_HZ)[:piece] for number in range(options.files))
        many = [write(Path(name) / f"{number}.wav", one) for number, one in enumerate(turned)]
        everything = write(Path(name) / "everything.wav", sound)
        long = loop(everything, Path(name) / "long.wav", round(options.hours * 3600))
        parts = {"many": many, "long": [long]}
        seconds = {"many": options.files * FILE_S, "long": options.hours * 3600}
        for _ in range(options.rounds):
            ours = run_ours(setup, many[0], parts)
            for part, paths in parts.items():
                show(part, "ours", ours[part], seconds[part])
                if not options.without_stock:
                    stock = run_stock(folder, vad, options.device, many[0], paths)
                    show(part, "stock", stock, seconds[part])
                    print(f"{part}: {stock.spent_s / ours[part].spent_s:.2f}x stock", flush=True)


if __name__ == "__main__":
    main()
