"""Modification times that no history keeps: recordings get their transcripts all the same, and only once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attack import AttackedDaemon, drop, recording

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

TIMES_S = {
    "2445": 15_000_000_000,  # ext4's last year but one
    "1601": -11_644_473_600,  # what SMB servers say for "none"
    "1833": -4_300_000_000,
    "30828": 910_692_730_085,  # Windows' last
}


def test_times_beyond_64_bits_of_nanoseconds_are_transcribed_once(tmp_path: Path) -> None:
    """Nothing is hashed again with a scan or after a restart, and the log has no traceback."""
    daemon = AttackedDaemon(tmp_path)
    wanted = {f"{year}.wav": recording(year) for year in TIMES_S}
    with daemon:
        for name, content in wanted.items():
            drop(daemon.inbox / name, content)
            seconds = TIMES_S[name.removesuffix(".wav")]
            os.utime(daemon.inbox / name, (seconds, seconds))
        assert any(path.stat().st_mtime_ns >= 1 << 63 for path in daemon.inbox.iterdir())
        daemon.start()
        daemon.wait_until_done(len(wanted))
        daemon.check_exactly_once(wanted)
        daemon.stop()
        daemon.start()
        drop(daemon.inbox / "last.wav", recording("last"))
        daemon.wait_until_done(len(wanted) + 1)
        eventually(lambda: daemon.live()["inboxes"][0]["settling"] == 0, what="a scan")
        assert sorted(event["file"] for event in daemon.events("recording_queued")) == sorted(
            [*wanted, "last.wav"]
        )
        assert "Traceback" not in daemon.log_text()
