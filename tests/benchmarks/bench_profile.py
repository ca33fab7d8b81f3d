"""Where the recogniser's time goes, against its floor: each stage alone, on one core.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_profile.py MODELS_FOLDER AUDIO_FILE...

Best of several rounds. The floor is what cannot be left out: decoding, the filter bank once, and the layers
of the two networks. "floor" marks it; the rest is what we and FunASR add around it.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.families import funasr_model
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.features import filter_bank
from asr_daemon.recogniser.postprocess import Postprocessor
from asr_daemon.recogniser.segmenter.cutter import Cutter, Stretch
from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector, FsmnNetwork
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.recogniser.sound.level import LevelMeter
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SAMPLES = 30 * SAMPLE_RATE_HZ
BATCH, BATCH_S = 8, 80  # the recogniser's own on CPU
LAYERS = ("encoder", "predictor", "decoder", "seaco_decoder")


class Stopwatch:
    """Times stages, also one within the other; the best of the rounds counts."""

    def __init__(self) -> None:
        self.best_s: dict[str, float] = {}
        self._spent_s: dict[str, float] = {}

    def time(self, stage: str, work: Callable[..., object]) -> Callable[..., object]:
        """Return ``work`` such that its time is added to the stage."""

        def timed(*inputs: object, **options: object) -> object:
            began = time.perf_counter()
            done = work(*inputs, **options)
            self._spent_s[stage] = self._spent_s.get(stage, 0.0) + time.perf_counter() - began
            return done

        return timed

    def end_round(self) -> None:
        """Keep what was better than before."""
        for stage, spent in self._spent_s.items():
            self.best_s[stage] = min(spent, self.best_s.get(stage, spent))
        self._spent_s.clear()


def read(path: Path) -> np.ndarray:
    """Return a recording, whole."""
    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 86_400)))


def batches(stretches: list[Stretch]) -> list[list[Stretch]]:
    """Return batches as the recogniser makes them of segments that all wait."""
    made: list[list[Stretch]] = [[]]
    for stretch in sorted(stretches, key=lambda one: len(one.samples)):
        if len(made[-1]) == BATCH or len(stretch.samples) * (len(made[-1]) + 1) > BATCH_S * SAMPLE_RATE_HZ:
            made.append([])
        made[-1].append(stretch)
    return made


def one_round(watch: Stopwatch, audio: np.ndarray, vad: FsmnNetwork, family: SeacoParaformer) -> float:
    """Take a recording the whole way, stage by stage; return the share of padding in the batches."""
    post = Postprocessor(Profile("m"), model_writes_numbers=False, punctuator=None, note=print)
    level, cutter = LevelMeter(), Cutter(FsmnDetector(vad, 800), 30)
    stretches: list[Stretch] = []
    watch.time("filter bank", filter_bank)(torch.from_numpy(audio))
    for at in range(0, len(audio), WINDOW_SAMPLES):
        watch.time("level", level.feed)(audio[at : at + WINDOW_SAMPLES])
        stretches += watch.time("segmenting", cutter.feed)(audio[at : at + WINDOW_SAMPLES])
    stretches += watch.time("segmenting", cutter.finish)()
    padded = 0
    for batch in batches(stretches):
        ready = [watch.time("stacking", family.prepare)(one.samples, one.bank) for one in batch]
        said = watch.time("recognition", family.transcribe)(ready, Request())
        for number, (one, spoken) in enumerate(zip(batch, said, strict=True)):
            watch.time("text", post.segment)(number, one.start_ms, one.end_ms, spoken)
        padded += len(batch) * max(len(one.samples) for one in batch)
    return 1 - sum(len(one.samples) for one in stretches) / padded


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=lambda name: Path(name).resolve())
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    family = SeacoParaformer(options.models / "paraformer-tiny-zh", "cpu", 1)
    loaded = funasr_model.load(str(options.models / "fsmn-vad"), "cpu", 1)
    vad = FsmnNetwork(loaded.model, loaded.kwargs["frontend"])
    torch.set_num_threads(1)
    watch = Stopwatch()
    vad.silence = watch.time("vad network", vad.silence)
    network = family.network
    for name in LAYERS:
        part = getattr(network, name)
        part.forward = watch.time(name, part.forward)
    predictor = network.predictor
    predictor.get_upsample_timestamp = watch.time("token times", predictor.get_upsample_timestamp)
    for _ in range(options.rounds):
        parts = [watch.time("decoding (ffmpeg)", read)(path) for path in options.audio]
        audio = np.resize(np.concatenate(parts), options.seconds * SAMPLE_RATE_HZ)
        padding = one_round(watch, audio, vad, family)
        watch.end_round()
    decoded_s = sum(map(len, parts)) / SAMPLE_RATE_HZ
    watch.best_s["decoding (ffmpeg)"] *= options.seconds / decoded_s
    show(watch.best_s, options.seconds, padding)


def show(spent_s: dict[str, float], seconds: int, padding: float) -> None:
    """Print the table: what a stage takes, and what of it is around its floor."""
    layers_s = sum(spent_s.get(name, 0.0) for name in (*LAYERS, "token times"))
    rows = {
        "decoding (ffmpeg)": (spent_s["decoding (ffmpeg)"], True),
        "loudness": (spent_s["level"], False),
        "filter bank, once": (spent_s["filter bank"], True),
        "vad network": (spent_s["vad network"], True),
        "vad around it": (spent_s["segmenting"] - spent_s["vad network"] - spent_s["filter bank"], False),
        "stacking for asr": (spent_s["stacking"], False),
        **{f"asr {name}": (spent_s[name], True) for name in (*LAYERS, "token times") if name in spent_s},
        "asr around it": (spent_s["recognition"] - layers_s, False),
        "text": (spent_s["text"], False),
    }
    total = sum(spent for spent, _ in rows.values())
    floor = sum(spent for spent, is_floor in rows.values() if is_floor)
    print(f"{seconds} s of sound, one core, {padding:.0%} padding in the batches")
    for name, (spent, is_floor) in rows.items():
        mark = "floor" if is_floor else ""
        print(f"{name:20} {spent * 1000 * 600 / seconds:7.0f} ms per 600 s  {spent / total:6.1%}  {mark}")
    print(f"{'all':20} {seconds / total:7.0f}x real time; the floor alone {seconds / floor:.0f}x")


if __name__ == "__main__":
    main()
