"""Kills and disk errors at every Nth system call that changes a disk, by strace."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, recording, several

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# How often a thread may get to each of them in a run of three recordings, and the sample of the short form.
CALLS = {
    "pwrite64": (40, (11,)),
    "write": (30, (9,)),
    "fdatasync": (20, (2,)),
    "fsync": (10, (4,)),
    "rename,renameat,renameat2": (6, (1,)),
}
OUTCOMES = ("signal=KILL", "error=ENOSPC", "error=EIO")
WANTED = {f"{number}.wav": recording(number, segments=2) for number in range(3)}


def every() -> Iterator[tuple[str, str, int]]:
    for calls, (most, _) in CALLS.items():
        for outcome, number in itertools.product(OUTCOMES, range(1, most + 1)):
            yield calls, outcome, number


def sample() -> Iterator[tuple[str, str, int]]:
    for place, (calls, (_, numbers)) in enumerate(CALLS.items()):
        for number in numbers:
            yield calls, OUTCOMES[(place + number) % 3], number


def needs_strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    tried = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "true"],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip("strace may not trace here")


def attack(folder: Path, calls: str, outcome: str, number: int, *, recognisers: int = 1) -> None:
    """Run three recordings with that injection, then (where it ended the daemon) go on without it."""
    daemon = AttackedDaemon(folder, extra="max_attempts = 20" + several(recognisers))
    for name, content in WANTED.items():
        (daemon.inbox / name).write_bytes(content)
    inject = ("-e", f"trace={calls}", "-e", f"inject={calls}:{outcome}:when={number}")
    daemon.prefix = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(folder / "strace.txt"), *inject)
    daemon.launch()
    deadline_s = time.monotonic() + 6.0  # where each new thread gets the error anew, it would wait for ever
    try:
        eventually(
            lambda: daemon.all_settled() or not daemon.is_running() or time.monotonic() > deadline_s,
            what="the end of the work",
        )
        daemon.check_integrity()
        daemon.check_nothing_half(WANTED)
    finally:
        daemon.kill_all()
    daemon.check_integrity()
    daemon.prefix = ()
    with daemon:
        daemon.start()
        daemon.wait_until_done(len(WANTED))
        remove_half_written(daemon)
        daemon.check_exactly_once(WANTED)
        assert daemon.stop() == 0


def remove_half_written(daemon: AttackedDaemon) -> None:
    """Take away hidden files that the kill left; the daemon does so itself once they are a minute old."""
    for left in daemon.inbox.glob(".asr-daemon-*.tmp"):
        left.unlink()


@pytest.mark.parametrize(("calls", "outcome", "number"), list(sample()))
def test_injected_trouble_loses_nothing(tmp_path: Path, calls: str, outcome: str, number: int) -> None:
    """A kill, a full disk or an I/O error at some moment: in the end one whole transcript each."""
    needs_strace()
    attack(tmp_path, calls, outcome, number)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_injected_trouble_at_every_call(tmp_path: Path) -> None:
    """The same at every moment there is; every fourth time with two recognisers."""
    needs_strace()
    failed = []
    for place, case in enumerate(every()):
        folder = tmp_path / str(place)
        folder.mkdir()
        try:
            attack(folder, *case, recognisers=1 if place % 4 else 2)
        except AssertionError as error:
            failed.append((*case, str(error)[:300]))
        else:
            shutil.rmtree(folder)
    assert not failed, f"{len(failed)} of {place + 1}: {failed}"
