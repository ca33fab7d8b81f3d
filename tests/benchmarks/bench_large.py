"""The size that people use: stock AutoModel, FunASR's ONNX export and ours in each precision, in one run.

    python tests/benchmarks/bench_large.py CACHE_FOLDER MODELS_FOLDER AUDIO_FILE... [--family sense_voice]

CACHE_FOLDER takes the models (large_models.py; 0.9 GB each, the ONNX exports as much again), MODELS_FOLDER
holds fsmn-vad. The recordings, joined, are cut into files of a minute. Every engine has a process of its
own, all cores, and one recording to warm up; what is shown is the time from files to transcripts, processor
time, and memory at the end and at most, loading included. "ours-int8+speakers" embeds voices, too. Rounds go
through all engines, so that a busy machine strikes them alike. onnxruntime, onnx and onnxscript (`pip
install`) are for the ONNX rows alone; those get our decoding and segmentation and the better of two batch
sizes, so that only sessions differ.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import large_models
import numpy as np
from bench_recogniser import read, write

from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.dispatch.protocol import Failed, Finished, Ready, Recognise, Recognised, Setup
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.speakers import BUILTIN_SPEAKERS_FOLDER
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_S = 60
HERE = Path(__file__).resolve().parent
BUILDERS = {"seaco_paraformer": large_models.paraformer, "sense_voice": large_models.sense_voice}
ENGINES = ("stock", "onnx", "onnx-int8", "ours", "ours-float32", "ours-bfloat16", "ours-int8")


def run_other(engine: str, folder: Path, vad: Path, threads: int, paths: Sequence[Path]) -> dict[str, Any]:
    """Return the figures of an engine that is not ours (large_others.py), measured in its own process."""
    command = [sys.executable, HERE / "large_others.py", engine, folder, vad, str(threads), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return dict(json.loads(done.stdout.rpartition("RESULT")[2]))


def run_ours(
    family: str, precision: str, folder: Path, vad: Path, threads: int, paths: Sequence[Path]
) -> dict[str, Any]:
    """Return the figures of our recogniser; 0 threads are its own choice."""
    precision, _, extra = precision.partition("+")
    setup = Setup(
        folder.name, family, str(folder), str(vad), "", "cpu", 0.0, threads, str(find_ffmpeg()), 86_400.0,
        precision=precision, speaker_model="campplus", speaker_folder=str(BUILTIN_SPEAKERS_FOLDER),
    )  # fmt: skip
    child = RecogniserProcess.spawn(setup)
    while not isinstance(ready := child.receive(180), Ready):
        print(f"      {ready}")
    loaded_bytes = memory_bytes(child.pid, "VmHWM")
    voices = "campplus" if extra == "speakers" else ""
    profile = Profile("m", itn=False, phonetic_correction=False, speaker_model=voices)
    stages: dict[str, int] = {}
    characters = 0
    for batch in (paths[:1], paths):
        began, began_cpu = time.perf_counter(), cpu_s(child.pid)
        stages, characters, left = {}, 0, len(batch)
        for number, path in enumerate(batch):
            fd = os.open(path, os.O_RDONLY)
            child.send(Recognise(number, number, path.name, profile), fd)
            os.close(fd)
        while left:
            message = child.receive(600)
            if isinstance(message, Recognised):
                characters += sum(len(segment.raw_text.replace(" ", "")) for segment in message.segments)
            elif isinstance(message, Finished):
                left -= 1
                for stage, spent in message.timings_ms.items():
                    stages[stage] = stages.get(stage, 0) + spent
            elif isinstance(message, Failed) or message is None:
                raise SystemExit(f"the recogniser failed: {message}")
        spent_s, spent_cpu_s = time.perf_counter() - began, cpu_s(child.pid) - began_cpu
    found = {
        "spent_s": spent_s, "cpu_s": spent_cpu_s, "characters": characters, "load_s": ready.load_ms / 1000,
        "rss": memory_bytes(child.pid, "VmRSS"), "peak": memory_bytes(child.pid, "VmHWM"),
        "peak_at_load": loaded_bytes, "stages": stages, "precision": ready.precision,
    }  # fmt: skip
    child.stop(20)
    return found


def memory_bytes(pid: int, name: str) -> int:
    """Return a line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def cpu_s(pid: int) -> float:
    """Return what a process and its ended children (ffmpeg) have spent."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cache", type=lambda name: Path(name).resolve())
    parser.add_argument("models", type=lambda name: Path(name).resolve())
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--family", choices=BUILDERS, default="seaco_paraformer")
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of ours; the others get every core")
    parser.add_argument("--engines", default="stock,onnx,onnx-int8,ours-float32,ours-int8")
    options = parser.parse_args()
    folder = BUILDERS[options.family](options.cache)
    cores = len(os.sched_getaffinity(0))
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in options.engines.split(",")}
    with tempfile.TemporaryDirectory() as name:
        sound = np.concatenate([read(path) for path in options.audio])
        sound = np.resize(sound, options.seconds * SAMPLE_RATE_HZ)
        pieces = range(0, len(sound), FILE_S * SAMPLE_RATE_HZ)
        paths = [write(Path(name) / f"{at}.wav", sound[at : at + FILE_S * SAMPLE_RATE_HZ]) for at in pieces]
        for _ in range(options.rounds):
            for engine, rows in found.items():
                if engine.startswith("ours"):
                    precision = engine.partition("-")[2] or "auto"
                    arguments = (options.family, precision, folder, options.models / "fsmn-vad")
                    rows.append(run_ours(*arguments, options.threads, paths))
                else:
                    rows.append(run_other(engine, folder, options.models / "fsmn-vad", cores, paths))
                show(engine, rows[-1], options.seconds)
    summarise(found, options.seconds)


def show(engine: str, row: dict[str, Any], seconds: float) -> None:
    """Print one measurement."""
    at_load = f" (at load {row['peak_at_load'] / 1e6:.0f} MB)" if "peak_at_load" in row else ""
    print(
        f"{engine:14} {row['spent_s']:6.2f} s {seconds / row['spent_s']:6.1f}x real time  "
        f"cpu {row['cpu_s']:6.2f} s  load {row['load_s']:5.1f} s  memory {row['rss'] / 1e6:5.0f} MB, "
        f"peak {row['peak'] / 1e6:5.0f} MB{at_load}  {row['characters']} characters  "
        f"{row.get('precision', '')} {row['stages']}",
        flush=True,
    )


def summarise(found: dict[str, list[dict[str, Any]]], seconds: float) -> None:
    """Print medians, and each engine against the first, round by round: in time, and in processor time."""
    first = next(iter(found))
    for engine, rows in found.items():
        shown = []
        for what in ("spent_s", "cpu_s"):
            median = statistics.median(row[what] for row in rows)
            ratios = [base[what] / row[what] for base, row in zip(found[first], rows, strict=True)]
            shown.append(
                f"{median:6.2f} s ({seconds / median:5.1f}x), {statistics.median(ratios):.2f}x {first} "
                f"(from {min(ratios):.2f} to {max(ratios):.2f})"
            )
        print(f"{engine:14} {shown[0]}; processor {shown[1]}")


if __name__ == "__main__":
    main()
