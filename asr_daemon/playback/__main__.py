"""``python -m asr_daemon.playback SOUND COPY PEAKS FFMPEG MOST_S MOST_BYTES``; first three open files."""

from __future__ import annotations

import sys
from pathlib import Path

from asr_daemon.playback.copying import run

if __name__ == "__main__":
    sound, copy, peaks, ffmpeg, most_s, most_bytes = sys.argv[1:]
    sys.exit(run(int(sound), int(copy), int(peaks), Path(ffmpeg), float(most_s), int(most_bytes)))
