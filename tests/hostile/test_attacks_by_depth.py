"""Folders with paths longer than the kernel takes: everybody else is served, and it is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, check_transcript, drop, recording

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

PATH_MAX = 4096  # with its end


def dig(inbox: Path, top: str, length: int, name: str, content: bytes) -> None:
    """Make folders below one until a file of that name has a path of that many bytes, and write it there."""
    folder = inbox / top
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    left = length - len(os.fsencode(folder)) - 1 - len(os.fsencode(name))
    while left > 1:
        size = left - 1 if left <= 201 else min(200, left - 3)
        part = "d" * size
        os.mkdir(part, dir_fd=at)
        deeper = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
        left -= size + 1
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
    os.write(fd, content)
    os.close(fd)
    os.close(at)


LENGTHS = (3_000, PATH_MAX - 40, *range(PATH_MAX - 8, PATH_MAX + 3), PATH_MAX + 300, 9_000)


@pytest.mark.timeout(280)
def test_paths_of_every_length_keep_nobody_from_a_transcript(tmp_path: Path) -> None:
    """Near the limit, at it and beyond: recordings beside them are served, and what is too deep is said."""
    with AttackedDaemon(tmp_path) as daemon:
        good = {f"good{number}.wav": recording(number) for number in range(2)}
        drop(daemon.inbox / "good0.wav", good["good0.wav"])
        half = len(LENGTHS) // 2
        for number, length in enumerate(LENGTHS[:half]):
            dig(daemon.inbox, f"{number}", length, "a.wav", recording(f"deep {length}"))
        daemon.start()
        for number, length in enumerate(LENGTHS[half:]):
            dig(daemon.inbox, f"later{number}", length, "a.wav", recording(f"deep {length}"))
        drop(daemon.inbox / "good1.wav", good["good1.wav"])
        for name in ("good0", "good1"):
            eventually((daemon.inbox / f"{name}.txt").exists, what=name)
        eventually(
            lambda: daemon.live()["inboxes"][0]["problem"], what="the word of folders that lie too deep"
        )
        eventually(daemon.all_settled, what="the rest")
        for name, content in good.items():
            check_transcript(daemon.inbox / name.replace(".wav", ".txt"), content)
        told = daemon.live()["inboxes"][0]["problem"]
        assert "too deep" in told
        assert len(told) < 300
        assert "Traceback" not in daemon.log_text()
        assert daemon.events("intake_failed") == []


@pytest.mark.timeout(280)
def test_recording_near_the_limit_that_fails_is_not_tried_for_ever(tmp_path: Path) -> None:
    """Its failure file's name is longer: where that would not be seen again, it would count as deleted."""
    with AttackedDaemon(tmp_path) as daemon:
        for number, length in enumerate((300, 3_500, 3_900, *range(PATH_MAX - 9, PATH_MAX + 1, 2))):
            bad = recording(length, fail="not_decodable")
            dig(daemon.inbox, f"{number}", length, "a.wav", bad)
        daemon.start()
        eventually(daemon.all_settled, what="every outcome")
        failed = len(daemon.query("SELECT 1 FROM recordings WHERE state = 'failed'"))
        assert failed >= 2
        drop(daemon.inbox / "good.wav", recording("good"))
        eventually((daemon.inbox / "good.txt").exists, what="the next one")
        for number in range(3):  # each event of the inbox is a scan
            (daemon.inbox / f"look{number}").mkdir()
            drop(daemon.inbox / f"look{number}" / "a.wav", recording(f"look {number}"))
            eventually((daemon.inbox / f"look{number}" / "a.txt").exists, what="a scan")
        assert daemon.events("retry_asked") == []
        assert len(daemon.events("recognition_started")) == failed + 4
