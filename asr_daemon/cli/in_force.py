"""The configuration that a running daemon has in force, where the file's cannot be used.

Enters: the path of a file with problems, or one that may not be read. Leaves: what the daemon answers that
was started with it, or None. What it says is believed for looking and steering alone, and only if it is of
the state folder in which it was asked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import ValidationError

from asr_daemon.config import SYSTEM_CONFIG, Config
from asr_daemon.config_sections import default_state_dir
from asr_daemon.control.socket import ask
from asr_daemon.errors import OperatorError
from asr_daemon.files.home import expanded

SYSTEM_STATE_DIR = Path("/var/lib/asr-daemon")
ANSWER_WITHIN_S = 3.0


def likely_socket(path: Path | None) -> Path:
    """Return where the daemon of that file listens, as far as can be told of a file with problems."""
    return likely_state_dir(path) / "control.sock"


def likely_state_dir(path: Path | None) -> Path:
    """Return the state folder that a file names, whatever else is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    except OSError:
        text = ""
    if path and (named := re.search(r"""(?m)^\s*state_dir\s*=\s*["']([^"'\n]+)["']""", text)):
        base = path.resolve().parent
        return Path(os.path.normpath(base / expanded(named[1].strip())))
    if path == SYSTEM_CONFIG and "STATE_DIRECTORY" not in os.environ:
        return SYSTEM_STATE_DIR
    return default_state_dir()


def config_in_force(path: Path | None) -> Config | None:
    """Return the running daemon's; None where none answers, or one of another release."""
    folder = likely_state_dir(path)
    try:
        answer = ask(folder / "control.sock", "configuration", silent_for_s=ANSWER_WITHIN_S)
        config = Config.model_validate(answer["configuration"])
    except (OperatorError, ValidationError, KeyError):
        return None
    return config if config.state_dir == folder else None
