"""A recording in a sub-folder is called by its path within the inbox: in the log, and in `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from room import Room, well
from way import START, OpenDaemon

from asr_daemon.control.status import collect
from asr_daemon.dispatch import protocol
from asr_daemon.errors import NotDecodableError

if TYPE_CHECKING:
    from pathlib import Path


def test_every_line_of_the_log_names_the_path(tmp_path: Path) -> None:
    """From the claim to the transcript, and to the failure: two folders hold files of one name."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"bad":
            return [protocol.Failed(order.job, "not_decodable", "no sound", "")]
        return well(order, content)

    room = Room(tmp_path)
    room.script = script
    for folder, content in (("周一", b"good"), ("周二", b"bad")):
        (room.way.inbox / folder).mkdir()
        room.way.put(f"{folder}/会议.wav", content)
    with structlog.testing.capture_logs() as logs:
        room.session.step()
        shown = [work.name for work in room.session.state.in_work.values()]
        room.run()
    assert shown == ["周一/会议.wav", "周二/会议.wav"]
    told = {entry["event"]: entry["file"] for entry in logs if "file" in entry}
    assert told["recognition_finished"] == told["transcript_written"] == "周一/会议.wav"
    assert told["recognition_started"] == told["recognition_failed"] == "周二/会议.wav"


def test_intake_and_last_problems_name_the_path(tmp_path: Path) -> None:
    """What was queued, what was let go, what failed."""
    daemon = OpenDaemon(tmp_path)
    (daemon.inbox / "周一").mkdir()
    (daemon.inbox / "周一" / "会议.wav").write_bytes(b"x")
    (daemon.inbox / "周一" / "空.wav").write_bytes(b"y")
    with structlog.testing.capture_logs() as logs:
        daemon.parts.intake.watch()
        for _ in range(2):
            daemon.parts.intake.wake("inbox", None)
            daemon.parts.intake.step(0.0)
            daemon.time.pass_s(60.0)
        job = daemon.claim()
        daemon.jobs.fail(job.id, NotDecodableError())
        (problem,) = collect(daemon.config, START)["errors"]
        (daemon.inbox / "周一" / "空.wav").unlink()
        (daemon.inbox / "周一" / "会议.wav").unlink()
        daemon.parts.intake.wake("inbox", None)
        daemon.parts.intake.step(0.0)
    daemon.close()
    queued = {entry["file"] for entry in logs if entry["event"] == "recording_queued"}
    gone = {entry["file"] for entry in logs if entry["event"] == "recording_gone"}
    assert queued == gone == {"周一/会议.wav", "周一/空.wav"}
    assert problem["file"] in queued
