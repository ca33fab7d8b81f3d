"""A real recogniser child with the built-in model, and a driver that plays the daemon."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.dispatch.local_process import PROGRAM, RecogniserProcess
from asr_daemon.dispatch.protocol import (
    Failed,
    Finished,
    Message,
    Note,
    Progress,
    Ready,
    Recognise,
    Recognised,
    Segmented,
    Setup,
)
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.models.catalogue import resolve
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.transcripts.transcript import Segment

REPOSITORY = Path(__file__).resolve().parents[3]
DEMO = REPOSITORY / "asr_daemon" / "demo" / "audio"
SHARED = Path(os.environ.get("ASR_DAEMON_SHARED", REPOSITORY.parent / "shared"))
PLAIN = Profile("m")


def builtin_setup(**changes: object) -> Setup:
    """Return the setup of the built-in model, on CPU with one thread."""
    choice = resolve("builtin", Path("/nonexistent"), "cpu")
    fields = {
        "model_name": choice.name,
        "model_family": choice.family,
        "model_folder": choice.folder,
        "vad_folder": choice.vad_folder,
        "punctuation_folder": choice.punctuation_folder,
        "device": "cpu",
        "batch_s": 0.0,
        "threads": 1,
        "ffmpeg": str(find_ffmpeg()),
        "max_duration_s": 3600.0,
    }
    return Setup(**{**fields, **changes})


@dataclass
class Outcome:
    """Everything that was said of one job."""

    segments: list[Segment] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    end: Finished | Failed | None = None

    @property
    def text(self) -> str:
        """What was recognised, as the model said it."""
        return "".join(segment.raw_text for segment in sorted(self.segments, key=lambda one: one.index))


class Driver:
    """Plays the daemon to one child."""

    def __init__(self, setup: Setup, program: tuple[str, ...] = PROGRAM) -> None:
        self.lines: list[str] = []
        self.notes: list[Note] = []
        self.child = RecogniserProcess.spawn(setup, self.lines.append, program)
        while isinstance(first := self.child.receive(180), Note):
            self.notes.append(first)
        self.first = first
        self._jobs = 0
        self.outcomes: dict[int, Outcome] = {}

    def begin(self, path: Path, profile: Profile = PLAIN, done: tuple = ()) -> int:
        """Hand over a recording; return its job's number."""
        self._jobs += 1
        self.outcomes[self._jobs] = Outcome()
        fd = os.open(path, os.O_RDONLY)
        try:
            self.child.send(Recognise(self._jobs, self._jobs, path.name, profile, done), fd)
        finally:
            os.close(fd)
        return self._jobs

    def listen(self, until: Callable[[Message], bool]) -> Message:
        """Take in what the child says until something is said."""
        while True:
            message = self.child.receive(120)
            assert message is not None, "the recogniser said nothing for two minutes"
            match message:
                case Segmented():
                    self.outcomes[message.order].places += message.segments
                case Recognised():
                    self.outcomes[message.order].segments += message.segments
                case Progress():
                    self.outcomes[message.order].progress.append(message)
                case Finished() | Failed():
                    self.outcomes[message.order].end = message
                case Note():
                    self.notes.append(message)
            if until(message):
                return message

    def finish(self, *jobs: int) -> list[Outcome]:
        """Wait for the end of jobs."""
        while any(self.outcomes[job].end is None for job in jobs):
            self.listen(lambda _message: True)
        return [self.outcomes[job] for job in jobs]

    def transcribe(self, path: Path, profile: Profile = PLAIN, done: tuple = ()) -> Outcome:
        """Recognise one recording."""
        (outcome,) = self.finish(self.begin(path, profile, done))
        return outcome


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """One child for all tests that leave it alive."""
    driver = Driver(builtin_setup())
    assert isinstance(driver.first, Ready), driver.first
    yield driver
    driver.child.stop(20)


@pytest.fixture
def own_driver() -> Iterator[Driver]:
    """A child for a test that ends it."""
    driver = Driver(builtin_setup())
    yield driver
    driver.child.kill()
