"""A recorder cuts a meeting into parts: the whole way, by commands, through kills and renames."""

from __future__ import annotations

import hashlib
import os
import random
import re
import time
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, recording

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGAN_S = 1_710_000_000
WHOLE = "会_01（合并）.txt"


class Recorder(AttackedDaemon):
    """A daemon with an inbox that joins; parts are three seconds long, as far as it is told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, inboxes={"inbox": 'formats = ["txt"]\njoin = true'})
        self.wanted: dict[str, bytes] = {}

    def drop(self, number: int, *, folder: str = "", ms: int = 0) -> None:
        """Put a part into the inbox, with the time at which it ended."""
        name = f"会_{number:02}.wav"
        self.wanted[name] = recording(number, segments=3, ms=ms)
        hidden = self.inbox / folder / f".{number}.part"
        hidden.write_bytes(self.wanted[name])
        os.utime(hidden, (BEGAN_S + 3 * number, BEGAN_S + 3 * number))
        hidden.rename(hidden.with_name(name))

    def said(self, *numbers: int) -> list[str]:
        """Return what is to stand in a text of these parts."""
        digests = [hashlib.sha256(self.wanted[f"会_{number:02}.wav"]).hexdigest() for number in numbers]
        return [f"第{segment}段{digest}" for digest in digests for segment in range(3)]

    def wait_for(self, path: str, *numbers: int) -> Path:  # type: ignore[override]
        """Wait until a joined file says what these parts say, in order, each once."""
        file = self.inbox / path
        eventually(lambda: found_in(file) == self.said(*numbers), what=f"{path} of {numbers}")
        return file

    def joined_files(self) -> set[str]:
        """Return the names of all of them."""
        return {path.name for path in self.inbox.rglob("*（合并）*")}


def found_in(file: Path) -> list[str]:
    """Return the words of the fake recogniser in a file."""
    return re.findall(r"第\d+段[0-9a-f]{64}", file.read_text(encoding="utf-8")) if file.exists() else []


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Recorder]:
    """Return it, running."""
    with Recorder(tmp_path) as daemon:
        yield daemon.start()  # type: ignore[misc]


def test_parts_are_joined_written_anew_and_forgotten(daemon: Recorder) -> None:
    """By the commands that an administrator has; each is recognised once."""
    for number in (1, 3):
        daemon.drop(number)
    file = daemon.wait_for(WHOLE, 1, 3)
    assert "缺少第 2 部分（会_02.wav）" in file.read_text(encoding="utf-8")
    daemon.drop(2)
    daemon.wait_for(WHOLE, 1, 2, 3)
    rows = {row["name"]: row["id"] for row in daemon.history()}
    file.unlink()
    (daemon.inbox / "会_02.txt").write_text("改过", encoding="utf-8")
    done = daemon.command("retry", "--outputs", str(rows["会_02.wav"]))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{rows['会_02.wav']}: written anew: {WHOLE}",
        f"{rows['会_02.wav']}: edited by a person, and left: 会_02.txt",
    ]
    assert found_in(file) == daemon.said(1, 2, 3)
    assert daemon.command("forget", "--yes", str(rows["会_02.wav"])).returncode == 0
    assert found_in(file) == daemon.said(1, 3)
    assert set(daemon.recognised().values()) == {1}
    assert len(daemon.recognised()) == 9


@pytest.mark.slow
def test_parts_that_are_moved_are_joined_at_their_new_place(daemon: Recorder) -> None:
    """Their transcript goes along, edited or not; what stays behind is joined without them."""
    for number in (1, 2, 3, 4):
        daemon.drop(number)
    file = daemon.wait_for(WHOLE, 1, 2, 3, 4)
    there = daemon.inbox / "归档"
    there.mkdir()
    for number in (1, 2):
        (daemon.inbox / f"会_{number:02}.wav").rename(there / f"会_{number:02}.wav")
    daemon.wait_for(f"归档/{WHOLE}", 1, 2)
    daemon.wait_for("会_03（合并）.txt", 3, 4)
    eventually(lambda: not file.exists(), what="the old one to go")
    moved = there / WHOLE
    moved.write_text("改过", encoding="utf-8")
    whole = daemon.inbox / "再移"
    there.rename(whole)
    eventually(lambda: len(daemon.events("recording_moved")) == 4, what="the second move")
    written = len(daemon.events("recordings_joined"))
    time.sleep(5)  # two looks: nothing comes of them
    assert len(daemon.events("recordings_joined")) == written
    assert {path.name for path in whole.iterdir()} == {
        "会_01.wav", "会_01.txt", "会_02.wav", "会_02.txt", WHOLE,
    }  # fmt: skip
    assert (whole / WHOLE).read_text(encoding="utf-8") == "改过"
    assert len(daemon.recognised()) == 12


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5, pytest.param(60, marks=pytest.mark.long)])
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, kills: int) -> None:
    """Parts come while the daemon is killed; in the end one file has each part once, and rests."""
    dice = random.Random(kills)
    numbers = list(range(1, 13))
    dice.shuffle(numbers)
    with Recorder(tmp_path) as daemon:
        for kill in range(kills):
            daemon.start()
            while len(daemon.wanted) * kills < len(numbers) * (kill + 1):
                daemon.drop(numbers[len(daemon.wanted)], ms=30)
            time.sleep(dice.uniform(0.2, 3.0))  # the moment is what is random
            daemon.kill()
            daemon.check_integrity()
        daemon.start()
        daemon.wait_for(WHOLE, *sorted(numbers))
        daemon.wait_until_done(len(numbers))
        eventually(lambda: daemon.joined_files() == {WHOLE}, what="one joined file alone")
        daemon.check_exactly_once_of_those(daemon.wanted)
        before = (daemon.inbox / WHOLE).stat()
        time.sleep(5)  # two looks
        assert (daemon.inbox / WHOLE).stat().st_ino == before.st_ino
