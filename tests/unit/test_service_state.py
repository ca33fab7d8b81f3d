"""How systemd has the service, as `systemctl show` says it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from asr_daemon.install.running import ServiceState, service_state

if TYPE_CHECKING:
    from pathlib import Path


def said(**changed: str) -> ServiceState | None:
    """Return the state of a running, enabled service with these properties changed."""
    properties = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "UnitFileState": "enabled",
        "Result": "success",
        "ExecMainStatus": "0",
        "ExecMainStartTimestampMonotonic": str(int((time.clock_gettime(time.CLOCK_MONOTONIC) - 60) * 1e6)),
    }
    printed = "".join(f"{key}={value}\n" for key, value in {**properties, **changed}.items())
    return service_state(lambda *_command: printed)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({}, ""),
        ({"ActiveState": "inactive"}, "stopped"),
        ({"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "2"}, "failed (exit code 2)"),
        ({"ActiveState": "failed", "Result": "oom-kill"}, "failed (oom-kill)"),
        ({"UnitFileState": "disabled"}, "the next boot does not start it"),
        ({"LoadState": "masked", "UnitFileState": "masked", "ActiveState": "inactive"}, "masked"),
        ({"ActiveState": "activating"}, ""),
    ],
)
def test_what_is_wrong_with_it(changed: dict[str, str], problem: str) -> None:
    """Each is a sentence with the command that helps."""
    state = said(**changed)
    assert state is not None
    assert problem in state.problem
    assert bool(problem) == ("systemctl" in state.problem or "journalctl" in state.problem)


def test_no_service() -> None:
    """No unit, no systemd: nothing is alleged."""
    assert said(LoadState="not-found") is None
    assert service_state(lambda *_command: None) is None


def test_files_that_are_younger_than_its_start(tmp_path: Path) -> None:
    """What was written after it began, it does not see."""
    state = said()
    assert state is not None
    drop_in = tmp_path / "inboxes.conf"
    assert not state.is_older_than([drop_in])
    drop_in.touch()
    assert state.is_older_than([drop_in])
    os.utime(drop_in, (time.time() - 3600,) * 2)
    assert not state.is_older_than([drop_in])
    stopped = said(ActiveState="inactive")
    assert stopped is not None
    drop_in.touch()
    assert not stopped.is_older_than([drop_in])
