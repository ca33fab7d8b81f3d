"""A long recording, killed again and again, with the real recogniser: as if it had never been interrupted."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from attack import HERE, children_of, kill_quietly, several

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from support import SAMPLES, DaemonUnderTest, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeDaemon = Callable[..., DaemonUnderTest]

pytestmark = pytest.mark.slow

FORMATS = ("json", "srt", "txt")
MOMENT = (b'"recognised_at"', "转写时间".encode())  # the lines that say when it was made


def make_recording(path: Path, length_s: float) -> None:
    """Write that much of the samples, in no order, with pauses of all lengths between them."""
    dice = random.Random(round(length_s))
    sounds = []
    for name in ("finance.m4a", "lecture.wav", "support.mp3"):
        part = path.with_name(f"{name}.wav")
        convert(SAMPLES / name, part, "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-c:a", "pcm_s16le")
        with wave.open(os.fspath(part), "rb") as sound:
            sounds.append(sound.readframes(sound.getnframes()))
    with wave.open(os.fspath(path), "wb") as whole:
        whole.setnchannels(1)
        whole.setsampwidth(2)
        whole.setframerate(SAMPLE_RATE_HZ)
        while whole.getnframes() < length_s * SAMPLE_RATE_HZ:
            whole.writeframes(dice.choice(sounds))
            whole.writeframes(bytes(2 * round(dice.uniform(0.1, 5.0) * SAMPLE_RATE_HZ)))


@dataclass
class Run:
    """One recognition of the recording from its drop to its transcripts."""

    transcripts: dict[str, bytes]
    batches: list[list[list[int]]]  # of each recogniser process, in order, the segments of each batch begun

    @property
    def segments(self) -> int:
        """How many there are."""
        return len(json.loads(self.transcripts["json"])["segments"])

    def lost(self) -> list[list[list[int]]]:
        """Return, for each process but the last, the batches of which something was begun again later."""
        lost = []
        for place, batches in enumerate(self.batches[:-1]):
            later = {number for process in self.batches[place + 1 :] for batch in process for number in batch}
            lost.append([batch for batch in batches if later & set(batch)])
        return lost


class Long:
    """The recording and a daemon for it; each run has a history of its own."""

    def __init__(self, make_daemon: MakeDaemon, folder: Path, length_s: float, recognisers: int) -> None:
        # one precision: which one is fastest is found out for each history anew
        engine = (several(recognisers) or "\n[engine]\n") + 'precision = "float32"\n'
        extra = "max_attempts = 50" + engine
        self.daemon = make_daemon({"inbox": f"formats = {list(FORMATS)}"}, extra=extra)
        self.daemon.program = tuple(
            os.fspath(HERE / name) for name in ("run_daemon_with_recogniser.py", "recogniser_with_trace.py")
        )
        self.folder = folder
        self.runs = 0
        make_recording(folder / "long.wav", length_s)

    def run(self, kills_at: list[int], dice: random.Random) -> Run:
        """Recognise it; soon after each of these numbers of segments is committed, kill something."""
        self.runs += 1
        trace = self.folder / f"trace-{self.runs}"
        trace.mkdir()
        self.daemon.environment = {"TRACE": os.fspath(trace)}
        for left in (self.folder / "inbox").iterdir():
            left.unlink()
        if (self.folder / "state").exists():
            (self.folder / "state").rename(self.folder / f"state-{self.runs}")
        os.link(self.folder / "long.wav", self.folder / "inbox" / "long.wav")
        self.daemon.start()
        for count in kills_at:
            eventually(lambda: self.committed() >= count, within_s=1800, what=f"{count} segments")  # noqa: B023
            time.sleep(dice.uniform(0.0, 0.7))  # the moment is what is random
            if dice.random() < 0.3:
                kill_quietly(children_of(self.daemon.live()["pid"]), signal.SIGKILL)
            else:
                self.daemon.kill()
                self.daemon.start()
        eventually((self.folder / "inbox" / "long.txt").exists, within_s=1800, what="the transcript")
        assert self.daemon.stop() == 0
        processes = sorted(trace.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return Run(
            {kind: self.transcript(kind) for kind in FORMATS},
            [
                [[int(number) for number in line.split()] for line in path.read_text("ascii").splitlines()]
                for path in processes
            ],
        )

    def committed(self) -> int:
        """Return how many segments the history has."""
        if not self.daemon.history():
            return 0
        return len(self.daemon.rows("recognised_segments", job=1))

    def transcript(self, kind: str) -> bytes:
        """Return the transcript's bytes but for the moment it was made at."""
        lines = (self.folder / "inbox" / f"long.{kind}").read_bytes().splitlines(keepends=True)
        return b"".join(line for line in lines if not line.strip().startswith(MOMENT))


def attack(
    make_daemon: MakeDaemon, folder: Path, *, length_s: float, kills: int, recognisers: int = 1
) -> None:
    """Recognise it in peace, then with kills, and compare bytes and work."""
    dice = random.Random(kills)
    long = Long(make_daemon, folder, length_s, recognisers)
    peace = long.run([], dice)
    assert not any(peace.lost())
    war = long.run(sorted(dice.sample(range(1, peace.segments - 8), kills)), dice)
    (folder / "result.json").write_text(
        json.dumps({"segments": peace.segments, "lost": war.lost()}), encoding="utf-8"
    )
    assert len(war.batches) >= 2, "nothing was killed at work"
    for lost in war.lost():
        assert len(lost) <= 1, f"more than the batch in hand was begun again: {lost}"
    for kind in FORMATS:
        assert war.transcripts[kind] == peace.transcripts[kind], kind


@pytest.mark.parametrize("recognisers", [1, 2])
def test_killed_recording_ends_as_if_it_had_not_been(
    make_daemon: MakeDaemon, tmp_path: Path, recognisers: int
) -> None:
    """Two minutes, two kills: the transcripts are byte-identical, and a kill costs one batch at the most."""
    attack(make_daemon, tmp_path, length_s=120, kills=2, recognisers=recognisers)


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("recognisers", [1, 2])
def test_two_hours_killed_often(make_daemon: MakeDaemon, tmp_path: Path, recognisers: int) -> None:
    """Two hours, eight kills at random places of it."""
    attack(make_daemon, tmp_path, length_s=7200, kills=8, recognisers=recognisers)
