"""The archive, from the drop to the month's folder, and killed on the way there."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, check_transcript, drop, kill_quietly, recording

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SECTION = {"inbox": 'formats = ["txt", "srt"]\narchive = "archive"'}


def archived(daemon: AttackedDaemon) -> dict[str, Path]:
    """Return the archive's files by their names."""
    return {path.name: path for path in (daemon.folder / "archive").rglob("*") if path.is_file()}


def start(folder: Path) -> AttackedDaemon:
    """Return a daemon whose inbox has an archive."""
    (folder / "archive").mkdir()
    return AttackedDaemon(folder, inboxes=SECTION, extra="max_attempts = 50")


def test_finished_recording_moves_with_its_transcripts(tmp_path: Path) -> None:
    """ARCHIVE/INBOX/YYYY/MM/: recording and outputs; a failed recording stays where people see it."""
    daemon = start(tmp_path)
    content = recording(1)
    with daemon:
        drop(daemon.inbox / "a.wav", content)
        drop(daemon.inbox / "bad.wav", recording(2, fail="no_audio"))
        daemon.start()
        eventually(lambda: set(archived(daemon)) == {"a.wav", "a.txt", "a.srt"}, what="the archive")
        place = archived(daemon)["a.wav"]
        assert place.read_bytes() == content
        check_transcript(place.with_suffix(".txt"), content)
        assert place.parent.parent.parent == tmp_path / "archive" / "inbox"
        daemon.wait_for("inbox/bad.转写失败.txt")
        assert {path.name for path in daemon.inbox.iterdir()} == {"bad.wav", "bad.转写失败.txt"}
        assert daemon.stop() == 0


def test_same_name_again_is_another_recording(tmp_path: Path) -> None:
    """A NAS that calls every day's recording alike: each is transcribed and kept, also the same one twice."""
    daemon = start(tmp_path)
    with daemon:
        daemon.start()
        for number in (1, 2, 2):
            drop(daemon.inbox / "day.wav", recording(number))
            eventually(lambda: not list(daemon.inbox.glob("day.*")), what="the move")
        found = archived(daemon)
        assert {"day.wav", "day.txt", "day (2).wav", "day (2).txt"} <= set(found)
        check_transcript(found["day.txt"], recording(1))
        check_transcript(found["day (2).txt"], recording(2))
        assert len(daemon.recognised()) == sum(daemon.recognised().values()) == 2
        assert daemon.stop() == 0


def test_archive_that_is_not_there_waits_and_says_so(tmp_path: Path) -> None:
    """Its share is not mounted: everything stays in the inbox, complete, until it is."""
    daemon = start(tmp_path)
    (tmp_path / "archive").rmdir()
    with daemon:
        drop(daemon.inbox / "a.wav", recording(1))
        daemon.start()
        eventually(lambda: daemon.events("archive_waits"), what="the warning")
        assert (daemon.inbox / "a.txt").exists()
        (tmp_path / "archive").mkdir()
        eventually(lambda: set(archived(daemon)) == {"a.wav", "a.txt", "a.srt"}, what="the archive")
        assert daemon.stop() == 0


def attack(folder: Path, *, rounds: int) -> None:
    dice = random.Random(rounds)
    daemon = start(folder)
    wanted = {f"{number:03}.wav": recording(number, segments=2, ms=5) for number in range(rounds * 3)}
    with daemon:
        daemon.start()
        for place, (name, content) in enumerate(wanted.items()):
            drop(daemon.inbox / name, content)
            if place % 3 == 2:
                time.sleep(dice.uniform(0.0, 3.0))  # the moment is what is random
                kill_quietly([daemon.live()["pid"]], signal.SIGKILL)
                daemon.kill()
                daemon.check_integrity()
                daemon.start()
        eventually(lambda: len(archived(daemon)) >= 3 * len(wanted), what="the whole archive")
        found = archived(daemon)
        assert set(found) == {name[:3] + suffix for name in wanted for suffix in (".wav", ".txt", ".srt")}
        for name, content in wanted.items():
            assert found[name].read_bytes() == content
            check_transcript(found[f"{name[:3]}.txt"], content)
        eventually(
            lambda: not [path for path in daemon.inbox.iterdir() if path.suffix != ".tmp"], what="moves"
        )
        eventually(
            lambda: daemon.query("SELECT 1 FROM recordings WHERE archived_at IS NULL") == [], what="rows"
        )
        assert daemon.stop() == 0


def test_kills_on_the_way_to_the_archive_lose_and_double_nothing(tmp_path: Path) -> None:
    """Five kills at random moments; in the end each recording lies there once, with its transcripts."""
    attack(tmp_path, rounds=5)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_kills_on_the_way_to_the_archive(tmp_path: Path) -> None:
    """Sixty kills."""
    attack(tmp_path, rounds=60)
