"""Recordings take turns before the device: a short one never waits for a long one's end."""

from __future__ import annotations

import os
import threading
import wave
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sounds import speech
from way import segment

from asr_daemon.dispatch.protocol import Failed, Finished, Message, Recognise
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.feeder import Feeder
from asr_daemon.recogniser.job import Job
from asr_daemon.recogniser.pool import Pool
from asr_daemon.recogniser.segmenter.fsmn import FSMN_AIM
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = SimpleNamespace(segment=lambda index, _start, _end, spoken: segment(index, spoken.text))
MINUTE_SAMPLES = 60 * 16_000


class EverythingIsSpeech:
    """A detector that takes each window for a stretch of speech."""

    bank = None
    aim = FSMN_AIM
    pad_before_samples = pad_after_samples = 0
    open_start_samples = None

    def __init__(self) -> None:
        self.settled_samples = self.open_end_samples = 0

    def feed(self, window: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Return the window."""
        start = self.settled_samples
        self.settled_samples = self.open_end_samples = start + len(window)
        return [(start, self.settled_samples)]

    def finish(self) -> list[tuple[int, int]]:
        """Return nothing more."""
        return []


class Desk:
    """A feeder with real decoding, and everything that its jobs said."""

    def __init__(self, folder: Path, *, most_s: float = 60.0, threads: int = 1) -> None:
        self.folder = folder
        self.said: list[Message] = []
        self.pool = Pool(most_s)
        self.detectors: dict[int, EverythingIsSpeech] = {}  # of single jobs
        self.feeder = Feeder(
            self.pool,
            lambda job: self.detectors.get(job.id) or EverythingIsSpeech(),
            lambda *_: None,
            os.fspath(find_ffmpeg()),
            86_400.0,
            threads=threads,
        )
        self.jobs: list[Job] = []
        self.feeder.start()

    def add(self, content: bytes, name: str = "a.wav") -> Job:
        """Begin a recording."""
        path = self.folder / f"{len(self.jobs)}-{name}"
        path.write_bytes(content)
        order = Recognise(len(self.jobs), len(self.jobs), name, Profile("m", max_segment_s=120.0))
        job = Job(order, Request(), os.open(path, os.O_RDONLY), TEXT, self.said.append)  # type: ignore[arg-type]
        self.jobs.append(job)
        self.feeder.add(job)
        return job

    def take(self) -> list[int]:
        """Take a segment, as the device does; return whose it was."""
        return [one.job.id for one in self.pool.take(60, 1, lambda: False)]


def wav(folder: Path, minutes: float) -> bytes:
    """Return a recording of that length."""
    path = folder / "made.wav"
    samples = np.tile((speech(1, -20) * 32767).astype("<i2"), 60)
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for _ in range(int(minutes)):
            file.writeframes(samples.tobytes())
        file.writeframes(samples[: int(minutes % 1 * MINUTE_SAMPLES)].tobytes())
    return path.read_bytes()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk whose pool holds a minute."""
    return Desk(tmp_path)


def test_short_recording_does_not_wait_for_a_long_one(desk: Desk, tmp_path: Path) -> None:
    """Of 20 minutes two windows were decoded when ten seconds came: these are next, and done first."""
    long = desk.add(wav(tmp_path, 20))
    assert desk.take() == [long.id]
    short = desk.add(wav(tmp_path, 0.2))
    taken = [owner for _ in range(4) for owner in desk.take()]
    assert short.id in taken
    assert long.is_open
    assert long.decoded_ms < 5 * 60_000, "the pool bounds how far ahead a recording is decoded"
    desk.pool.close()


def test_failure_of_one_ends_it_alone(desk: Desk, tmp_path: Path) -> None:
    """What cannot be decoded fails at its turn; the other goes on to its end."""
    good = desk.add(wav(tmp_path, 2))
    bad = desk.add(b"no sound in here" * 100)
    for _ in range(4):
        assert desk.take() == [good.id]
    assert desk.pool.wait_for(lambda: not bad.is_open)
    failed = [message for message in desk.said if isinstance(message, Failed)]
    assert [(message.order, message.code) for message in failed] == [(bad.id, "not_decodable")]
    assert not any(isinstance(message, Finished) for message in desk.said)
    desk.pool.close()


def test_cancelled_recording_frees_its_descriptor(desk: Desk, tmp_path: Path) -> None:
    """Its decoding ends in the middle, its segments are forgotten, and its file is closed."""
    job = desk.add(wav(tmp_path, 20))
    assert desk.take() == [job.id]
    job.end()
    desk.pool.drop(job)
    assert desk.pool.wait_for(lambda: job not in desk.feeder._under_way)
    assert not any(
        os.path.realpath(link) == str(tmp_path / "0-a.wav") for link in Path("/proc/self/fd").iterdir()
    )
    desk.pool.close()


class Stuck(EverythingIsSpeech):
    """Takes until it is let go for its first window."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def feed(self, window: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Return the window, late."""
        self.go_on.wait(60)
        return super().feed(window)


def test_several_recordings_are_decoded_side_by_side(tmp_path: Path) -> None:
    """One that takes its time holds up nobody; each one's segments come once and in order."""
    desk = Desk(tmp_path, most_s=3600, threads=3)
    content = wav(tmp_path, 4)
    desk.detectors[0] = stuck = Stuck()
    jobs = [desk.add(content) for _ in range(5)]
    taken = [desk.pool.take(60, 1, lambda: False)[0] for _ in range(4 * 8)]
    assert {one.job.id for one in taken} == {1, 2, 3, 4}
    for job in jobs[1:]:
        assert [one.index for one in taken if one.job is job] == list(range(8))
    stuck.go_on.set()
    assert {one.job.id for _ in range(8) for one in desk.pool.take(60, 1, lambda: False)} == {0}
    assert desk.pool.wait_for(lambda: not desk.feeder._under_way)
    desk.pool.close()


def test_many_threads_end_with_the_pool(tmp_path: Path) -> None:
    """Idle ones as well as those in the middle of a recording."""
    desk = Desk(tmp_path, threads=4)
    desk.add(wav(tmp_path, 20))
    assert desk.take() == [0]
    desk.pool.close()
    for thread in desk.feeder._threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


@dataclass(eq=False)
class Decoded:
    """As much of a job as whose turn it is depends on."""

    order: int
    decoded_ms: int
    is_open: bool = True
    share: str = ""
    weight: float = 1.0


def test_long_recording_moves_however_many_short_ones_come(tmp_path: Path) -> None:
    """Every fourth turn is the oldest's: calls that keep coming do not stop a lecture for ever."""
    feeder = Feeder(Pool(60.0), lambda _: EverythingIsSpeech(), lambda *_: None, "", 1.0)
    lecture, *calls = [Decoded(0, 3_600_000), *(Decoded(number, 0) for number in range(1, 4))]
    feeder._under_way = dict.fromkeys([lecture, *calls], iter(()))  # type: ignore[assignment]
    chosen: list[Decoded] = []
    for _ in range(12):
        feeder._choose(chosen)  # type: ignore[arg-type]
        feeder._in_hand.clear()
    assert chosen.count(lecture) == 3
