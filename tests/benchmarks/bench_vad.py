"""fsmn-vad: ours against stock FunASR, on one core, front end included; also silero-vad and the floors.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_vad.py MODELS_FOLDER AUDIO_FILE...

Runs alternate, so that a busy machine strikes both alike; the ratio is of the best and of the median runs.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.features import filter_bank
from asr_daemon.recogniser.segmenter.cutter import Cutter
from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector, FsmnNetwork
from asr_daemon.recogniser.segmenter.silero import SileroDetector, SileroNetwork
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.recogniser.segmenter.detector import Detector

WINDOW_SAMPLES = 30 * SAMPLE_RATE_HZ
REPEATS = 4  # of ours in a round: about as long as stock's one, so that the machine's load weighs alike


def read(path: Path) -> np.ndarray:
    """Return a recording, whole."""
    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 86_400)))


def run(detector: Detector, audio: np.ndarray) -> int:
    """Cut a recording, window by window; return the number of segments."""
    cutter = Cutter(detector, 60)
    count = sum(
        len(cutter.feed(audio[at : at + WINDOW_SAMPLES])) for at in range(0, len(audio), WINDOW_SAMPLES)
    )
    return count + len(cutter.finish())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=600, help="length of the synthetic meeting")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    from funasr import AutoModel  # noqa: PLC0415 (configures logging)

    stock = AutoModel(
        model=str(options.models / "fsmn-vad"), device="cpu", ncpu=1, disable_update=True, disable_pbar=True,
        max_end_silence_time=800, log_level="ERROR",
    )  # fmt: skip
    silero_stock = AutoModel(model="silero-vad", device="cpu", ncpu=1, disable_update=True, disable_pbar=True)
    fsmn = FsmnNetwork(stock.model, stock.kwargs["frontend"])
    silero = SileroNetwork(silero_stock.model.model)
    parts = [read(path) for path in options.audio]
    repeats = int(options.seconds * SAMPLE_RATE_HZ / sum(map(len, parts))) + 1
    audio = np.concatenate(parts * repeats)[: int(options.seconds * SAMPLE_RATE_HZ)]
    features = filter_bank(torch.from_numpy(audio))
    tasks: dict[str, Callable[[], object]] = {
        "fsmn stock": lambda: stock.generate(input=[audio], batch_size=1, max_end_silence_time=800),
        "fsmn ours": lambda: run(FsmnDetector(fsmn, 800), audio),
        "  of it: filter bank": lambda: filter_bank(torch.from_numpy(audio)),
        "  of it: network": lambda: fsmn.silence(features, fsmn.begin(), is_last=True),
        "silero stock": lambda: silero_stock.generate(input=[audio], batch_size=1),
        "silero ours": lambda: run(SileroDetector(silero, 800), audio),
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(options.rounds):
        for name, task in tasks.items():
            repeats = 1 if name.endswith("stock") else REPEATS
            began = time.perf_counter()
            for _ in range(repeats):
                task()
            times[name].append((time.perf_counter() - began) / repeats)
    print(f"{options.seconds:g} s of sound, one core, {options.rounds} rounds")
    for name, spent in times.items():
        best, median = min(spent), statistics.median(spent)
        print(f"{name:22} best {best:6.3f} s ({options.seconds / best:6.0f}x)  median {median:6.3f} s")
    for kind in ("fsmn", "silero"):
        theirs, ours = times[f"{kind} stock"], times[f"{kind} ours"]
        ratios = sorted(a / b for a, b in zip(theirs, ours, strict=True))
        print(
            f"{kind}: best against best {min(theirs) / min(ours):.1f}x; "
            f"pairs {ratios[0]:.1f} to {ratios[-1]:.1f}, median {statistics.median(ratios):.1f}"
        )


if __name__ == "__main__":
    main()
