"""Hostile files, with the real recogniser: each ends in a typed outcome, and nothing else is touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attacks_on_recordings
import pytest

from support import SAMPLES, DaemonUnderTest, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeDaemon = Callable[..., DaemonUnderTest]

pytestmark = pytest.mark.slow

TYPED = {"empty_file", "not_decodable", "no_audio", "too_long"}
GROWTH_BYTES = 200 * 1024 * 1024


def most_memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def attack(daemon: DaemonUnderTest, tmp_path: Path, *, formats: tuple[str, ...], day_long: bool) -> None:
    canary = tmp_path / "canary.wav"
    shutil.copy(SAMPLES / "lecture.wav", canary)
    inbox = tmp_path / "inbox"
    trace = tmp_path / "strace.txt"
    if shutil.which("strace"):
        calls = "trace=openat,open,openat2,connect,sendto,sendmsg"
        daemon.prefix = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace), "-e", calls)
    shutil.copy(SAMPLES / "lecture.wav", inbox / "good.wav")
    daemon.start()
    daemon.wait_for("inbox/good.txt")
    pid = daemon.live()["recogniser"]["pid"]
    before = most_memory_bytes(pid)
    made = tmp_path / "made"
    made.mkdir()
    names = attacks_on_recordings.make(made, canary, formats=formats, day_long=day_long)
    for name in names:
        (made / name).rename(inbox / name)
    shutil.copy(SAMPLES / "support.mp3", inbox / "last.mp3")

    def ended() -> bool:
        rows = {row["name"]: row["state"] for row in daemon.history()}
        return set(names) <= set(rows) and "waiting" not in rows.values()

    eventually(ended, within_s=1200 if day_long else 150, what="every file's outcome")
    assert daemon.wait_for("inbox/last.txt")
    assert daemon.live()["recogniser"]["pid"] == pid, "the recogniser did not survive"
    assert most_memory_bytes(pid) - before < GROWTH_BYTES
    for row in daemon.history():
        if row["state"] == "failed":
            assert row["error_code"] in TYPED, row["name"]
            assert (inbox / f"{Path(row['name']).stem}.转写失败.txt").exists() or list(
                inbox.glob(f"{row['name']}*.转写失败.txt")
            ), row["name"]
        else:
            assert row["state"] == "done", row["name"]
    if trace.exists():
        text = trace.read_text(encoding="utf-8", errors="replace")
        assert str(canary) not in text
        assert "sa_family=AF_INET" not in text


def test_hostile_files_end_in_typed_outcomes(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """Rubbish, lies, playlists in disguise and one format cut at 10..90%."""
    attack(make_daemon(), tmp_path, formats=("m4a",), day_long=False)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_all_hostile_files(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """All formats cut, and a small FLAC that unpacks to a day."""
    daemon = make_daemon(extra="[engine]\nmax_duration_h = 1")
    attack(daemon, tmp_path, formats=attacks_on_recordings.FORMATS, day_long=True)
