"""A part of a recording in a file of its own: cut by a child, as the recogniser hears it.

Enters: an open recording, and where the part is to lie. Leaves: that file. Fails with the decoder's
:class:`~asr_daemon.errors.WorkError`, or where the recording ends before the part begins.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from asr_daemon.errors import InternalError, JobError, work_error
from asr_daemon.ffmpeg import find_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config_sections import EngineSection

MODULE = "asr_daemon.playback.cutting"
MOST_S = 600.0
SIGN_OF_LIFE_S = 5.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class NothingThereError(JobError):
    """The recording ends before the part that was asked for."""

    code = "nothing_there"
    chinese = "录音没有这么长，请选择靠前的位置。"


def cut(sound: int, path: Path, engine: EngineSection, from_ms: int, until_ms: int) -> Iterator[None]:
    """Write the part to ``path``; yields now and then, and ends the child where it is closed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    part = os.open(path, flags, 0o600)
    try:
        given = (sound, part, find_ffmpeg(engine.ffmpeg), engine.max_duration_h * 3600, from_ms, until_ms)
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *map(str, given)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(sound, part),
            env={**os.environ, **dict.fromkeys(_THREADS, "1")},
        )
    finally:
        os.close(part)
    deadline_s = time.monotonic() + MOST_S
    try:
        while time.monotonic() < deadline_s:
            try:
                said, _ = process.communicate(timeout=SIGN_OF_LIFE_S)
            except subprocess.TimeoutExpired:
                yield
            else:
                _judge(said)
                return
        raise InternalError(f"no part of it was cut within {MOST_S:.0f} s")
    finally:
        process.kill()
        process.wait()


def _judge(said: bytes) -> None:
    try:
        told = json.loads(said)
    except ValueError:
        raise InternalError("the part could not be cut") from None
    if "error" in told:
        raise work_error(str(told["error"]), str(told.get("message", "")))
    if not told["duration_ms"]:
        raise NothingThereError
