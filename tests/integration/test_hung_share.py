"""A share whose server is away, on a hard mount: every call on it waits for ever. The others go on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, check_transcript, drop, recording

from asr_daemon.transcripts.profile import list_digest
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # what does not answer is given five seconds, in several places

INBOXES = {"away": 'formats = ["txt"]', "here": 'formats = ["txt"]'}


@contextlib.contextmanager
def hung(folder: Path) -> Iterator[None]:
    """Mount a file system over a folder whose server never says a word."""
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        pytest.skip("needs /dev/fuse")
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.mount(b"nobody", os.fsencode(folder), b"fuse", 0, options.encode()):
            pytest.skip(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    finally:
        os.close(server)  # whoever waits there gets an error now


def problem_of(daemon: AttackedDaemon, name: str) -> str:
    """Return what `status` says of an inbox."""
    return next(inbox["problem"] for inbox in daemon.live()["inboxes"] if inbox["name"] == name)


@pytest.mark.parametrize("when", ["at the start", "while it runs"])
def test_share_that_hangs_holds_up_no_other(tmp_path: Path, when: str) -> None:
    """It is said in `status` and in the log; what waits there is transcribed when the share is back."""
    daemon = AttackedDaemon(tmp_path, inboxes=INBOXES)
    away, here = tmp_path / "away", tmp_path / "here"
    with daemon:
        if when == "while it runs":
            daemon.start()
        drop(away / "a.wav", recording(1))
        if when == "while it runs":
            eventually((away / "a.txt").exists, what="a transcript there")
        with hung(away):
            if when == "at the start":
                daemon.start()
            eventually(lambda: "does not answer" in problem_of(daemon, "away"), what="that it is said")
            drop(here / "b.wav", recording(2))
            check_transcript(daemon.wait_for("here/b.txt"), recording(2))
            assert problem_of(daemon, "here") == ""
            told = daemon.command("check")
            assert "does not answer" in told.stdout + told.stderr
            assert [event["inbox"] for event in daemon.events("inbox_problem")] == ["away"]
        eventually(lambda: problem_of(daemon, "away") == "", what="its return")
        drop(away / "c.wav", recording(3))
        check_transcript(daemon.wait_for("away/c.txt"), recording(3))
        check_transcript(daemon.wait_for("away/a.txt"), recording(1))
        assert daemon.stop() == 0


@pytest.mark.parametrize("when", ["at the start", "while it runs"])
def test_hotword_list_on_a_share_that_hangs_holds_up_no_other(tmp_path: Path, when: str) -> None:
    """Even the first time that it is asked for; the inbox whose list it is waits for it, and then has it."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "words.txt").write_text("程千里\n", encoding="utf-8")
    listed = f'formats = ["txt"]\nhotwords = "{lists}/words.txt"'
    daemon = AttackedDaemon(tmp_path, inboxes={"with": listed, "without": 'formats = ["txt"]'})
    with daemon:
        if when == "while it runs":
            daemon.start()
            drop(tmp_path / "without" / "early.wav", recording(0))
            daemon.wait_for("without/early.txt")
        else:
            drop(tmp_path / "with" / "a.wav", recording(1))
        with hung(lists):
            if when == "at the start":
                daemon.start()
            drop(tmp_path / "with" / "b.wav", recording(2))
            drop(tmp_path / "without" / "c.wav", recording(3))
            eventually((tmp_path / "without" / "c.txt").exists, within_s=25.0, what="the other inbox")
            drop(tmp_path / "without" / "d.wav", recording(4))
            eventually((tmp_path / "without" / "d.txt").exists, within_s=25.0, what="the other inbox again")
            assert not list((tmp_path / "with").glob("*.txt")), "they wait for the list"
            assert daemon.live()["recogniser"]["state"] != "blocked"
        check_transcript(daemon.wait_for("with/b.txt"), recording(2))
        profiles = daemon.query(
            "SELECT recordings.name, profiles.profile FROM recordings"
            " JOIN jobs ON jobs.id = recordings.job_id"
            " JOIN profiles ON profiles.digest = jobs.profile_digest WHERE recordings.inbox = 'with'"
        )
        assert profiles
        digest = list_digest(("程千里",), ())
        assert [name for name, profile in profiles if digest not in profile] == []
        assert daemon.stop() == 0


def test_work_that_was_queued_before_its_list_hangs_waits_and_blocks_nobody(tmp_path: Path) -> None:
    """It is claimed, its list does not answer: it goes back untried, and the next one has its turn."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "words.txt").write_text("程千里\n", encoding="utf-8")
    listed = f'formats = ["txt"]\nhotwords = "{lists}/words.txt"'
    daemon = AttackedDaemon(tmp_path, inboxes={"with": listed, "without": 'formats = ["txt"]'})
    with daemon:
        daemon.start()
        assert daemon.command("pause").returncode == 0
        for number, inbox in enumerate(("with", "with", "without")):
            drop(tmp_path / inbox / f"{number}.wav", recording(number))
        eventually(lambda: len(daemon.events("recording_queued")) == 3, what="that they are queued")
        with hung(lists):
            assert daemon.command("resume").returncode == 0
            eventually((tmp_path / "without" / "2.txt").exists, within_s=25.0, what="the other inbox")
            assert daemon.query("SELECT max(attempts) FROM jobs WHERE state <> 'done'") == [(0,)]
        for number in range(2):
            check_transcript(daemon.wait_for(f"with/{number}.txt"), recording(number))
        assert daemon.stop() == 0
