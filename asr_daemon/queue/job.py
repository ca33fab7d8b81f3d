"""A piece of work as it goes from the queue to a recogniser and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from asr_daemon.history.recordings import Recording
    from asr_daemon.history.segments import Place
    from asr_daemon.history.states import JobState
    from asr_daemon.transcripts.profile import Profile


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed piece of work: one content under one profile, and the files that wait for it."""

    id: int
    sha256: str
    profile: Profile
    attempts: int
    is_suspect: bool  # it was in work when something broke: it runs alone
    waiting: tuple[Recording, ...]
    done: tuple[Place, ...]  # segments committed by an earlier try
    rung: Rung = Rung.USUAL  # above it, memory did not suffice before
    inbox: str = ""  # for whose part it is
    weight: float = 1.0  # of that inbox
    is_urged: bool = False  # somebody waits for it at a screen


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a file that was brought to the queue."""

    recording: int
    job: int
    job_state: JobState
    is_new_work: bool


@dataclass(frozen=True, slots=True)
class Engine:
    """What recognises, in the recogniser's own words: it belongs to the attempt, and to the text."""

    model: str  # what a person calls it
    model_is_builtin: bool
    device: str
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class Result:
    """A finished recording beside its segments, which were committed one by one."""

    segment_count: int
    duration_ms: int
    flags: tuple[str, ...] = ()
    timings_ms: dict[str, int] = field(default_factory=dict)
