"""Speech that the segmenters miss, with and without the gain before them, by references of who spoke when.

    python tests/benchmarks/bench_level.py MODELS_FOLDER SPEAKERS_FOLDER [--db -20]

The folder holds NAME.rttm beside NAME.flac. Printed for each recording and segmenter: the share of the
reference speech that no segment covers, and the share of the rest that segments cover, without gain -> with.
``--db`` makes them quieter first, over a recorder's own noise of -95 dBFS.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.segmenter.cutter import Cutter
from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector, FsmnNetwork
from asr_daemon.recogniser.segmenter.silero import SileroDetector, SileroNetwork
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.recogniser.sound.gain import FSMN_AIM, SILERO_AIM, AutoGain
from asr_daemon.recogniser.sound.speech_band import levels_dbfs

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.recogniser.segmenter.detector import Detector

FRAMES_PER_S = 100
NOISE_DBFS = -95.0
CHANCE = np.random.default_rng(1)


def covered(detector: Detector, pieces: list[np.ndarray]) -> np.ndarray:
    """Return which 10 ms lie in segments."""
    cutter = Cutter(detector, 30)
    stretches = [stretch for piece in pieces for stretch in cutter.feed(piece)] + cutter.finish()
    found = np.zeros(sum(map(len, pieces)) * FRAMES_PER_S // SAMPLE_RATE_HZ + 1, bool)
    for stretch in stretches:
        found[stretch.start_ms // 10 : stretch.end_ms // 10] = True
    return found


def quieter(piece: np.ndarray, db: float) -> np.ndarray:
    """Return a piece at another level, with noise."""
    noise = CHANCE.normal(0, 10 ** (NOISE_DBFS / 20), len(piece))
    return (piece * 10 ** (db / 20) + noise).astype(np.float32)


def spoken(rttm: Path, frames: int) -> np.ndarray:
    """Return which 10 ms somebody speaks in, by the reference."""
    found = np.zeros(frames, bool)
    for line in rttm.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        begin, length = float(fields[3]), float(fields[4])
        found[round(begin * FRAMES_PER_S) : round((begin + length) * FRAMES_PER_S)] = True
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("speakers", type=Path)
    parser.add_argument("--silence-ms", type=int, default=800)
    parser.add_argument("--db", type=float, default=0.0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    from funasr import AutoModel  # noqa: PLC0415 (configures logging)

    quiet = {"device": "cpu", "ncpu": 1, "disable_update": True, "disable_pbar": True}
    fsmn = AutoModel(model=str(options.models / "fsmn-vad"), **quiet)
    silero = AutoModel(model="silero-vad", **quiet)
    networks = FsmnNetwork(fsmn.model, fsmn.kwargs["frontend"]), SileroNetwork(silero.model.model)
    begin: dict[str, Callable[[], Detector]] = {
        "fsmn-vad": lambda: FsmnDetector(networks[0], options.silence_ms),
        "silero": lambda: SileroDetector(networks[1], options.silence_ms),
    }
    totals = {name: np.zeros(6) for name in begin}
    for path in sorted(options.speakers.glob("*.flac")):
        with path.open("rb") as file:
            plain = list(Decoding(file.fileno(), find_ffmpeg(), 86_400))
        if options.db:
            plain = [quieter(piece, options.db) for piece in plain]
        rms_dbfs = 10 * np.log10(np.mean(np.concatenate(plain) ** 2))
        words = [f"{path.stem:8} {rms_dbfs:6.1f} dBFS"]
        for name, new in begin.items():
            counts = []
            gain = AutoGain(FSMN_AIM if name == "fsmn-vad" else SILERO_AIM)
            louder = [gain.apply(piece, levels_dbfs(piece)) for piece in plain]
            for pieces in (plain, louder):
                found = covered(new(), pieces)
                said = spoken(path.with_suffix(".rttm"), len(found))
                counts += [(said & ~found).sum(), (~said & found).sum()]
            totals[name] += [*counts, said.sum(), (~said).sum()]
            words.append(told(name, [*counts, said.sum(), (~said).sum()]))
        print("   ".join(words), flush=True)
    print("all                    " + "   ".join(told(name, counts) for name, counts in totals.items()))


def told(name: str, counts: list[float] | np.ndarray) -> str:
    """Return the shares as text."""
    missed, false, missed_with, false_with, said, rest = counts
    return (
        f"{name}: missed {missed / said:6.1%} -> {missed_with / said:6.1%}, "
        f"without speech {false / max(rest, 1):6.1%} -> {false_with / max(rest, 1):6.1%}"
    )


if __name__ == "__main__":
    main()
