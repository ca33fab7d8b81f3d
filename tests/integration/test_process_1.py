"""As process 1 of a name space: nobody stays a zombie, signals reach the program, its exit code passes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_SPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
MAY = (
    os.geteuid() == 0
    and subprocess.run([*NAME_SPACE, "true"], capture_output=True, check=False).returncode == 0
)
pytestmark = pytest.mark.skipif(not MAY, reason="no name space of processes can be made here")

# A program with a child of its own whose exit code it wants, and orphans: children of one that was killed.
PROGRAM = """
import os, signal, subprocess, sys, time
from pathlib import Path
{stay_behind}
def states():
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(path.read_text().rpartition(")")[2].split()[0])
        except OSError:
            pass
    return found
for _ in range(20):
    parent = subprocess.Popen(["sh", "-c", "sleep 0.2 & sleep 0.2 & exec sleep 100"])
    time.sleep(0.02)
    parent.kill()
    assert parent.wait() == -9
codes = [subprocess.run(["sh", "-c", f"exit {{code}}"]).returncode for code in range(40)]
time.sleep(0.5)
def stop(number, frame):
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
print(os.getpid(), codes == list(range(40)), states().count("Z"), os.environ.get("LISTEN_PID"), flush=True)
{ending}
"""
STAY_BEHIND = "from asr_daemon.service.process_1 import stay_behind_as_process_1 as stay; stay()"


def start(stay_behind: str, ending: str = "signal.pause()") -> subprocess.Popen[str]:
    """Start the program as process 1."""
    return subprocess.Popen(
        [*NAME_SPACE, sys.executable, "-c", PROGRAM.format(stay_behind=stay_behind, ending=ending)],
        env={**os.environ, "LISTEN_PID": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def started() -> Iterator[subprocess.Popen[str]]:
    """Yield the program, behind its init."""
    process = start(STAY_BEHIND)
    yield process
    process.kill()
    process.wait()


def told(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def first_of(process: subprocess.Popen[str]) -> int:
    """Return the number, here, of what is process 1 there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    eventually(lambda: children.read_text(encoding="ascii").split(), within_s=10, what="process 1")
    return int(children.read_text(encoding="ascii").split()[0])


def test_orphans_are_reaped_and_exit_codes_are_not_stolen(started: subprocess.Popen[str]) -> None:
    """The program is process 2, learns its own children's ends, and leaves no zombie; SIGTERM reaches it."""
    number, has_codes, zombies, meant = told(started)
    assert (has_codes, zombies) == ("True", "0")
    assert number == meant != "1"
    os.kill(first_of(started), signal.SIGTERM)
    assert started.wait(10) == 5


def test_without_an_init_they_stay() -> None:
    """What this is for: the same program alone."""
    process = start("")
    number, _, zombies, _ = told(process)
    process.kill()
    process.wait()
    assert number == "1"
    assert int(zombies) >= 20


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(75)", 75), ("os.kill(os.getpid(), 9)", 137)])
def test_end_of_the_program_is_the_end_of_process_1(ending: str, code: int) -> None:
    """With its exit code, or as shells say how it was killed: a restart policy goes by that."""
    process = start(STAY_BEHIND, ending)
    told(process)
    assert process.wait(10) == code
