"""What is taken in: an error that nobody thought of is told, and the file is left alone for a while."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from way import OpenDaemon

from asr_daemon.inboxes import admission
from asr_daemon.inboxes.candidate import candidate_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILED = "a.转写失败.txt"


class Taking(OpenDaemon):
    """A daemon whose intake is turned by hand, with a file that is hashed wrongly at first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.is_broken = True
        self.hashed = 0
        real = admission.fingerprint

        def fingerprint(descriptor: int, *arguments: Any) -> Any:
            self.hashed += 1
            if self.is_broken:
                raise OverflowError("Python int too large")
            return real(descriptor, *arguments)

        monkeypatch.setattr(admission, "fingerprint", fingerprint)
        self.parts.intake.watch()

    def let_pass(self, seconds: float) -> None:
        """Scan every ten seconds for that long."""
        for _ in range(int(seconds / 10)):
            self.time.pass_s(10.0)
            self.parts.intake.wake("inbox", None)
            self.parts.intake.step(0.0)

    def rows(self) -> list[dict[str, Any]]:
        """Return what `history` lists."""
        return [
            dict(row) for row in self.history.all("history", inboxes=None, state=None, since=None, limit=9)
        ]


@pytest.fixture
def taking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Taking]:
    """Return the daemon."""
    taking = Taking(tmp_path, monkeypatch)
    yield taking
    taking.close()


def test_an_unexpected_error_is_told_in_share_and_history(taking: Taking) -> None:
    """A failure row with the reason, and beside the recording a file in Chinese; those behind it go on."""
    (taking.inbox / "a.wav").write_bytes(b"sound")
    taking.let_pass(20)
    (row,) = taking.rows()
    assert (row["state"], row["name"]) == ("failed", "a.wav")
    assert "OverflowError: Python int too large" in row["problem"]
    assert "请联系管理员" in (taking.inbox / FAILED).read_text(encoding="utf-8")
    taking.is_broken = False
    (taking.inbox / "b.wav").write_bytes(b"other")
    taking.let_pass(20)
    assert taking.jobs.count_queued() == 1


def test_an_unexpected_error_is_not_met_at_every_scan(taking: Taking) -> None:
    """Tried again after 30, 60, 120 ... seconds; the file says so all the while."""
    (taking.inbox / "a.wav").write_bytes(b"sound")
    taking.let_pass(600)
    assert 3 <= taking.hashed <= 6
    assert (taking.inbox / FAILED).exists()
    taking.is_broken = False
    taking.let_pass(600)
    assert taking.jobs.count_queued() == 1
    assert len(taking.rows()) == 1, "the failed row waits now"


def test_a_changed_file_or_a_deleted_failure_file_asks_for_another_try(taking: Taking) -> None:
    """Nobody waits an hour for a recording that was put right."""
    (taking.inbox / "a.wav").write_bytes(b"sound")
    taking.let_pass(2400)
    before = taking.hashed
    (taking.inbox / FAILED).unlink()
    taking.let_pass(30)
    assert taking.hashed == before + 1
    assert (taking.inbox / FAILED).exists(), "it failed again, and says so again"
    taking.let_pass(600)
    taking.is_broken = False
    (taking.inbox / "a.wav").write_bytes(b"better sound")
    taking.let_pass(60)
    assert taking.jobs.count_queued() == 1


def test_numbers_of_a_network_file_system_fit_the_history(taking: Taking) -> None:
    """Inodes of 64 bits without a sign, and times out of range: each file keeps its own number."""
    looks = []
    for inode in ((1 << 64) - 1, (1 << 63), 7):
        times = {"st_mtime_ns": 15_000_000_000 * 10**9, "st_ctime_ns": 0}
        found = os.stat_result((0o100644, inode, inode, 1, 0, 0, 5, 0, 0, 0), times)
        looks.append(candidate_of(taking.inbox / f"{inode}.wav", found).look)
    assert len({look.inode for look in looks}) == 3
    profile = taking.parts.profiles.profile("inbox")
    for number, look in enumerate(looks):
        taking.arrivals.put("inbox", look, f"{number:064}", profile)
