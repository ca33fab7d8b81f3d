"""One thing that was looked at, and what the machine answers when it is asked."""

from __future__ import annotations

import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr_daemon.clock import Clock
from asr_daemon.telemetry.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

Level = Literal["ok", "warning", "error"]
COMMAND_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    key: str  # of the configuration, or "environment", "service", "clock" ...
    text: str
    fix: str = ""


def run_program(*command: str) -> str | None:
    """Return what a program printed; None where it is not there or failed."""
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=COMMAND_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout


@dataclass(frozen=True, slots=True)
class Machine:
    """Where answers come from; tests give others."""

    root: Path = Path("/")  # of the installed service's files, /proc and /dev
    run: Callable[..., str | None] = run_program
    now: Callable[[], datetime] = field(default_factory=lambda: Clock().now)
    sqlite_version: tuple[int, ...] = sqlite3.sqlite_version_info
    journal_reachable: Callable[[], bool] = field(default_factory=lambda: Journal().reachable)

    def place(self, path: str | Path) -> Path:
        """Return where a path of the machine lies."""
        return self.root / Path(path).relative_to("/")

    def text(self, path: str | Path) -> str:
        """Return what a file says; "" where it cannot be read."""
        try:
            return self.place(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def figure(self, path: str) -> int | None:
        """Return the number in a file of /proc; None where it is not there."""
        try:
            return int(self.place(path).read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return None
