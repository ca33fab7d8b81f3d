"""A daemon with two departments: turns, hours that begin and end, and what is said of them; the whole way."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attack import AttackedDaemon, check_transcript, drop, recording

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

TXT = 'formats = ["txt"]'


def closed_now() -> str:
    """Return hours that begin in six hours, and are over in eight."""
    begins = datetime.now().astimezone() + timedelta(hours=6)
    ends = begins + timedelta(hours=2)
    return f'{TXT}\nhours = ["{begins:%H:%M}-{ends:%H:%M}"]'


def test_turns_and_hours_from_the_folder_to_the_transcript(tmp_path: Path) -> None:
    """A call passes the lectures of another; a night's work is put off, shown, and goes on where it was."""
    with AttackedDaemon(tmp_path, inboxes={"lectures": TXT, "calls": TXT, "nights": closed_now()}) as daemon:
        for number in range(30):
            drop(tmp_path / "lectures" / f"{number}.wav", recording(number, segments=100, ms=20))
        night = recording("night", segments=40, ms=60)
        drop(tmp_path / "nights" / "night.wav", night)
        daemon.start()
        eventually(lambda: len(daemon.live()["in_work"]) == 12, what="that every place is taken")
        call = recording("call", segments=2, ms=10)
        drop(tmp_path / "calls" / "call.wav", call)
        check_transcript(daemon.wait_for("calls/call.txt"), call)
        told = daemon.live()
        assert sum(one["inbox"] == "lectures" for one in told["next"]) == 10, "they wait still"
        assert {one["why"] for one in told["next"] if one["inbox"] == "lectures"} == {"turn"}
        assert {one["why"] for one in told["next"] if one["inbox"] == "nights"} == {"hours"}
        assert told["inboxes"][2]["turn"]["hours_begin_at"]

        for file in (tmp_path / "lectures").glob("*.wav"):
            file.unlink()
        daemon.configure(inboxes={"lectures": TXT, "calls": TXT, "nights": TXT})
        daemon.signal(signal.SIGHUP)

        def night_in_work() -> dict[str, Any] | None:
            works = [work for work in daemon.live()["in_work"] if work["inbox"] == "nights"]
            return works[0] if works and works[0]["recognised_s"] >= 3 else None

        eventually(night_in_work, what="that the night has begun")
        daemon.configure(inboxes={"lectures": TXT, "calls": TXT, "nights": closed_now()})
        daemon.signal(signal.SIGHUP)
        (put_off,) = eventually(lambda: daemon.events("recognition_put_off"), what="that it is put off")
        assert put_off["why"] == "hours"
        (row,) = daemon.query("SELECT state, attempts FROM jobs WHERE claimed_for = 'nights'")
        assert row == ("queued", 0)
        (one,) = daemon.live()["next"]
        assert (one["inbox"], one["why"], one["file"]) == ("nights", "hours", "night.wav")
        daemon.configure(inboxes={"lectures": TXT, "calls": TXT, "nights": TXT})
        daemon.signal(signal.SIGHUP)
        check_transcript(daemon.wait_for("nights/night.txt"), night)
        assert daemon.query("SELECT attempts FROM jobs WHERE claimed_for = 'nights'") == [(1,)]
        twice = [segment for segment, times in daemon.recognised().items() if times > 1]
        assert len(twice) <= 1, "but for the one in its hands: the fake does not wait for receipts"
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log_text()
