"""Character error rate of recordings with references, transcribed the whole way by `asr-daemon transcribe`.

Run: python tests/benchmarks/bench_cer.py FOLDER [--precision float32|bfloat16|int8]

The folder holds NAME.ref.txt (spoken form) beside each recording. Counted before normalisation, Chinese
characters only: where the inbox says nothing (0: as the model's manifest wishes), and with 800 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rapidfuzz.distance import Levenshtein

NOT_HANZI = re.compile(r"[^\u4e00-\u9fff]")
CONFIGURATION = """\
[daemon]
state_dir = "state"
[engine]
device = "cpu"
precision = "{precision}"
[[inbox]]
name = "any"
path = "any"
max_end_silence_ms = {silence_ms}
"""


def main() -> None:
    """Measure and print, for the default profile and for one that joins what stands closer than 800 ms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--precision", choices=["float32", "bfloat16", "int8"], default="float32")
    options = parser.parse_args()
    folder = options.folder
    recordings = with_references(folder)
    for silence_ms in (800, 0):
        wrong = length = 0
        for path, said in zip(recordings, transcribe(recordings, silence_ms, options.precision), strict=True):
            reference = reference_of(path)
            errors = Levenshtein.distance(reference, NOT_HANZI.sub("", said))
            wrong, length = wrong + errors, length + len(reference)
            print(
                f"{path.name:24} {errors:4} of {len(reference):5} characters  {errors / len(reference):6.1%}"
            )
        total = f"all, silence {silence_ms} ms"
        print(f"{total:24} {wrong:4} of {length:5} characters  {wrong / length:7.2%}  {options.precision}")


def with_references(folder: Path) -> list[Path]:
    """Return the recordings of a folder that have NAME.ref.txt beside them."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix not in (".json", ".md", ".txt") and path.with_suffix(".ref.txt").exists()
    ]


def reference_of(recording: Path) -> str:
    """Return the Chinese characters of its reference."""
    return NOT_HANZI.sub("", recording.with_suffix(".ref.txt").read_text(encoding="utf-8"))


def transcribe(recordings: list[Path], silence_ms: int, precision: str) -> list[str]:
    """Return the raw text of each recording."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "any").mkdir()
        config = Path(name) / "config.toml"
        config.write_text(CONFIGURATION.format(silence_ms=silence_ms, precision=precision), encoding="utf-8")
        command = [sys.executable, "-m", "asr_daemon", "transcribe", "-c", os.fspath(config)]
        options = ["--inbox", "any", "--format", "json"]
        texts = []
        for path in recordings:
            answer = subprocess.run([*command, *options, os.fspath(path)], capture_output=True, check=True)
            segments = json.loads(answer.stdout)["segments"]
            texts.append("".join(segment["raw_text"] for segment in segments))
        return texts


if __name__ == "__main__":
    main()
