"""What a session knows of the work in hand, and what it tells `status` and the metrics of its recogniser."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from asr_daemon.dispatch.protocol import Ready
    from asr_daemon.errors import WorkError
    from asr_daemon.queue.job import Job


class Phase(str, enum.Enum):
    """What a recogniser does at the moment."""

    IDLE = "idle"
    LOADING = "loading"
    WORKING = "working"
    BLOCKED = "blocked"
    PAUSED = "paused"
    YIELDING = "yielding"  # others have the card

    __str__ = str.__str__


@dataclass(slots=True)
class InWork:
    """A job that a recogniser has in hand."""

    job: Job
    name: str  # its path within the inbox
    inbox: str
    began_s: float
    duration_ms: int = 0
    decoded_ms: int = 0
    recognised_ms: int = 0
    committed: int = 0  # how often segments were

    @property
    def size_bytes(self) -> int:
        """Its file's size."""
        return self.job.waiting[0].size_bytes if self.job.waiting else 0


@dataclass(frozen=True, slots=True)
class Ending:
    """A claimed job that the recogniser has no longer, to be said in the history as soon as that can be."""

    job: Job
    error: WorkError | None  # None: untried
    at_once: bool = False  # it was not alone when the recogniser was lost
    last_rung: Rung = Rung.CPU  # the highest that could help, where memory did not suffice


@dataclass(frozen=True, slots=True)
class LiveWork:
    """A live session that a recogniser listens to."""

    number: int
    inbox: str
    began_s: float


@dataclass(slots=True)
class SessionState:
    """What `status` tells of a recogniser."""

    name: str = ""
    phase: Phase = Phase.IDLE
    reason: str = ""  # why it is blocked, or who has the card
    model: str = ""
    device: str = ""
    precision: str = ""
    pid: int | None = None
    machine: str = ""  # the other one that it is loaded on; "" where it is not, or on this one
    load_ms: int = 0
    restarts: int = 0
    audio_ms: int = 0  # recognised since the start
    busy_s: float = 0.0  # with at least one recording in work, since the start
    device_busy_s: float = 0.0  # in batches, since the start
    failures: dict[str, int] = field(default_factory=dict)  # ended attempts by class, since the start
    # What was done because memory did not suffice, since the start; see queue/memory_ladder.py.
    memory_steps: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("batch", "segment", "process", "cpu"), 0)
    )
    in_work: dict[int, InWork] = field(default_factory=dict)
    live: dict[int, LiveWork] = field(default_factory=dict)  # by number
    live_begun: int = 0  # since the start
    live_ms: int = 0  # of sound, in sessions that have ended

    def show(self, said: Ready, model: str, pid: int | None, machine: str) -> None:
        """Say what recogniser there is, or was; by its own words."""
        self.pid, self.machine, self.model = pid, machine, model
        self.device, self.precision, self.load_ms = said.device, said.precision, said.load_ms

    @property
    def is_loaded(self) -> bool:
        """Whether there is a recogniser."""
        return self.pid is not None or bool(self.machine)

    @property
    def device_busy_ratio(self) -> float | None:
        """Share of the time with work in hand that the device spent in batches; None before there was any."""
        return min(1.0, self.device_busy_s / self.busy_s) if self.busy_s else None

    def holds(self, job: Job) -> bool:
        """Whether that job is in work."""
        return any(work.job.id == job.id for work in self.in_work.values())

    def let_go(self) -> list[InWork]:
        """Return what is in work, which is so no more."""
        works = list(self.in_work.values())
        self.in_work.clear()
        return works

    def rest(self) -> None:
        """Say that no recording is in work; what it is blocked by, or paused, stays."""
        if self.phase in (Phase.WORKING, Phase.LOADING):
            self.phase = Phase.IDLE

    def wait(self, taken_by: str) -> None:
        """Say that nothing may be begun, and who has the card ("": nobody); what is in work goes on."""
        if self.in_work:
            return
        if taken_by:
            self.phase, self.reason = Phase.YIELDING, taken_by
        elif self.phase in (Phase.BLOCKED, Phase.PAUSED, Phase.YIELDING):
            self.phase, self.reason = Phase.IDLE, ""

    def count_memory_step(self, step: str) -> None:
        """Count what was done because memory did not suffice."""
        self.memory_steps[step] = self.memory_steps.get(step, 0) + 1

    def count_failure(self, code: str) -> None:
        """Count an attempt that ended so."""
        self.failures[code] = self.failures.get(code, 0) + 1
