"""From an open recording to its copy and its peaks, window by window.

Enters: descriptors of the recording, and of two empty files. Leaves: FLAC in one, in the other a byte for
each twentieth of a second, the loudest sample in it (0..255 of full scale). Lines on stdout say how far it is
(``{"decoded_s", "announced_s"}``), and at the end how it went (``{"duration_ms"}``, or ``{"error", ...}``).
Memory does not grow with the recording's length.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.errors import WorkError
from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PEAKS_PER_S = 20
NICE = 10  # recognition goes first
LOUDEST = 255
_PEAK_SAMPLES = SAMPLE_RATE_HZ // PEAKS_PER_S


def run(sound: int, copy: int, peaks: int, ffmpeg: Path, most_s: float, most_bytes: int) -> int:
    """Make both; return the process's exit code."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    try:
        samples = _copy(sound, copy, peaks, ffmpeg, most_s, most_bytes)
    except WorkError as error:
        _say(error=error.code, message=str(error))
        return 1
    except BrokenPipeError:  # the daemon, or the encoder, has gone
        return 1
    _say(duration_ms=samples * 1000 // SAMPLE_RATE_HZ)
    return 0


def _copy(sound: int, copy: int, peaks: int, ffmpeg: Path, most_s: float, most_bytes: int) -> int:
    decoding = Decoding(sound, ffmpeg, most_s)
    seen = _Peaks()
    with _encoder(ffmpeg, copy, most_bytes) as encoder, os.fdopen(peaks, "wb", closefd=False) as shown:
        assert encoder.stdin is not None  # noqa: S101 (it is a pipe)
        for window in decoding:
            encoder.stdin.write(as_int16(window).tobytes())
            shown.write(seen.of(window))
            _say(decoded_s=round(decoding.decoded_s, 1), announced_s=decoding.announced_s)
        shown.write(seen.rest())
    if encoder.returncode:
        raise WorkError("The copy to listen to could not be made: there is no room for it.")
    return decoding.decoded_samples


@contextlib.contextmanager
def _encoder(ffmpeg: Path, copy: int, most_bytes: int) -> Iterator[subprocess.Popen[bytes]]:
    """Lend a process that writes FLAC into an open file; its input are samples of ours."""
    command = [
        str(ffmpeg), "-hide_banner", "-nostats", "-loglevel", "error", "-threads", "1", "-y",
        "-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", "pipe:0",
        "-c:a", "flac", "-map_metadata", "-1", "-f", "flac", f"file:/dev/fd/{copy}",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(copy,), env=FFMPEG_ENVIRONMENT
    )
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    finally:
        assert process.stdin is not None  # noqa: S101 (it is a pipe)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


def as_int16(window: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return ``int16 [n_samples]`` of ``float32 [n_samples], about -1..1``."""
    samples: NDArray[np.int16] = np.clip(np.rint(window * 32767.0), -32768, 32767).astype(np.int16)
    return samples


class _Peaks:
    """The loudest sample of each twentieth of a second, over the borders of windows."""

    def __init__(self) -> None:
        self._left = np.zeros(0, np.float32)

    def of(self, window: NDArray[np.float32]) -> bytes:
        samples = np.concatenate((self._left, window))
        whole = len(samples) // _PEAK_SAMPLES * _PEAK_SAMPLES
        self._left = samples[whole:]
        return _bytes(np.abs(samples[:whole]).reshape(-1, _PEAK_SAMPLES).max(axis=1))

    def rest(self) -> bytes:
        return _bytes(np.abs(self._left).max(keepdims=True)) if len(self._left) else b""


def _bytes(peaks: NDArray[np.float32]) -> bytes:
    return bytes(np.minimum(np.ceil(peaks * LOUDEST), LOUDEST).astype(np.uint8).tobytes())


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)  # noqa: T201 (what the daemon reads)
