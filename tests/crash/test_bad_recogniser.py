"""A recogniser that hangs, crashes or is killed: evidence for the guilty, transcripts for everybody else."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from attack import FAILED, AttackedDaemon, children_of, drop, recording

from support import eventually

pytestmark = pytest.mark.slow

IMPATIENT = "max_attempts = 2\n[engine]\nstall_s = 1.0"


@pytest.mark.parametrize(
    ("orders", "code", "evidence"),
    [
        (
            {"crash_at": 1, "signal": int(signal.SIGSEGV)},
            "recogniser_crashed",
            ("SIGSEGV", "about to crash", "Segmentation fault", "in crash"),
        ),
        ({"crash_at": 1, "signal": int(signal.SIGKILL)}, "recogniser_crashed", ("SIGKILL", "about to crash")),
        ({"crash_at": 0, "signal": int(signal.SIGABRT)}, "recogniser_crashed", ("SIGABRT", "in crash")),
        ({"hang_at": 0}, "recogniser_hung", ("about to hang", "in recognise")),
        ({"fail": "out_of_memory"}, "out_of_memory", ("its last words",)),
    ],
)
def test_guilty_recording_is_quarantined_and_those_behind_it_go_on(
    tmp_path: Path, orders: dict[str, object], code: str, evidence: tuple[str, ...]
) -> None:
    """After max_attempts: a failure file in the share, and in `show` the attempts with their evidence.

    Last words, where in the program it was (but for SIGKILL, which lets nobody speak), and ffmpeg's words.
    """
    daemon = AttackedDaemon(tmp_path, extra=IMPATIENT)
    wanted = {f"{number}.wav": recording(number, segments=2) for number in range(4)}
    with daemon:
        for name, content in wanted.items():
            (daemon.inbox / name).write_bytes(content)
        (daemon.inbox / "00-bad.wav").write_bytes(recording("bad", segments=3, **orders))
        daemon.start()
        daemon.wait_until_done(4)
        note = daemon.wait_for(f"inbox/00-bad{FAILED}")
        assert code in note.read_text(encoding="utf-8")
        ((job, state, error),) = daemon.query(
            "SELECT jobs.id, jobs.state, error_code FROM jobs JOIN recordings ON job_id = jobs.id"
            " WHERE name = '00-bad.wav'"
        )
        assert (state, error) == ("quarantined", code)
        attempts = daemon.rows("attempts_of_job", job=job)
        assert len(attempts) >= 2
        assert {attempt["error_code"] for attempt in attempts} == {code}
        ((recording_id,),) = daemon.query("SELECT id FROM recordings WHERE name = '00-bad.wav'")
        shown = daemon.command("show", str(recording_id)).stderr
        assert "ffmpeg says:" in shown
        assert "Invalid data found" in shown
        for words in evidence:
            assert all(words in attempt["evidence"] for attempt in attempts)
            assert shown.count(words) >= len(attempts), shown
        note.unlink()
        eventually(note.exists, what="the second round of attempts, and the file that says so again")
        (daemon.inbox / "00-bad.wav").unlink()
        eventually(lambda: not note.exists(), what="the note's end")
        daemon.check_exactly_once_of_those(wanted)
        assert daemon.stop() == 0


def test_recogniser_that_dies_after_each_segment_gets_there(tmp_path: Path) -> None:
    """Each attempt brings the recording one segment on: no quarantine, no segment recognised twice."""
    daemon = AttackedDaemon(tmp_path, extra="max_attempts = 1")
    content = recording("hard", segments=6, crash_after_each=True)
    with daemon:
        (daemon.inbox / "hard.wav").write_bytes(content)
        daemon.start()
        daemon.wait_until_done(1)
        daemon.check_exactly_once({"hard.wav": content})
        assert set(daemon.recognised().values()) == {1}
        assert daemon.stop() == 0


def test_recogniser_that_cannot_start_spends_no_attempt(tmp_path: Path) -> None:
    """It crashes while loading: the queue is blocked and says why; with the cause gone it goes on."""
    daemon = AttackedDaemon(tmp_path)
    content = recording(1)
    with daemon:
        (daemon.inbox / "a.wav").write_bytes(content)
        daemon.environment["FAKE_START"] = "crash"
        daemon.start()
        eventually(lambda: daemon.live()["recogniser"]["state"] == "blocked", what="the block")
        assert "SIGABRT" in daemon.live()["recogniser"]["problem"]
        assert daemon.query("SELECT state, attempts FROM jobs") == [("queued", 0)]
        daemon.stop()
        del daemon.environment["FAKE_START"]
        daemon.start()
        daemon.wait_until_done(1)
        daemon.check_exactly_once({"a.wav": content})
        assert daemon.stop() == 0


def test_class_of_failures_is_put_back_by_one_command(tmp_path: Path) -> None:
    """`retry --class` takes that class, and says how many."""
    daemon = AttackedDaemon(tmp_path)
    with daemon:
        for number in range(3):
            drop(daemon.inbox / f"{number}.wav", recording(number, fail="too_long"))
        drop(daemon.inbox / "other.wav", recording("other", fail="no_audio"))
        daemon.start()
        eventually(lambda: len(list(daemon.inbox.glob(f"*{FAILED}"))) == 4, what="four failure files")
        before = len(daemon.events("recognition_failed"))
        told = daemon.command("retry", "--class", "too_long", "--json")
        assert json.loads(told.stdout) == {"count": 3}
        eventually(lambda: len(daemon.events("recognition_failed")) == before + 3, what="three more failures")
        assert json.loads(daemon.command("retry", "--class", "empty_file", "--json").stdout) == {"count": 0}
        assert daemon.stop() == 0


def test_recogniser_dies_with_the_daemon(tmp_path: Path) -> None:
    """No orphan keeps the GPU's memory."""
    daemon = AttackedDaemon(tmp_path)
    with daemon:
        drop(daemon.inbox / "a.wav", recording(1, segments=1000, ms=100))
        daemon.start()
        children = eventually(lambda: children_of(daemon.live()["pid"]), what="the recogniser")
        eventually(daemon.recognised, what="its first segment")
        daemon.kill()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), what="its end")


def test_recordings_that_memory_does_not_suffice_for_go_up_the_ladder(tmp_path: Path) -> None:
    """One fits into a fresh process, one from its third segment on only onto the CPU; none is done twice."""
    daemon = AttackedDaemon(tmp_path)
    wanted = {
        "a.wav": recording(1, segments=2),
        "large.wav": recording(2, segments=3, fits="small"),
        "huge.wav": recording(3, segments=4, fits="cpu", fits_at=2),
        "z.wav": recording(4, segments=2),
    }
    with daemon:
        for name, content in wanted.items():
            (daemon.inbox / name).write_bytes(content)
        daemon.start()
        daemon.wait_until_done(4)
        daemon.check_exactly_once(wanted)
        assert set(daemon.recognised().values()) == {1}
        steps = daemon.live()["recogniser"]["memory_steps"]
        assert (steps["process"], steps["cpu"]) == (2, 1)
        begun = [(event["file"], event.get("memory_rung")) for event in daemon.events("recognition_started")]
        assert [rung for file, rung in begun if file == "huge.wav"] == [None, "fresh_process", "cpu"]
        drop(daemon.inbox / "last.wav", recording(5))
        daemon.wait_until_done(5)
        assert daemon.live()["recogniser"]["device"] == "fake", "the others are not left on the CPU"
        assert daemon.stop() == 0
