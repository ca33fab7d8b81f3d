"""The ffmpeg program: where it is, and how tightly it is bound wherever a recording is given to it.

The recording is hostile until proven otherwise: ffmpeg may open nothing but the descriptor that it is handed
(no network, no playlists, no other files), and runs under limits of memory and processor time.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

from asr_daemon.errors import ConfigurationError
from asr_daemon.files.formats import DEMUXERS

MEMORY_LIMIT_BYTES = 2 << 30
FFMPEG_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
DESCRIBE_WITHIN_S = 10.0
DESCRIBED_LINES, DESCRIBED_CHARACTERS = 40, 300
_OF_COURSE = "At least one output file must be specified"


def find_ffmpeg(configured: str = "") -> Path:
    """Return the program: the configured one, else the system's, else the one imageio-ffmpeg brings.

    Raises :class:`ConfigurationError` where the configured one cannot be run or there is none at all.
    """
    if configured:
        found = shutil.which(configured)
        if found is None:
            raise ConfigurationError([f"engine.ffmpeg: {configured} cannot be run; leave it empty"])
        return Path(found).absolute()
    if found := shutil.which("ffmpeg"):
        return Path(found).absolute()
    import imageio_ffmpeg  # noqa: PLC0415 (only where the system has none)

    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe()).absolute()
    except RuntimeError:
        raise ConfigurationError(
            ["engine.ffmpeg: no ffmpeg on this machine; install it (apt install ffmpeg) or name its path"]
        ) from None


def open_arguments(
    ffmpeg: Path,
    fd: int,
    span: tuple[int, int] | None = None,
    options: tuple[str, ...] = (),
    loglevel: str = "info",
) -> list[str]:
    """Return the command with which ffmpeg opens a recording, and may open nothing else.

    ``span`` (from, to in bytes) shows it a part of the file; ``options`` are those of the input.
    """
    url = f"file:/dev/fd/{fd}"  # it opens it anew: own offset, seekable, renamed or not
    protocols = "file"
    if span is not None:
        url, protocols = f"subfile,,start,{span[0]},end,{span[1]},,:{url}", "file,subfile"
    return [
        str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", loglevel, "-threads", "1",
        "-protocol_whitelist", protocols, "-format_whitelist", DEMUXERS, *options, "-i", url,
    ]  # fmt: skip


def bind_ffmpeg(pid: int, cpu_s: int) -> None:
    """Limit the memory and the processor time of a running ffmpeg; it writes no file."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(pid, limit, most)


def _limit(pid: int, limit: int, most: int) -> None:
    try:
        resource.prlimit(pid, limit, (most, most))
    except (ProcessLookupError, PermissionError, ValueError):
        return  # ended already, or a lower hard limit is in force


def describe(fd: int, configured: str) -> str:
    """Return what ffmpeg says of an open recording without decoding it: container, codec, length.

    For the administrator who wonders what brought the recogniser down. Never raises: where ffmpeg says
    nothing, the reason is returned. ``configured`` is ``engine.ffmpeg``.
    """
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
    bind_ffmpeg(process.pid, cpu_s=int(DESCRIBE_WITHIN_S))
    try:
        _, said = process.communicate(timeout=DESCRIBE_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"ffmpeg came to no end within {DESCRIBE_WITHIN_S:.0f} s"
    lines = [line.rstrip()[:DESCRIBED_CHARACTERS] for line in said.decode(errors="replace").splitlines()]
    return "\n".join(["ffmpeg says:", *(line for line in lines if line != _OF_COURSE)][:DESCRIBED_LINES])
