"""A recogniser child: started when it is needed, with the model that is needed, and ended.

Enters: what is wanted of it. Leaves: a child that said Ready. Fails with what keeps the queue waiting and is
no recording's fault: :class:`~asr_daemon.errors.ModelMissingError`,
:class:`~asr_daemon.errors.DeviceMissingError`, :class:`~asr_daemon.errors.RecogniserNotStartedError`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

import structlog

from asr_daemon.dispatch import protocol
from asr_daemon.errors import (
    ConfigurationError,
    EngineUnavailableError,
    ModelMissingError,
    RecogniserCrashedError,
    RecogniserNotStartedError,
    work_error,
)
from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.config_sections import EngineSection
    from asr_daemon.dispatch.hiring import Hiring
    from asr_daemon.models.abilities import Computed
    from asr_daemon.models.catalogue import ModelChoice

log = structlog.get_logger()

LOAD_TIMEOUT_S = 600.0
POLL_S = 0.5
END_WITHIN_S = 5.0
_OURS = ("event", "recogniser", "level", "timestamp", "exc_info", "traceback")  # fields that no note may set
BROKEN_AGAIN_S = 300.0  # how soon a model that is as it was is tried again all the same


class Recogniser(Protocol):
    """What is needed of the child process, or of whoever speaks for one on another machine.

    Both :meth:`send` and :meth:`receive` raise RecogniserCrashedError; MachineLostError and ClusterAwayError
    where it is on another machine.
    """

    @property
    def pid(self) -> int | None:
        """Return the child's process number; None where it is on another machine."""

    def send(self, message: protocol.Message, fd: int | None = None) -> None:
        """Send a message, with an open file where it needs one."""

    def receive(self, timeout_s: float) -> protocol.Message | None:
        """Return the next message, None after the time."""

    def kill(self) -> None:
        """End it at once."""

    def abort(self) -> str:
        """End it at once, but for a few lines on where it is; return its last words."""

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end, kill it after the time; return whether it obeyed."""


@dataclass(frozen=True, slots=True)
class _Broken:
    """A model that could not be loaded, and what its files looked like."""

    stamp: tuple[object, ...]
    until_s: float
    error: ModelMissingError


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a recogniser is to be like."""

    model: ModelChoice
    engine: EngineSection
    device: str  # as in engine.device
    sharers: int = 1  # recognisers that share this machine's processor and memory, this one among them
    rung: Rung = Rung.USUAL


