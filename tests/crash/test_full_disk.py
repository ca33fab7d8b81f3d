"""Full disks, on small real ones: nothing is lost, no attempt is spent, and all goes on by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, recording

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

WITHIN_S = 60.0  # after space is freed
SIZE = "3m"


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Return what mounts a small disk on a folder."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    mounted: list[Path] = []

    def make(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=False, capture_output=True
        )
        if made.returncode:
            pytest.skip("cannot mount here")
        mounted.append(folder)

    yield make
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Take the disk's last byte."""
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    return ballast


@pytest.mark.parametrize("when", ["before", "during"])
def test_full_inbox_waits_and_goes_on(tmp_path: Path, mount: Callable[[Path], None], when: str) -> None:
    """No room for the transcripts: the recordings are recognised once and written when there is room."""
    mount(tmp_path / "inbox")
    daemon = AttackedDaemon(tmp_path)
    wanted = {f"{number}.wav": recording(number, segments=3, ms=20) for number in range(8)}
    with daemon:
        daemon.start()
        if when == "before":
            for name, content in wanted.items():
                drop(daemon.inbox / name, content)
            ballast = fill(daemon.inbox)
        else:
            for name, content in wanted.items():
                drop(daemon.inbox / name, content)
            eventually(lambda: list(daemon.inbox.glob("*.txt")), what="the first transcript")
            ballast = fill(daemon.inbox)
        eventually(
            lambda: daemon.query("SELECT count(*) FROM jobs WHERE state = 'done'") == [(8,)],
            what="the recognition, which needs no room in the inbox",
        )
        ballast.unlink()
        daemon.wait_until_done(8, within_s=WITHIN_S)
        daemon.check_exactly_once(wanted)
        assert set(daemon.query("SELECT attempts FROM jobs")) == {(1,)}
        assert set(daemon.recognised().values()) == {1}
        assert daemon.stop() == 0


def test_full_state_folder_waits_and_goes_on(tmp_path: Path, mount: Callable[[Path], None]) -> None:
    """No room for the history while recordings are in work and while new ones come: all of it catches up."""
    mount(tmp_path / "state")
    daemon = AttackedDaemon(tmp_path)
    wanted = {f"{number}.wav": recording(number, segments=20, ms=20) for number in range(6)}
    with daemon:
        daemon.start()
        for name in list(wanted)[:3]:
            drop(daemon.inbox / name, wanted[name])
        eventually(daemon.recognised, what="the first segment")
        ballast = fill(tmp_path / "state")
        for name in list(wanted)[3:]:
            drop(daemon.inbox / name, wanted[name])
        eventually(lambda: daemon.live()["recogniser"]["state"] == "blocked", what="that it says so")
        assert "no room" in daemon.live()["recogniser"]["problem"]
        ballast.unlink()
        daemon.wait_until_done(6, within_s=WITHIN_S)
        daemon.check_exactly_once(wanted)
        assert set(daemon.query("SELECT attempts FROM jobs")) == {(1,)}
        assert set(daemon.recognised().values()) == {1}, "what was said while the disk was full was kept"
        eventually(lambda: daemon.live()["recogniser"]["state"] == "idle", what="that it says so")
        assert daemon.stop() == 0


def test_full_disk_at_the_start_is_said_in_a_sentence(tmp_path: Path, mount: Callable[[Path], None]) -> None:
    """A daemon that cannot even open its history ends with one sentence; systemd starts it again."""
    mount(tmp_path / "state")
    daemon = AttackedDaemon(tmp_path)
    fill(tmp_path / "state")
    told = subprocess.run(
        [sys.executable, "-m", "asr_daemon", "run", "-c", daemon.config_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1
    assert "Traceback" not in told.stderr, told.stderr
    assert str(tmp_path / "state") in told.stderr
