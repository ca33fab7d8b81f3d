"""A part of a recording as plain 16 kHz mono WAVE: ``python -m asr_daemon.playback.cutting``.

Arguments: SOUND PART FFMPEG MOST_S FROM_MS UNTIL_MS; the first two are open files. Enters: a recording, as
the recogniser's own decoder hears it. Leaves: that part in the other file; on stdout one line at the end
(``{"duration_ms"}``, 0 where the recording ends before, or ``{"error", "message"}``).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import wave
from pathlib import Path

from asr_daemon.errors import WorkError
from asr_daemon.playback.copying import as_int16
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding


def run(sound: int, part: int, ffmpeg: Path, most_s: float, from_ms: int, until_ms: int) -> int:
    """Cut it; return the process's exit code."""
    try:
        samples = _cut(sound, part, ffmpeg, most_s, from_ms, until_ms)
    except WorkError as error:
        _say(error=error.code, message=str(error))
        return 1
    _say(duration_ms=samples * 1000 // SAMPLE_RATE_HZ)
    return 0


def _cut(sound: int, part: int, ffmpeg: Path, most_s: float, from_ms: int, until_ms: int) -> int:
    first, last = (at * SAMPLE_RATE_HZ // 1000 for at in (from_ms, until_ms))
    decoding = Decoding(sound, ffmpeg, most_s)
    at = written = 0
    with os.fdopen(part, "wb", closefd=False) as file, wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE_HZ)
        with contextlib.closing(decoding):
            for window in decoding:
                wanted = window[max(0, first - at) : max(0, last - at)]
                out.writeframes(as_int16(wanted).tobytes())
                written += len(wanted)
                at += len(window)
                if at >= last:
                    break
    return written


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)  # noqa: T201 (what the daemon reads)


if __name__ == "__main__":
    sound, part, ffmpeg, most_s, from_ms, until_ms = sys.argv[1:]
    sys.exit(run(int(sound), int(part), Path(ffmpeg), float(most_s), int(from_ms), int(until_ms)))
