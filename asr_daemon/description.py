"""What ffmpeg says of a recording without decoding it: container, codec, length, or why it cannot tell.

Enters: an open recording. Leaves: lines for the administrator who wonders what brought the recogniser down.
ffmpeg is as tightly bound here as where it decodes (:mod:`asr_daemon.audio`).
"""

from __future__ import annotations

import subprocess

from asr_daemon.audio import FFMPEG_ENVIRONMENT, bind_ffmpeg, find_ffmpeg, open_arguments
from asr_daemon.errors import ConfigurationError

TIMEOUT_S = 10.0
MOST_LINES, MOST_CHARACTERS = 40, 300
_OF_COURSE = "At least one output file must be specified"


def describe(fd: int, configured: str) -> str:
    """Return ffmpeg's words, or why it said none; ``configured`` as in ``engine.ffmpeg``. Never raises."""
    try:
        process = subprocess.Popen(
            open_arguments(find_ffmpeg(configured), fd),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(fd,),
            env=FFMPEG_ENVIRONMENT,
        )
    except (OSError, ConfigurationError) as error:
        return f"ffmpeg could not be started: {error}"
    bind_ffmpeg(process.pid, cpu_s=int(TIMEOUT_S))
    try:
        _, said = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"ffmpeg came to no end within {TIMEOUT_S:.0f} s"
    lines = [line.rstrip()[:MOST_CHARACTERS] for line in said.decode(errors="replace").splitlines()]
    return "\n".join(["ffmpeg says:", *(line for line in lines if line != _OF_COURSE)][:MOST_LINES])
