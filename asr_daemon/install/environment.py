"""What the service starts: this very environment, and the folders it is read from."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import asr_daemon


@dataclass(frozen=True)
class Environment:
    """The program and every folder it needs to be readable."""

    command: tuple[str, ...]  # of ExecStart=, before "run"
    folders: tuple[Path, ...]  # the virtual environment, its interpreter's home, the package

    @classmethod
    def running(cls) -> Environment:
        """Return the environment that this process runs in."""
        prefix = Path(sys.prefix)
        script = prefix / "bin" / "asr-daemon"
        command = (str(script),) if os.access(script, os.X_OK) else (sys.executable, "-m", "asr_daemon")
        folders = (prefix, Path(sys.base_prefix), Path(asr_daemon.__file__).resolve().parent)
        return cls(command, tuple(dict.fromkeys(folders)))
