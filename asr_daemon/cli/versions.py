"""The versions that a report of a fault should name; without importing torch.

Enters: the configuration in force. Leaves: one line a part. What cannot be told says so in its line, for this
is asked most where something is broken.
"""

from __future__ import annotations

import platform
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from asr_daemon import __version__
from asr_daemon.errors import AsrDaemonError
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.catalogue import resolve

if TYPE_CHECKING:
    from asr_daemon.config import Config

PACKAGES = ("torch", "funasr", "silero-vad")
FFMPEG_TIMEOUT_S = 10.0


def versions(config: Config) -> dict[str, str]:
    """Return name to version, of this program first; ffmpeg and model are those that would be used."""
    return {
        "asr-daemon": __version__,
        "python": platform.python_version(),
        **{name: _package(name) for name in PACKAGES},
        "ffmpeg": _ffmpeg(config),
        "sqlite": sqlite3.sqlite_version,
        "model": _model(config),
    }


def version_text(config: Config) -> str:
    """Return one line a part."""
    return "\n".join(f"{name} {number}" for name, number in versions(config).items())


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _ffmpeg(config: Config) -> str:
    try:
        path = find_ffmpeg(config.engine.ffmpeg)
        said = subprocess.run(
            [path, "-version"], capture_output=True, text=True, check=True, timeout=FFMPEG_TIMEOUT_S
        )
    except (AsrDaemonError, OSError, subprocess.SubprocessError) as error:
        return f"does not run: {error}"
    # "ffmpeg version 7.0.2-static https://... Copyright (c) ...": the third word is what matters
    words = said.stdout.split(maxsplit=3)
    return f"{words[2] if len(words) > 2 else 'unknown'} ({path})"  # noqa: PLR2004


def _model(config: Config) -> str:
    try:
        model = resolve(config.engine.model, config.models_dir, config.engine.device)
    except AsrDaemonError as error:
        return f"none: {error}"
    # The identity is what profiles in the history and in NAME.json name.
    return f"{model.identity}{' (built-in, for trying out only)' if model.is_builtin else ''}"
