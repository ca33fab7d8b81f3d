"""The text of a unit as it is installed: with this environment's program, the user, the release."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asr_daemon
from asr_daemon.install.access import quoted
from asr_daemon.install.shipped import shipped_text

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.install.environment import Environment

STAMP = "# Installed by asr-daemon "


def unit_text(
    name: str, commands: dict[str, str], environment: Environment, config_path: Path, user: str
) -> str:
    """Return the unit of that name; ``commands`` are its ``Exec...=`` and what each runs."""
    text = shipped_text(f"systemd/{name}")
    for key, command in commands.items():
        words = (*environment.command, command, "-c", str(config_path))
        line = f"{key}=" + " ".join(map(quoted, words)).replace("$", "$$")
        text = re.sub(rf"(?m)^{key}=.*$", line.replace("\\", r"\\"), text)
    text = re.sub(r"(?m)^(User|Group)=.*$", rf"\g<1>={user}", text)
    return f"{STAMP}{asr_daemon.__version__}\n{text}"
