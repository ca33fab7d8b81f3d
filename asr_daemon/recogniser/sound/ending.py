"""Whether a recording whose sound ends early is whole: its picture goes on to the announced end.

Asked only where sound is missing; reads the recording once more without decoding it.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT, bind_ffmpeg, open_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.recogniser.sound.facts import Facts
    from asr_daemon.recogniser.sound.parts import Part

LOOK_WITHIN_S = 60.0
NEAR_S = 1.0


def reaches_its_end(fd: int, ffmpeg: Path, part: Part, facts: Facts) -> bool:
    """Return whether the last packets of the picture lie where the container says that it ends."""
    if facts.duration_s is None or facts.start_s is None:
        return False
    # from shortly before the end on: where the file was cut off, there is nothing
    at_s = max(0.0, facts.duration_s - 3 * NEAR_S)
    options = (*part.input_options, "-ss", f"{at_s:.3f}")
    command = [
        *open_arguments(ffmpeg, fd, part.span, options, "error"), "-map", "0:v:0", "-c", "copy", "-copyts",
        "-f", "framecrc", "pipe:1",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        pass_fds=(fd,), env=FFMPEG_ENVIRONMENT,
    )  # fmt: skip
    bind_ffmpeg(process.pid, cpu_s=int(LOOK_WITHIN_S))
    try:
        out, _ = process.communicate(timeout=LOOK_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    unit_s, latest_s = 0.0, 0.0
    for line in out.decode(errors="replace").splitlines():
        if line.startswith("#tb 0: "):
            above, _, below = line[7:].partition("/")
            unit_s = int(above) / int(below)
        elif not line.startswith("#"):
            fields = line.split(",")
            latest_s = max(latest_s, (int(fields[2]) + int(fields[3])) * unit_s - facts.start_s)
    return latest_s >= facts.duration_s - NEAR_S
