"""What bad input gets: one clear sentence, nothing lost, and the daemon goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import wave
from typing import TYPE_CHECKING

import pytest

from support import SAMPLES, DaemonUnderTest, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeDaemon = Callable[..., DaemonUnderTest]

FAILED = ".转写失败.txt"
SOMEBODY = 65534


def silence(path: Path, duration_ms: int) -> None:
    with wave.open(os.fspath(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(b"\0\0" * (16 * duration_ms))


def test_rubbish_gets_a_failure_file_and_those_behind_it_go_on(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    """An empty file, text dressed as sound and a cut m4a each get their own sentence in plain Chinese."""
    daemon = make_daemon()
    inbox = tmp_path / "inbox"
    (inbox / "空.wav").write_bytes(b"")
    (inbox / "文字.wav").write_text("这不是录音\n" * 100, encoding="utf-8")
    whole = convert(SAMPLES / "lecture.wav", tmp_path / "whole.m4a").read_bytes()
    (inbox / "截断.m4a").write_bytes(whole[: len(whole) // 2])  # its index stood at the end
    video = convert(
        SAMPLES / "lecture.wav",
        inbox / "无声.mp4",
        "-f",
        "lavfi",
        "-i",
        "color=black:s=64x64:d=1",
        "-map",
        "1:v",
    )
    assert video.stat().st_size
    shutil.copy(SAMPLES / "lecture.wav", inbox / "好的.wav")
    daemon.start()
    assert "0 字节" in daemon.wait_for(f"inbox/空{FAILED}").read_text(encoding="utf-8")
    assert "另存为" in daemon.wait_for(f"inbox/文字{FAILED}").read_text(encoding="utf-8")
    assert "没有复制完整" in daemon.wait_for(f"inbox/截断{FAILED}").read_text(encoding="utf-8")
    assert "没有声音轨道" in daemon.wait_for(f"inbox/无声{FAILED}").read_text(encoding="utf-8")
    assert "同学们" in daemon.wait_for("inbox/好的.txt").read_text(encoding="utf-8")
    codes = {row["name"]: row["error_code"] for row in daemon.history()}
    assert codes == {
        "空.wav": "empty_file",
        "文字.wav": "not_decodable",
        "截断.m4a": "not_decodable",
        "无声.mp4": "no_audio",
        "好的.wav": None,
    }
    assert all(row["attempts"] == 1 for row in daemon.history())
    assert daemon.stop() == 0


@pytest.mark.slow
def test_recordings_without_speech_get_a_transcript_that_says_so(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    """Twenty milliseconds and pure silence are recordings; their transcript says that nothing was said."""
    daemon = make_daemon({"inbox": 'formats = ["txt", "json"]'})
    silence(tmp_path / "inbox" / "短.wav", 20)
    silence(tmp_path / "inbox" / "静.wav", 3000)
    daemon.start()
    for name in ("短", "静"):
        assert "没有检测到语音" in daemon.wait_for(f"inbox/{name}.txt").read_text(encoding="utf-8")
        document = json.loads(daemon.wait_for(f"inbox/{name}.json").read_text(encoding="utf-8"))
        assert document["segments"] == []
    assert document["audio"]["duration_ms"] == pytest.approx(3000, abs=20)


@pytest.mark.slow
def test_deleting_the_failure_file_asks_for_another_try(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """The person repairs the recording or deletes the note; success makes the note disappear."""
    daemon = make_daemon()
    inbox = tmp_path / "inbox"
    bad = inbox / "会议.wav"
    bad.write_text("还没有复制完\n" * 50, encoding="utf-8")
    daemon.start()
    note = daemon.wait_for(f"inbox/会议{FAILED}")
    note.unlink()
    eventually(lambda: len(daemon.events("recognition_failed")) == 2 and note.exists(), what="the second try")
    shutil.copy(SAMPLES / "lecture.wav", bad)
    daemon.wait_for("inbox/会议.txt")
    eventually(lambda: not note.exists(), what="the note's end")


@pytest.mark.slow
def test_failure_file_goes_with_its_recording(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """Who deletes the bad recording finds its failure file gone, too."""
    daemon = make_daemon()
    bad = tmp_path / "inbox" / "坏.wav"
    bad.write_bytes(b"rubbish" * 100)
    daemon.start()
    note = daemon.wait_for(f"inbox/坏{FAILED}")
    bad.unlink()
    eventually(lambda: not note.exists(), what="the note's end")


@pytest.fixture
def bound_daemon(make_daemon: MakeDaemon) -> DaemonUnderTest:
    """Return a daemon that is bound by the rights of files."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to make files that may not be read")
    daemon = make_daemon()
    daemon.without_rights = True
    return daemon


@pytest.mark.slow
def test_folder_without_permission_is_said_and_found_when_mended(bound_daemon: DaemonUnderTest) -> None:
    """A sub-folder that may not be read is named in the log; its recordings follow when it may."""
    daemon = bound_daemon
    locked = daemon.folder / "inbox" / "locked"
    locked.mkdir(mode=0o700)
    shutil.copy(SAMPLES / "lecture.wav", locked / "a.wav")
    os.chown(locked, SOMEBODY, SOMEBODY)
    daemon.start()
    problem = eventually(lambda: daemon.events("inbox_problem"), what="the warning")
    assert "locked" in problem[0]["problem"]
    locked.chmod(0o777)
    daemon.wait_for("inbox/locked/a.txt")


@pytest.mark.slow
def test_unreadable_recording_is_told_and_transcribed_when_mended(bound_daemon: DaemonUnderTest) -> None:
    """A file that the service may not read gets its sentence, and its transcript once the right is given."""
    daemon = bound_daemon
    recording = daemon.folder / "inbox" / "a.wav"
    shutil.copy(SAMPLES / "lecture.wav", recording)
    recording.chmod(0o600)
    os.chown(recording, SOMEBODY, SOMEBODY)
    daemon.start()
    note = daemon.wait_for(f"inbox/a{FAILED}")
    assert "权限" in note.read_text(encoding="utf-8")
    recording.chmod(0o644)
    daemon.wait_for("inbox/a.txt")
    eventually(lambda: not note.exists(), what="the note's end")
    assert len(daemon.events("recording_not_readable")) == 1


@pytest.mark.slow
def test_unmounted_inbox_waits_and_says_so(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """An inbox that goes and comes back loses nothing."""
    daemon = make_daemon().start()
    shutil.move(tmp_path / "inbox", tmp_path / "away")
    problem = eventually(lambda: daemon.events("inbox_problem"), what="the warning")
    assert "is not there" in problem[0]["problem"]
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "away" / "a.wav")
    shutil.move(tmp_path / "away", tmp_path / "inbox")
    daemon.wait_for("inbox/a.txt")
    assert daemon.events("inbox_back")


@pytest.mark.slow
def test_read_only_inbox_sends_transcripts_to_the_fall_back_folder(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    """Where nothing can be written beside the recording the transcript lies in the fall-back folder."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    daemon = make_daemon()
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "inbox" / "a.wav")
    inbox = os.fspath(tmp_path / "inbox")
    if subprocess.run(
        ["mount", "--bind", "-o", "ro", inbox, inbox], check=False, capture_output=True
    ).returncode:
        pytest.skip("cannot mount here")
    try:
        daemon.start()
        text = daemon.wait_for("state/transcripts/inbox/a.txt").read_text(encoding="utf-8")
        assert "同学们" in text
        daemon.stop()
    finally:
        subprocess.run(["umount", inbox], check=True)
