"""The whole recogniser against stock ``AutoModel(vad_model=...)``: same model, VAD, recordings and cores.

    OMP_WAIT_POLICY=PASSIVE python tests/benchmarks/bench_recogniser.py MODELS_FOLDER AUDIO_FILE...

(a) sixty recordings of 20 s, (b) one of an hour. Each engine runs in a process of its own (its peak memory
is its own); loading is not counted. Runs alternate, so that a busy machine strikes both alike. Both have as
many threads: stock gives all to torch, ours keeps one for decoding and segmenting.

``--only memory`` shows instead that memory does not grow: the recogniser on ten minutes, on an hour, and on
``--hours``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.dispatch.protocol import Failed, Finished, Ready, Recognise, Recognised, Setup
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.catalogue import resolve
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.transcripts.profile import Profile

STOCK = """
import json, logging, resource, sys, time
logging.basicConfig(level=logging.ERROR)
from funasr import AutoModel
folder, vad, threads, first, *paths = sys.argv[1:]
model = AutoModel(model=folder, vad_model=vad, vad_kwargs={"max_end_silence_time": 800}, device="cpu",
                  ncpu=int(threads), disable_update=True, disable_pbar=True, log_level="ERROR")
model.generate(input=first)
began = time.perf_counter()
texts = [model.generate(input=path, batch_size_s=300)[0]["text"] for path in paths]
spent = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("RESULT", spent, peak * 1024, sum(len(text.replace(" ", "")) for text in texts))
"""


def read(path: Path) -> np.ndarray:
    """Return a recording, whole."""
    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 86_400)))


def write(path: Path, samples: np.ndarray) -> Path:
    """Write 16 kHz mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def run_stock(models: Path, threads: int, first: Path, paths: list[Path]) -> tuple[float, float, int]:
    """Return seconds, peak bytes and characters of stock FunASR."""
    command = [sys.executable, "-c", STOCK, str(models / "paraformer-tiny-zh"), str(models / "fsmn-vad")]
    done = subprocess.run(
        [*command, str(threads), str(first), *map(str, paths)], capture_output=True, text=True, check=True
    )
    spent, peak, characters = done.stdout.rpartition("RESULT")[2].split()
    return float(spent), float(peak), int(characters)


def run_ours(
    models: Path, threads: int, first: Path, paths: list[Path]
) -> tuple[float, float, int, dict[str, int]]:
    """Return seconds, peak bytes, characters and the time of each stage of our recogniser."""
    choice = resolve(str(models / "paraformer-tiny-zh"), models, "cpu")
    setup = Setup(
        choice.name, choice.family, choice.folder, choice.vad_folder, "", "cpu", 0.0, max(1, threads - 1),
        str(find_ffmpeg()), 86_400.0,
    )  # fmt: skip
    child = RecogniserProcess.spawn(setup)
    assert isinstance(child.receive(180), Ready)
    profile = Profile("m", itn=False, phonetic_correction=False)
    stages: dict[str, int] = {}
    characters = 0
    for measured, batch in ((False, [first]), (True, paths)):
        began = time.perf_counter()
        for number, path in enumerate(batch):
            fd = os.open(path, os.O_RDONLY)
            child.send(Recognise(number + 1000 * measured, number, path.name, profile), fd)
            os.close(fd)
        left = len(batch)
        while left:
            message = child.receive(600)
            if isinstance(message, Recognised) and measured:
                characters += sum(len(segment.raw_text.replace(" ", "")) for segment in message.segments)
            elif isinstance(message, Finished):
                left -= 1
                for stage, spent in message.timings_ms.items() if measured else ():
                    stages[stage] = stages.get(stage, 0) + spent
            elif isinstance(message, Failed) or message is None:
                raise SystemExit(f"the recogniser failed: {message}")
        spent_s = time.perf_counter() - began
    status = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    child.stop(20)
    return spent_s, peak, characters, stages


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=lambda name: Path(name).resolve())
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long-s", type=int, default=3600)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each engine")
    parser.add_argument("--hours", type=float, default=8, help="the recording whose memory is shown")
    parser.add_argument("--only", choices=["many", "long", "memory"])
    options = parser.parse_args()
    parts = np.concatenate([read(path) for path in options.audio])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        piece = 20 * SAMPLE_RATE_HZ
        turned = [np.roll(parts, -number * 7 * SAMPLE_RATE_HZ)[:piece] for number in range(60)]
        many = [write(folder / f"{number}.wav", audio) for number, audio in enumerate(turned)]
        everything = write(folder / "everything.wav", parts)
        if options.only in (None, "many"):
            compare("many", 1200, many[0], many, options)
        if options.only in (None, "long"):
            long = [loop(everything, folder / "long.wav", options.long_s)]
            compare("long", options.long_s, many[0], long, options)
        if options.only == "memory":
            peaks = []
            for seconds in (600, 3600, round(options.hours * 3600)):
                path = loop(everything, folder / "long.flac", seconds)
                spent, peak, *_ = run_ours(options.models, options.threads, many[0], [path])
                peaks.append(peak)
                print(f"{seconds / 3600:5.2f} h: {spent:.0f} s, peak {peak / 1e6:.0f} MB", flush=True)
            print(f"difference {(peaks[-1] - peaks[0]) / 1e6:+.0f} MB")


def loop(source: Path, target: Path, seconds: int) -> Path:
    """Write a recording of that length, again and again the same; ffmpeg does, for its memory is not ours."""
    command = [find_ffmpeg(), "-v", "error", "-y", "-stream_loop", "-1", "-i", source, "-t", str(seconds)]
    subprocess.run([*command, target], check=True)
    return target


def compare(name: str, seconds: float, first: Path, paths: list[Path], options: argparse.Namespace) -> None:
    """Run both in turns."""
    ratios = []
    for _ in range(options.rounds):
        theirs = run_stock(options.models, options.threads, first, paths)
        ours = run_ours(options.models, options.threads, first, paths)
        ratios.append(theirs[0] / ours[0])
        for who, (spent, peak, characters) in (("stock", theirs), ("ours", ours[:3])):
            print(
                f"{name:5} {who:5} {spent:7.2f} s {seconds / spent:6.0f}x  "
                f"peak {peak / 1e6:6.0f} MB  {characters} characters"
            )
        print(f"      stages in ms: {ours[3]}", flush=True)
    print(f"{name}: {statistics.median(ratios):.2f}x stock (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
