"""What bench_large.py measures ours against, a process each: FunASR's stock pipeline and its ONNX export.

``python large_others.py stock|onnx|onnx-int8 MODEL_FOLDER VAD_FOLDER THREADS AUDIO_FILE...`` prints RESULT
and one JSON object. The exports are written into MODEL_FOLDER once.
"""

# ruff: noqa: PLC0415 (each engine's process imports that engine alone: its memory is measured)
from __future__ import annotations

import functools
import itertools
import json
import logging
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BATCHES = (1, 8)  # segments a session is given at once; the faster counts
WINDOW_SAMPLES = 30 * 16_000


def stock(folder: Path, vad: Path, threads: int) -> Callable[[Sequence[Path]], int]:
    """Return what recognises files by ``AutoModel`` and counts characters."""
    from funasr import AutoModel

    model = AutoModel(
        model=str(folder), vad_model=str(vad), vad_kwargs={"max_end_silence_time": 800}, device="cpu",
        ncpu=threads, disable_update=True, disable_pbar=True, log_level="ERROR",
    )  # fmt: skip

    def recognise(paths: Sequence[Path]) -> int:
        texts = [model.generate(input=str(path), batch_size_s=300)[0]["text"] for path in paths]
        return sum(len(text.replace(" ", "")) for text in texts)

    return recognise


def export(folder: Path, name: str) -> Path:
    """Return FunASR's ONNX export, made if need be."""
    path = folder / name
    if not path.exists():
        import torch
        from funasr import AutoModel

        model = AutoModel(model=str(folder), device="cpu", disable_update=True, log_level="ERROR")
        usual = torch.onnx.export
        torch.onnx.export = functools.partial(usual, dynamo=False)  # FunASR's code knows no other
        try:
            model.export(type="onnx", quantize=True)
        finally:
            torch.onnx.export = usual
    return path


def onnx(folder: Path, vad: Path, threads: int, name: str) -> Callable[[Sequence[Path]], int]:
    """Return what recognises files by a session on our segments and features."""
    export(folder, name)
    import onnxruntime
    import torch

    from asr_daemon.recogniser.families import funasr_model
    from asr_daemon.recogniser.families.front_end import FrontEnd
    from asr_daemon.recogniser.segmenter.cutter import Cutter
    from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector, FsmnNetwork

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / name), settings, providers=["CPUExecutionProvider"])
    described = funasr_model.load(str(folder), "cpu", threads, init_param="none").kwargs
    front_end = FrontEnd(described["frontend"])
    loaded = funasr_model.load(str(vad), "cpu", threads)
    network = FsmnNetwork(loaded.model, loaded.kwargs["frontend"])
    wanted = [one.name for one in session.get_inputs()]

    def heard(features: Sequence[torch.Tensor]) -> int:
        speech = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True).numpy()
        given = {
            "speech": speech,
            "speech_lengths": np.array([len(one) for one in features], np.int32),
            "bias_embed": np.zeros((len(features), 1, 512), np.float32),
            "language": np.full(len(features), 3, np.int32),
            "textnorm": np.full(len(features), 14, np.int32),
        }
        out = session.run(None, {name: given[name] for name in wanted})
        best = out[0].argmax(-1)
        if "bias_embed" in wanted:
            return int(out[1].sum())
        return int(((best[:, 1:] != best[:, :-1]) & (best[:, 1:] != 0)).sum())

    def recognise(paths: Sequence[Path], most: int) -> int:
        features = []
        for path in paths:
            cutter = Cutter(FsmnDetector(network, 800), 30)
            audio = samples(path)
            pieces = [
                cutter.feed(audio[at : at + WINDOW_SAMPLES]) for at in range(0, len(audio), WINDOW_SAMPLES)
            ]
            found = [*itertools.chain(*pieces), *cutter.finish()]
            features += [front_end.prepare(one.samples, one.bank) for one in found]
        features.sort(key=len)
        return sum(heard(features[at : at + most]) for at in range(0, len(features), most))

    return recognise


def samples(path: Path) -> np.ndarray:
    """Return a recording, whole."""
    from asr_daemon.ffmpeg import find_ffmpeg
    from asr_daemon.recogniser.sound.decoding import Decoding

    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 86_400)))


def memory_bytes(name: str) -> int:
    """Return a line of this process's status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Measure one engine."""
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.ERROR)
    engine, folder, vad, threads, *names = sys.argv[1:]
    paths = [Path(name) for name in names]
    began = time.perf_counter()
    if engine == "stock":
        ways = [stock(Path(folder), Path(vad), int(threads))]
    else:
        name = "model_quant.onnx" if engine == "onnx-int8" else "model.onnx"
        if not (Path(folder) / name).exists():
            export(Path(folder), name)
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 (so that its memory is not counted)
        recognise = onnx(Path(folder), Path(vad), int(threads), name)
        ways = [functools.partial(recognise, most=most) for most in BATCHES]
    load_s = time.perf_counter() - began
    rows: list[dict[str, Any]] = []
    for way in ways:
        way(paths[:1])
        began, before = time.perf_counter(), os.times()
        characters = way(paths)
        after = os.times()
        spent_cpu_s = sum(after[:4]) - sum(before[:4])
        rows.append({"spent_s": time.perf_counter() - began, "cpu_s": spent_cpu_s, "characters": characters})
    best = min(rows, key=lambda row: row["spent_s"])
    spent = {f"batch {most}": round(row["spent_s"], 2) for most, row in zip(BATCHES, rows, strict=False)}
    best |= {
        "load_s": load_s, "rss": memory_bytes("VmRSS"),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "stages": spent,
    }  # fmt: skip
    print("RESULT", json.dumps(best))


if __name__ == "__main__":
    main()