class RecogniserKeeper:
    """Starts and ends one recogniser, as it is hired; belongs to its session's thread."""

    def __init__(self, hiring: Hiring, clock: Clock, is_stopping: Callable[[], bool], name: str = "") -> None:
        self.hiring = hiring
        self.current: Recogniser | None = None
        self.pid: int | None = None
        self.model = ""  # what a person calls the one that was loaded last
        self.model_is_builtin = False
        self.ready_said = protocol.Ready("", "", 0)  # by the one that was loaded last
        self._clock = clock
        self._is_stopping = is_stopping
        self._name = name
        self._broken: _Broken | None = None
        self._loaded: tuple[str, protocol.Setup] | None = None  # the model's identity, and what was asked for

    def ready(self, wanted: Wanted) -> Recogniser:
        """Return a child that is as wanted; any other ends first.

        Above :attr:`Rung.USUAL` it is a fresh one in any case.
        """
        if not self.suits(wanted):
            self.end()
        if self.current is None:
            identity, setup = wanted.model.identity, self._setup(wanted)
            with self.hiring.gate.turn(self._is_stopping):
                self.current = self._load_unless_broken(wanted, setup)
            if wanted.model.identity != identity:
                self.kill()
                raise RecogniserNotStartedError("the model was replaced while it was loaded")
            self._loaded = (identity, replace(setup, begins_small=False))  # it begins so, and grows
        return self.current

    def suits(self, wanted: Wanted) -> bool:
        """Whether :meth:`ready` would end no child."""
        if self.current is None:
            return True
        return wanted.rung is Rung.USUAL and self._loaded == (wanted.model.identity, self._setup(wanted))

    def _load_unless_broken(self, wanted: Wanted, setup: protocol.Setup) -> Recogniser:
        """Load; a model that was found damaged is read again (gigabytes) once a file of it has changed."""
        gate, now_s = self.hiring.gate, self._clock.monotonic_s()
        seen = gate.stamp(wanted.model)
        if self._broken is not None and self._broken.stamp == seen and now_s < self._broken.until_s:
            raise self._broken.error
        self._broken = None
        try:
            recogniser = self._load(wanted, self._with_what_is_known(wanted, setup))
        except ModelMissingError as error:
            if seen:
                self._broken = _Broken(seen, now_s + BROKEN_AGAIN_S, error)
            raise
        gate.verified(seen)
        if self.ready_said.was_checked:
            gate.remember(wanted.model.identity, cast("Computed", self.ready_said.precision))
        return recogniser

    def _with_what_is_known(self, wanted: Wanted, setup: protocol.Setup) -> protocol.Setup:
        """Return the setup with what others, or earlier ones, found out: it need not be found out again."""
        gate = self.hiring.gate
        return replace(
            setup,
            is_verified=gate.is_verified(gate.stamp(wanted.model)),
            remembered=gate.recall(wanted.model.identity),
        )

    def _setup(self, wanted: Wanted) -> protocol.Setup:
        model, engine = wanted.model, wanted.engine
        is_on_cpu = wanted.rung is Rung.CPU
        return protocol.Setup(
            model_name=model.name,
            model_family=model.family,
            model_folder=str(model.folder),
            vad_folder=str(model.vad_folder or ""),
            punctuation_folder=str(model.punctuation_folder or ""),
            device="cpu" if is_on_cpu else wanted.device,
            batch_s=0.0 if is_on_cpu else engine.batch_s,
            threads=engine.threads,
            ffmpeg=self._ffmpeg(engine.ffmpeg),
            max_duration_s=engine.max_duration_h * 3600,
            begins_small=wanted.rung is not Rung.USUAL,
            half_precision=engine.half_precision,
            precision=engine.precision,
            sharers=wanted.sharers,
            speaker_model=model.speaker_model,
            speaker_folder=model.speaker_folder,
        )

    def _load(self, wanted: Wanted, setup: protocol.Setup) -> Recogniser:
        try:
            recogniser = self.hiring.start(wanted, setup)
        except RecogniserCrashedError as error:
            raise RecogniserNotStartedError(str(error), evidence=error.evidence) from error
        try:
            answer = self._await_ready(recogniser)
        except RecogniserCrashedError as error:
            recogniser.kill()
            raise RecogniserNotStartedError(str(error), evidence=error.evidence) from error
        except BaseException:
            recogniser.kill()
            raise
        self.pid, self.ready_said = recogniser.pid, answer
        self.model, self.model_is_builtin = wanted.model.label, wanted.model.is_builtin
        log.info(
            "model_loaded",
            model=self.model,
            recogniser=self._name,
            device=answer.device,
            precision=answer.precision,
            load_ms=answer.load_ms,
            bound_s=answer.bound_s,
            **({"machine": answer.machine} if answer.machine else {}),
        )
        return recogniser

    def _ffmpeg(self, configured: str) -> str:
        try:
            return self.hiring.find_ffmpeg(configured)
        except (
            ConfigurationError
        ) as error:  # it was uninstalled, or its trial run was ended: no recording's fault
            raise RecogniserNotStartedError(str(error)) from error

    def _await_ready(self, recogniser: Recogniser) -> protocol.Ready:
        deadline_s = self._clock.monotonic_s() + LOAD_TIMEOUT_S
        while self._clock.monotonic_s() < deadline_s and not self._is_stopping():
            match recogniser.receive(POLL_S):
                case protocol.Ready() as ready:
                    return ready
                case protocol.Broken(code, message, evidence):
                    error = work_error(code, message, evidence)
                    if isinstance(error, EngineUnavailableError):
                        raise error
                    raise RecogniserNotStartedError(f"{code}: {message}", evidence=evidence)
                case protocol.Note() as note:
                    write_note(note, self._name)
        if self._is_stopping():
            raise RecogniserNotStartedError("the daemon is stopping")
        raise RecogniserNotStartedError(f"the model was not loaded within {LOAD_TIMEOUT_S:.0f} s")

    def check_idle(self) -> None:
        """Hear what a child without work says; raises RecogniserCrashedError where it has ended."""
        while self.current is not None and (message := self.current.receive(0.0)) is not None:
            if isinstance(message, protocol.Note):
                write_note(message, self._name)

    def kill(self) -> None:
        """End it at once."""
        recogniser, self.current, self.pid = self.current, None, None
        if recogniser is not None:
            recogniser.kill()

    def abort(self) -> str:
        """End one that hangs; return where it did."""
        return self.current.abort() if self.current is not None else ""

    def end(self) -> None:
        """End it after what it has in hand."""
        recogniser, self.current, self.pid = self.current, None, None
        if recogniser is not None:
            recogniser.stop(timeout_s=END_WITHIN_S)


def write_note(note: protocol.Note, recogniser: str) -> None:
    """Write a log line of the child into ours."""
    write = {"debug": log.debug, "warning": log.warning, "error": log.error}.get(note.level, log.info)
    told = {key: value for key, value in note.fields.items() if key not in _OURS}
    write(note.event, recogniser=recogniser, **told)
