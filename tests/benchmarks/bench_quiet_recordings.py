"""Character errors of recordings made quieter, over a recorder's own noise, paired with another checkout.

    python tests/benchmarks/bench_quiet_recordings.py FOLDER [CHECKOUT] [--db 0 -20 -40 -60]

The folder holds NAME.ref.txt (spoken form) beside each recording. Each is decoded, lowered, mixed with white
noise of -95 dBFS and written as 32 bit float, as recorders with such a format do. Counted before
normalisation, Chinese characters only, with 800 ms of silence between segments in both checkouts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from bench_cer import NOT_HANZI, reference_of, with_references
from rapidfuzz.distance import Levenshtein

from asr_daemon.ffmpeg import find_ffmpeg

HERE = Path(__file__).parents[2]
RATE_HZ = 16_000
NOISE_DBFS = -95.0
CONFIGURATION = """\
[daemon]
state_dir = "state"
[engine]
device = "cpu"
[[inbox]]
name = "any"
path = "any"
max_end_silence_ms = 800
"""


def ffmpeg(*arguments: str, given: bytes = b"") -> bytes:
    """Run it; return what it writes."""
    command = [str(find_ffmpeg()), "-v", "error", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def quieter(recording: Path, db: float, made: Path) -> None:
    """Write a copy at another level."""
    sound = np.frombuffer(
        ffmpeg("-i", os.fspath(recording), "-f", "f32le", "-ac", "1", "-ar", str(RATE_HZ), "-"), np.float32
    )
    noise = np.random.default_rng(1).normal(0, 10 ** (NOISE_DBFS / 20), len(sound))
    mixed = (sound * 10 ** (db / 20) + noise).astype(np.float32)
    raw = ("-f", "f32le", "-ac", "1", "-ar", str(RATE_HZ))
    ffmpeg(*raw, "-i", "-", "-c:a", "pcm_f32le", os.fspath(made), given=mixed.tobytes())


def transcribe(checkout: Path, folder: Path, path: Path) -> str:
    """Return the raw text of a recording, by the program of that checkout."""
    command = [sys.executable, "-m", "asr_daemon", "transcribe", "-c", os.fspath(folder / "config.toml")]
    answer = subprocess.run(
        [*command, "--inbox", "any", "--format", "json", os.fspath(path)],
        capture_output=True,
        check=False,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": os.fspath(checkout)},
    )
    if answer.returncode:
        return ""
    return "".join(segment["raw_text"] for segment in json.loads(answer.stdout)["segments"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("checkout", type=Path, nargs="?")
    parser.add_argument("--db", type=float, nargs="+", default=[0.0, -20.0, -40.0, -60.0])
    options = parser.parse_args()
    recordings = with_references(options.folder)
    checkouts = [HERE, *([options.checkout.absolute()] if options.checkout else [])]
    print("characters wrong: " + " / ".join(["here", *(["there"] if options.checkout else [])]))
    for db in options.db:
        wrong, length = [0] * len(checkouts), 0
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / str(number) for number in range(len(checkouts))]
            for folder in folders:
                (folder / "any").mkdir(parents=True)
                (folder / "config.toml").write_text(CONFIGURATION, encoding="utf-8")
            for recording in recordings:
                made = Path(name) / f"{recording.stem}.wav"
                quieter(recording, db, made)
                reference = reference_of(recording)
                length += len(reference)
                for number, checkout in enumerate(checkouts):
                    said = NOT_HANZI.sub("", transcribe(checkout, folders[number], made))
                    wrong[number] += Levenshtein.distance(reference, said)
        print(f"{db:+5.0f} dB  " + " / ".join(f"{100 * each / length:6.2f}%" for each in wrong), flush=True)


if __name__ == "__main__":
    main()
