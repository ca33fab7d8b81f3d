"""The versions that a report of a fault should name; without importing torch."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version

from asr_daemon import __version__

PARTS = ("torch", "funasr", "silero-vad", "imageio-ffmpeg")


def versions() -> dict[str, str]:
    """Return name to version, of this program first."""
    found = {"asr-daemon": __version__, "python": platform.python_version()}
    for part in PARTS:
        try:
            found[part] = version(part)
        except PackageNotFoundError:
            found[part] = "not installed"
    found["sqlite"] = sqlite3.sqlite_version
    return found


def version_text() -> str:
    """Return one line a part."""
    return "\n".join(f"{name} {number}" for name, number in versions().items())
