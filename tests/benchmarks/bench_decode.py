"""Decoding alone, to 16 kHz mono: ours against pydub, each in a process of its own.

    python tests/benchmarks/bench_decode.py AUDIO_FILE...

The recordings make one of ``--seconds`` in each format, 48 kHz stereo as phones and recorders leave them.
Runs alternate, so that a busy machine strikes both alike; memory is the process's own, ffmpeg's beside it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from asr_daemon.ffmpeg import find_ffmpeg

CODECS = {"wav": "pcm_s16le", "mp3": "mp3", "m4a": "aac", "flac": "flac"}  # pydub asks ffprobe unless told
MEASURE = """
import resource, sys, time
{before}
began = time.perf_counter()
samples = decode(sys.argv[1], sys.argv[2], sys.argv[3])
spent = time.perf_counter() - began
kilobytes = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print("RESULT", spent, *(1024 * peak for peak in kilobytes), samples)
"""
PYDUB = """
import warnings
warnings.simplefilter("ignore")
from pydub import AudioSegment
def decode(path, codec, ffmpeg):
    AudioSegment.converter = ffmpeg
    sound = AudioSegment.from_file(path, codec=codec).set_frame_rate(16000).set_channels(1)
    return int(sound.frame_count())
"""
OURS = """
from pathlib import Path
from asr_daemon.recogniser.sound.decoding import Decoding
import numpy
def decode(path, codec, ffmpeg):
    with open(path, "rb") as file:
        return sum(map(len, Decoding(file.fileno(), Path(ffmpeg), 1e6)))
"""


def run(before: str, path: Path, codec: str) -> tuple[float, float, float, int]:
    """Return seconds, peak bytes of the process and of its ffmpeg, and samples."""
    command = [sys.executable, "-c", MEASURE.format(before=before), path, codec, find_ffmpeg()]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    spent, own, ffmpeg, samples = done.stdout.rpartition("RESULT")[2].split()
    return float(spent), float(own), float(ffmpeg), int(samples)


def make(sources: list[Path], target: Path, seconds: int) -> None:
    """Write the recordings one behind the other, again and again, as 48 kHz stereo."""
    one = target.with_name("one.wav")
    inputs = [word for source in sources for word in ("-i", source)]
    joined = "".join(
        f"[{number}:a]aresample=48000,aformat=channel_layouts=stereo[s{number}];"
        for number in range(len(sources))
    )
    joined += "".join(f"[s{number}]" for number in range(len(sources))) + f"concat=n={len(sources)}:v=0:a=1"
    quiet = [find_ffmpeg(), "-v", "error", "-y"]
    if not one.exists():
        subprocess.run([*quiet, *inputs, "-filter_complex", joined, one], check=True)
    subprocess.run([*quiet, "-stream_loop", "-1", "-i", one, "-t", str(seconds), target], check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in CODECS.items():
            path = Path(folder) / f"a.{suffix}"
            make(options.audio, path, options.seconds)
            pairs = [(run(PYDUB, path, codec), run(OURS, path, codec)) for _ in range(options.rounds)]
            for who, runs in (("pydub", [pair[0] for pair in pairs]), ("ours", [pair[1] for pair in pairs])):
                spent, own, ffmpeg = (
                    statistics.median(values) for values in list(zip(*runs, strict=True))[:3]
                )
                print(
                    f"{suffix:4} {who:5} {spent:6.2f} s {options.seconds / spent:6.0f}x  "
                    f"peak {own / 1e6:5.0f} MB, ffmpeg {ffmpeg / 1e6:4.0f} MB  {runs[0][3]} samples"
                )
            ratios = sorted(theirs[0] / ours[0] for theirs, ours in pairs)
            middle = statistics.median(ratios)
            print(f"{suffix:4} {middle:.2f}x pydub (from {ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


if __name__ == "__main__":
    main()
