"""A real daemon: what nobody waits for any more stops within a second, whoever says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from attack import AttackedDaemon, check_transcript, drop, recording

from support import PATIENCE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW_MS = 200
LONG = {"segments": 3000, "ms": SLOW_MS}  # ten minutes


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[AttackedDaemon]:
    """Return a daemon that runs."""
    with AttackedDaemon(tmp_path) as daemon:
        daemon.start()
        yield daemon


def begin_long(daemon: AttackedDaemon, name: str = "long.wav", **orders: Any) -> Path:
    """Drop a long recording, and wait until it is in work and some of it recognised."""
    path = drop(daemon.inbox / name, recording(name, **{**LONG, **orders}))

    def is_begun() -> bool:
        return sum(daemon.recognised().values()) >= 2

    eventually(is_begun, what="the long recording's first segments")
    return path


def seconds_between(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the time between two events of the log."""
    stamps = [datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")) for event in (first, second)]
    return (stamps[1] - stamps[0]).total_seconds()


def test_deleted_recording_stops_and_the_short_one_behind_it_is_served(daemon: AttackedDaemon) -> None:
    """Within a second of being noticed; the recogniser lives on, and no more of it is recognised."""
    path = begin_long(daemon)
    (child,) = [each["pid"] for each in daemon.live()["recognisers"]]
    path.unlink()
    (cancelled,) = eventually(lambda: daemon.events("recognition_cancelled"), what="its end")
    (gone,) = daemon.events("recording_gone")
    assert seconds_between(gone, cancelled) <= 1.0
    assert cancelled["file"] == "long.wav"
    drop(daemon.inbox / "short.wav", recording("short"))
    check_transcript(daemon.wait_for("inbox/short.txt"), recording("short"))
    stopped_at = sum(daemon.recognised().values())
    drop(daemon.inbox / "next.wav", recording("next"))
    daemon.wait_for("inbox/next.txt")
    assert sum(daemon.recognised().values()) - stopped_at == 1, "only the new one's"
    assert [each["pid"] for each in daemon.live()["recognisers"]] == [child]
    assert daemon.live()["in_work"] == []
    assert daemon.query("SELECT state FROM recordings WHERE name = 'long.wav'") == [("gone",)]
    assert daemon.query("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')") == [(0,)]
    assert not list(daemon.inbox.glob("long*"))
    daemon.check_integrity()
    assert daemon.stop() == 0


def test_short_recording_does_not_wait_for_a_long_one(daemon: AttackedDaemon) -> None:
    """It is recognised beside it, while the long one goes on."""
    begin_long(daemon)
    drop(daemon.inbox / "short.wav", recording("short"))
    daemon.wait_for("inbox/short.txt")
    assert [work["file"] for work in daemon.live()["in_work"]] == ["long.wav"]
    assert daemon.events("recognition_cancelled") == []


def test_cancel_by_hand_lasts_and_retry_goes_on(daemon: AttackedDaemon) -> None:
    """`cancel ID` stops it; scans and restarts leave it alone; `retry ID` goes on where it was stopped."""
    content = recording("sixty.wav", segments=60, ms=SLOW_MS)
    begin_long(daemon, "sixty.wav", segments=60)
    ((number,),) = daemon.query("SELECT id FROM recordings")
    told = daemon.command("cancel", str(number))
    assert (told.returncode, told.stderr) == (0, "")
    (cancelled,) = eventually(lambda: daemon.events("recognition_cancelled"), what="its end")
    (asked,) = daemon.events("recordings_cancelled")
    assert seconds_between(asked, cancelled) <= 1.0
    again = daemon.command("cancel", str(number))
    assert again.returncode == 1
    assert "does not wait" in again.stderr
    assert "Traceback" not in again.stderr

    def state() -> list[tuple[str, str]]:
        return daemon.query(
            "SELECT recordings.state, jobs.state FROM recordings JOIN jobs ON jobs.id = job_id"
        )

    assert state() == [("cancelled", "withdrawn")]
    os.utime(daemon.inbox / "sixty.wav")  # found again, hashed again
    drop(daemon.inbox / "other.wav", recording("other"))
    daemon.wait_for("inbox/other.txt")
    daemon.stop()
    daemon.start()
    drop(daemon.inbox / "last.wav", recording("last"))
    daemon.wait_for("inbox/last.txt")
    assert state()[0] == ("cancelled", "withdrawn")
    assert not (daemon.inbox / "sixty.txt").exists()
    assert daemon.command("retry", str(number)).returncode == 0
    check_transcript(daemon.wait_for("inbox/sixty.txt"), content)
    twice = [segment for segment, count in daemon.recognised().items() if count > 1]
    assert len(twice) <= 1, "only what was in hand when it was stopped"
    daemon.check_integrity()


def test_one_of_two_files_that_wait_for_one_work_may_go(daemon: AttackedDaemon) -> None:
    """Somebody still waits: it goes on."""
    content = recording("twin", segments=15, ms=SLOW_MS)
    drop(daemon.inbox / "a.wav", content)
    drop(daemon.inbox / "b.wav", content)
    eventually(lambda: len(daemon.events("recording_queued")) == 2, what="that both are queued")
    eventually(lambda: daemon.events("recognition_started"), what="its start")
    (daemon.inbox / "a.wav").unlink()
    eventually(lambda: daemon.events("recording_gone"), what="that it is noticed")
    check_transcript(daemon.wait_for("inbox/b.txt"), content)
    assert not (daemon.inbox / "a.txt").exists()
    assert daemon.events("recognition_cancelled") == []
    assert set(daemon.recognised().values()) == {1}


def test_file_named_on_the_command_line_that_is_deleted_ends_its_command(
    daemon: AttackedDaemon, tmp_path: Path
) -> None:
    """`transcribe FILE` behind others, FILE deleted: one sentence, exit code 1, and no job that is left."""
    named = tmp_path / "named.wav"
    named.write_bytes(recording("named", **LONG))
    asking = subprocess.Popen(
        [sys.executable, "-m", "asr_daemon", "transcribe", named, "-c", daemon.config_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: daemon.events("recognition_started"), what="its start")
    named.unlink()
    # Work that was begun has the file open, and somebody waits for it: `cancel` is for that.
    ((number,),) = daemon.query("SELECT id FROM recordings")
    assert daemon.command("cancel", str(number)).returncode == 0
    out, err = asking.communicate(timeout=PATIENCE_S)
    assert asking.returncode == 1
    assert "named.wav: it was cancelled" in err
    assert "Traceback" not in err
    assert out == ""


def test_file_deleted_before_its_turn_is_waited_for_no_more(daemon: AttackedDaemon, tmp_path: Path) -> None:
    """In a paused queue: the tick notices, the queue is empty, the alert on its age clears."""
    named = tmp_path / "named.wav"
    named.write_bytes(recording("named"))
    daemon.command("pause")
    refused = daemon.command("transcribe", os.fspath(named))
    assert refused.returncode == 1
    assert "paused" in refused.stderr
    assert daemon.query("SELECT state FROM jobs") == [("queued",)]
    named.unlink()
    eventually(lambda: daemon.query("SELECT state FROM recordings") == [("gone",)], what="that it is noticed")
    assert daemon.query("SELECT state FROM jobs") == [("withdrawn",)]
    daemon.command("resume")
    drop(daemon.inbox / "a.wav", recording("a"))
    daemon.wait_for("inbox/a.txt")


def test_stopped_daemon_is_said_not_to_answer(daemon: AttackedDaemon) -> None:
    """SIGSTOP: a sentence and exit code 1 after some seconds."""
    daemon.signal(signal.SIGSTOP)
    try:
        told = daemon.command("pause")
    finally:
        daemon.signal(signal.SIGCONT)
    assert told.returncode == 1
    assert "does not answer" in told.stderr
    assert "Traceback" not in told.stderr


def test_state_folder_with_a_long_name_works_end_to_end(tmp_path: Path) -> None:
    """A folder whose socket's name does not fit into an address: check, run, status, pause."""
    with AttackedDaemon(tmp_path) as daemon:
        text = daemon.config_path.read_text(encoding="utf-8")
        long = f"{'s' * 200}/state"
        daemon.config_path.write_text(
            text.replace('state_dir = "state"', f'state_dir = "{long}"'), encoding="utf-8"
        )
        daemon.start()
        for command in (("status",), ("pause",), ("resume",), ("backup", "now")):
            told = daemon.command(*command)
            assert (told.returncode, told.stderr) == (0, "")
        drop(daemon.inbox / "a.wav", recording("a"))
        check_transcript(daemon.wait_for("inbox/a.txt"), recording("a"))
        assert daemon.stop() == 0


def test_end_of_a_busy_daemon_leaves_no_traceback(daemon: AttackedDaemon) -> None:
    """Ticks, recognition and scans in the middle: SIGTERM ends them all before the history is closed."""
    begin_long(daemon)
    for number in range(20):
        drop(daemon.inbox / f"{number}.wav", recording(number, ms=SLOW_MS))
    eventually(lambda: len(daemon.events("recording_queued")) > 5, what="that some are queued")
    assert daemon.stop() == 0
    text = daemon.log_text()
    assert "ProgrammingError" not in text
    assert "Traceback" not in text
    (stopped,) = daemon.events("daemon_stopped")
    assert stopped["took_s"] < 10
