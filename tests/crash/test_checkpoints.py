"""A long recording, killed again and again, with the real recogniser: as if it had never been interrupted."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from attack import children_of, kill_quietly

from support import SAMPLES, DaemonUnderTest, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeDaemon = Callable[..., DaemonUnderTest]

pytestmark = pytest.mark.slow

ONE_BATCH = 8  # segments, on CPU


def transcript(path: Path) -> bytes:
    """Return the transcript's bytes but for the moment it was made at."""
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if b'"recognised_at"' not in line)


def committed(daemon: DaemonUnderTest) -> int:
    rows = daemon.rows("history", inbox=None, state=None, since=None, limit=1)
    return len(daemon.rows("recognised_segments", job=1)) if rows else 0


def attack(daemon: DaemonUnderTest, folder: Path, *, loops: int, kills: int) -> dict[str, Any]:
    dice = random.Random(loops)
    samples = 16_000 * 14
    convert(
        SAMPLES / "lecture.wav", folder / "long.wav", "-filter_complex", f"aloop=loop={loops}:size={samples}"
    )
    again = []
    os.link(folder / "long.wav", folder / "inbox" / "long.wav")
    daemon.start()
    for _ in range(kills):
        eventually(lambda: daemon.events("recognition_started"), what="the recognition")
        before = committed(daemon)
        eventually(
            lambda: (
                committed(daemon) > before  # noqa: B023 (called in this round)
                or (folder / "inbox" / "long.json").exists()
            ),
            what="a batch",
        )
        time.sleep(dice.uniform(0.0, 1.5))  # the moment is what is random
        if dice.random() < 0.3:
            kill_quietly(children_of(daemon.live()["pid"]), signal.SIGKILL)
        else:
            daemon.kill()
            kept = committed(daemon)
            starts = len(daemon.events("recognition_started"))
            daemon.start()
            if not (folder / "inbox" / "long.json").exists():
                eventually(lambda: len(daemon.events("recognition_started")) > starts, what="the next try")  # noqa: B023
                again.append(daemon.events("recognition_started")[-1]["segments_kept"] - kept)
    interrupted = daemon.wait_for("inbox/long.json")
    text = transcript(interrupted)
    assert daemon.stop() == 0
    assert not any(again), "what was committed was not kept"
    document = json.loads(interrupted.read_text(encoding="utf-8"))
    return {"text": text, "segments": len(document["segments"]), "kept": again}


def uninterrupted(daemon: DaemonUnderTest, folder: Path) -> bytes:
    """Recognise the same recording once more, by itself, with a history of its own."""
    for path in (folder / "inbox").iterdir():
        path.unlink()
    (folder / "state").rename(folder / "state-before")
    os.link(folder / "long.wav", folder / "inbox" / "long.wav")
    daemon.start()
    text = transcript(daemon.wait_for("inbox/long.json"))
    assert daemon.stop() == 0
    return text


def test_killed_recording_ends_as_if_it_had_not_been(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """Two minutes, two kills: the transcript is byte-identical, and what was committed was kept."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}, extra="max_attempts = 50")
    found = attack(daemon, tmp_path, loops=8, kills=2)
    assert found["segments"] > 2 * ONE_BATCH
    assert found["text"] == uninterrupted(daemon, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_long_recording_killed_often(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """Half an hour, twelve kills."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}, extra="max_attempts = 50")
    found = attack(daemon, tmp_path, loops=130, kills=12)
    assert found["text"] == uninterrupted(daemon, tmp_path)
