"""How systemd has the service: running, stopped, failed, enabled, and whether it runs by an older drop-in.

Enters: a way to ask ``systemctl`` (tests give another). Leaves: :class:`ServiceState`, or None where no unit
is installed or no systemd runs. Changes nothing.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNIT_NAME = "asr-daemon.service"
UNIT = Path("/etc/systemd/system") / UNIT_NAME
PROPERTIES = (
    *("LoadState", "ActiveState", "UnitFileState", "Result", "ExecMainStatus"),
    "ExecMainStartTimestampMonotonic",
)
WITHIN_S = 5.0
SECOND_S = 1.0  # files are stamped by a coarser clock


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What ``systemctl show`` says."""

    active: str  # "active", "activating", "inactive", "failed" ...
    enabled: str  # "enabled", "disabled", "static", "masked" ...
    result: str  # "success", "exit-code", "watchdog", "oom-kill", "start-limit-hit" ...
    exit_code: int  # of its last process
    started_s: float  # by the wall clock; 0: never
    unit: str = "asr-daemon"

    @property
    def runs(self) -> bool:
        """Whether it runs, or is on its way."""
        return self.active in ("active", "activating", "reloading")

    @property
    def is_started_at_boot(self) -> bool:
        """Whether the next boot starts it."""
        return self.enabled in ("enabled", "enabled-runtime", "static", "generated", "alias", "indirect")

    @property
    def problem(self) -> str:
        """What is wrong with it, in a sentence; "" where it runs, now and after the next boot."""
        if self.active == "failed":
            how = f"exit code {self.exit_code}" if self.result == "exit-code" else self.result
            return f"the service has failed ({how}): journalctl -u {self.unit} -p err -e says why"
        if self.enabled == "masked":
            return f"the service is masked: systemctl unmask {self.unit}"
        if not self.runs:
            return f"the service is stopped: systemctl enable --now {self.unit}"
        if not self.is_started_at_boot:
            told = "the service runs, but the next boot does not start it"
            return f"{told}: systemctl enable {self.unit}"
        return ""

    def is_older_than(self, files: Iterable[Path]) -> bool:
        """Whether it runs and was started before one of these files of its unit was written."""
        if not self.runs or not self.started_s:
            return False
        for path in files:
            try:
                if path.stat().st_mtime > self.started_s + SECOND_S:
                    return True
            except OSError:
                continue
        return False


def is_by(unit: str, config_path: Path | None) -> bool:
    """Return whether a unit's text starts the service by that configuration."""
    return config_path is not None and f"-c {config_path}" in unit.replace('"', "")


def ask_systemctl(*command: str) -> str | None:
    """Return what a program printed; None where it is not there, failed, or did not end in time."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=True, timeout=WITHIN_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout


def service_state(
    ask: Callable[..., str | None] = ask_systemctl, unit: str = UNIT_NAME
) -> ServiceState | None:
    """Return the installed service's; None where there is none."""
    printed = ask("systemctl", "show", unit, *(f"--property={name}" for name in PROPERTIES))
    said = dict(line.split("=", 1) for line in (printed or "").splitlines() if "=" in line)
    if said.get("LoadState") not in ("loaded", "masked", "error", "bad-setting"):
        return None
    started_us = int(said.get("ExecMainStartTimestampMonotonic") or 0)
    age_s = time.clock_gettime(time.CLOCK_MONOTONIC) - started_us / 1e6
    return ServiceState(
        active=said.get("ActiveState", ""),
        enabled=said.get("UnitFileState", ""),
        result=said.get("Result", ""),
        exit_code=int(said.get("ExecMainStatus") or 0),
        started_s=time.time() - age_s if started_us else 0.0,
        unit=unit.removesuffix(".service"),
    )


def service_of(
    config_path: Path | None, ask: Callable[..., str | None] = ask_systemctl
) -> ServiceState | None:
    """Return the state of the service that runs by this configuration; None where there is none."""
    try:
        unit = UNIT.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return service_state(ask) if is_by(unit, config_path and config_path.absolute()) else None
