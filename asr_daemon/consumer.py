"""The single consumer loop: claims jobs, feeds the recogniser, commits what it says.

Enters: jobs of the queue. Leaves: segments and ends of jobs in the history, then files in the share. The
recogniser may crash, hang or be killed at any moment: what was committed stays, the rest is tried again,
alone, until its attempts are spent.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from asr_daemon.errors import (
    DeviceMissingError,
    InternalError,
    JobError,
    ModelMissingError,
    RecogniserCrashedError,
    RecogniserHungError,
    RecogniserNotStartedError,
    RecordingGoneError,
    Retry,
    job_error,
)
from asr_daemon.fingerprint import open_recording
from asr_daemon.queue import WHEN_CLEARED_S
from asr_daemon.recogniser import protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.deliver import Deliverer
    from asr_daemon.inbox_profile import InboxProfiles
    from asr_daemon.queue import Job, Queue, Waiting

log = structlog.get_logger()

IN_FLIGHT = 8  # recordings given to the recogniser at once, so that short ones share its batches
POLL_S = 0.5  # how soon a new job is noticed while others are in work
LOAD_TIMEOUT_S = 600.0


class Recogniser(Protocol):
    """What the consumer needs of the child process."""

    @property
    def pid(self) -> int:
        """Return the child's process number."""

    def send(self, message: protocol.Message, fd: int | None = None) -> None:
        """Send a message, with an open file where it needs one."""

    def receive(self, timeout_s: float) -> protocol.Message | None:
        """Return the next message, None after the time; raises RecogniserCrashedError."""

    def kill(self) -> None:
        """End it at once."""

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end, kill it after the time; return whether it obeyed."""


@dataclass(slots=True)
class InWork:
    """A job that the recogniser has in hand."""

    job: Job
    name: str
    inbox: str
    began_s: float
    duration_ms: int = 0
    decoded_ms: int = 0
    recognised_ms: int = 0


@dataclass(slots=True)
class ConsumerState:
    """What `status` tells of the recogniser."""

    state: str = "idle"  # idle, loading, working, blocked, paused
    reason: str = ""  # why it is blocked
    model: str = ""
    device: str = ""
    pid: int | None = None
    load_ms: int = 0
    restarts: int = 0
    in_work: dict[int, InWork] = field(default_factory=dict)


class Consumer:
    """Runs in one thread; nobody else talks to the recogniser."""

    def __init__(
        self,
        config: Config,
        queue: Queue,
        profiles: InboxProfiles,
        deliverer: Deliverer,
        clock: Clock,
        start_recogniser: Callable[[protocol.Setup], Recogniser],
        find_ffmpeg: Callable[[str], str],
    ) -> None:
        self.config = config
        self.profiles = profiles
        self.state = ConsumerState()
        self.wake = threading.Event()
        self._queue = queue
        self._deliverer = deliverer
        self._clock = clock
        self._start_recogniser = start_recogniser
        self._find_ffmpeg = find_ffmpeg
        self._stopping = threading.Event()
        self._recogniser: Recogniser | None = None
        self._model_identity = ""
        self._blocked_until_s = 0.0
        self._heard_s = 0.0
        self._idle_since_s = clock.monotonic_s()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Consume until :meth:`stop`."""
        while not self._stopping.is_set():
            self.step()
        self._give_back()

    def stop(self) -> None:
        """End the loop soon; jobs in work go back to the queue, untried."""
        self._stopping.set()
        self.wake.set()

    def step(self) -> None:
        """Give what can be given, hear what is said, or wait until there is a reason to go on."""
        self.wake.clear()
        try:
            self._feed()
            if self.state.in_work:
                self._hear(POLL_S)
            else:
                self._rest()
        except RecogniserCrashedError as error:
            self._lose(error)
        except JobError as error:  # the history could not be written: nothing was lost, wait for room
            self._block(error)
        except Exception as error:
            log.exception("consumer_failed")
            self._lose(InternalError(f"{type(error).__name__}: {error}"))

    def _rest(self) -> None:
        idle_s = self._clock.monotonic_s() - self._idle_since_s
        unload_after_s = self.config.engine.idle_unload_min * 60
        if self._recogniser is not None and unload_after_s and idle_s >= unload_after_s:
            log.info("recogniser_unloaded", idle_s=round(idle_s))
            self._end_recogniser()
        if self.state.state in ("working", "loading"):
            self.state.state = "idle"
        self.wake.wait(POLL_S if self._recogniser is None else POLL_S * 2)

    def reload(self, config: Config, profiles: InboxProfiles) -> None:
        """Take up another configuration; a model that changed is loaded for the next recording."""
        self.config, self.profiles = config, profiles
        self._blocked_until_s = 0.0
        self.wake.set()

    # ------------------------------------------------------------------ to the recogniser

    def _feed(self) -> None:
        if self._queue.setting("paused") == "1":
            self.state.state = "paused" if not self.state.in_work else "working"
            return
        while len(self.state.in_work) < IN_FLIGHT and not self._stopping.is_set():
            if self._clock.monotonic_s() < self._blocked_until_s:
                return
            if any(work.job.attempts > 1 for work in self.state.in_work.values()):
                return  # a job that was tried before has the recogniser to itself
            job = self._queue.claim(fresh_only=bool(self.state.in_work))
            if job is None:
                return
            try:
                self._begin(job)
            except JobError as error:
                if job.id in self.state.in_work:  # it was lost while it was told: see _lose
                    raise
                self._fail(job, error)

    def _begin(self, job: Job) -> None:
        """Open the job's recording and give it to the recogniser."""
        profile = self.profiles.profile(job.waiting[0].inbox)
        if profile.digest != job.profile.digest and not (job.done and profile.model == job.profile.model):
            self._queue.rebind(job, profile)
            return
        waiting, descriptor = self._open(job)
        try:
            recogniser = self._ready_recogniser(profile.model)
            work = InWork(job, waiting.path.name, waiting.inbox, self._clock.monotonic_s())
            self.state.in_work[job.id] = work
            self._heard_s = self._clock.monotonic_s()
            recogniser.send(
                protocol.Recognise(job.id, _printable(waiting.path), job.profile, job.done), descriptor
            )
        finally:
            os.close(descriptor)
        self.state.state = "working"
        log.info(
            "recognition_started",
            job=job.id,
            inbox=waiting.inbox,
            file=_printable(waiting.path),
            sha256=job.sha256,
            attempt=job.attempts,
            segments_kept=len(job.done),
        )

    def _open(self, job: Job) -> tuple[Waiting, int]:
        """Open the first copy of the content that is still what was hashed."""
        problem: JobError = RecordingGoneError()
        for waiting in job.waiting:
            inbox = self.config.find_inbox(waiting.inbox)
            root = inbox.path if inbox else waiting.path.parent
            try:
                descriptor = open_recording(waiting.path, root)
            except JobError as error:
                problem = error
                continue
            now = os.fstat(descriptor)
            if (now.st_size, now.st_mtime_ns) == (waiting.size_bytes, waiting.mtime_ns):
                return waiting, descriptor
            os.close(descriptor)
        raise problem

    def _ready_recogniser(self, identity: str) -> Recogniser:
        if self._recogniser is not None and self._model_identity != identity:
            self._end_recogniser()
        if self._recogniser is None:
            self._recogniser = self._load()
            self._model_identity = identity
        return self._recogniser

    def _load(self) -> Recogniser:
        """Start the child and wait for its model; what fails here is no recording's fault."""
        try:
            return self._start()
        except (RecogniserCrashedError, RecogniserHungError) as error:
            raise RecogniserNotStartedError(str(error), evidence=error.evidence) from error

    def _start(self) -> Recogniser:
        model, engine = self.profiles.model, self.config.engine
        self.state.state = "loading"
        recogniser = self._start_recogniser(
            protocol.Setup(
                model_name=model.name,
                model_family=model.family,
                model_folder=str(model.folder),
                vad_folder=str(model.vad_folder or ""),
                punctuation_folder=str(model.punctuation_folder or ""),
                device=engine.device,
                batch_s=engine.batch_s,
                threads=engine.threads,
                ffmpeg=self._find_ffmpeg(engine.ffmpeg),
                max_duration_s=engine.max_duration_h * 3600,
            )
        )
        try:
            answer = self._await_ready(recogniser)
        except BaseException:
            recogniser.kill()
            raise
        self.state.pid = recogniser.pid
        self.state.model, self.state.device, self.state.load_ms = model.label, answer.device, answer.load_ms
        log.info("model_loaded", model=model.label, device=answer.device, load_ms=answer.load_ms)
        return recogniser

    def _await_ready(self, recogniser: Recogniser) -> protocol.Ready:
        deadline_s = self._clock.monotonic_s() + LOAD_TIMEOUT_S
        while self._clock.monotonic_s() < deadline_s and not self._stopping.is_set():
            match recogniser.receive(POLL_S):
                case protocol.Ready() as ready:
                    return ready
                case protocol.Broken(code, message, evidence):
                    raise job_error(code, message, evidence)
                case protocol.Note() as note:
                    _write_note(note)
        if self._stopping.is_set():
            raise RecordingGoneError("the daemon is stopping")
        raise RecogniserHungError(f"the model was not loaded within {LOAD_TIMEOUT_S:.0f} s")

    # ------------------------------------------------------------------ from the recogniser

    def _hear(self, timeout_s: float) -> None:
        assert self._recogniser is not None  # noqa: S101 (something is in work)
        message = self._recogniser.receive(timeout_s)
        if message is None:
            silent_s = self._clock.monotonic_s() - self._heard_s
            if silent_s > self.config.engine.stall_s:
                self._lose(RecogniserHungError(f"no progress for {silent_s:.0f} s"))
            return
        self._heard_s = self._clock.monotonic_s()
        match message:
            case protocol.Note():
                _write_note(message)
            case protocol.Segmented(job, found, complete) if job in self.state.in_work:
                self._queue.save_segmented(job, found, complete=complete)
            case protocol.Recognised(job, segments) if job in self.state.in_work:
                self._queue.save_segments(job, segments)
            case protocol.Progress(job, duration_ms, decoded_ms, recognised_ms) if job in self.state.in_work:
                work = self.state.in_work[job]
                work.duration_ms, work.decoded_ms, work.recognised_ms = duration_ms, decoded_ms, recognised_ms
            case protocol.Finished(job) if job in self.state.in_work:
                self._finish(message)
            case protocol.Failed(job, code, text, evidence) if job in self.state.in_work:
                self._fail(self.state.in_work[job].job, job_error(code, text, evidence))

    def _finish(self, message: protocol.Finished) -> None:
        model = self.profiles.model
        self._queue.finish(
            message.job,
            duration_ms=message.duration_ms,
            flags=message.flags,
            timings_ms=message.timings_ms,
            model_name=model.label,
            model_is_builtin=model.is_builtin,
        )
        work = self._done_with(message.job)
        took_s = self._clock.monotonic_s() - work.began_s
        log.info(
            "recognition_finished",
            job=message.job,
            inbox=work.inbox,
            file=work.name,
            duration_ms=message.duration_ms,
            segments=message.segment_count,
            took_s=round(took_s, 2),
            rtfx=round(message.duration_ms / 1000 / took_s, 1) if took_s else None,
        )
        self._deliver(work.job)

    def _fail(self, job: Job, error: JobError) -> None:
        work = self.state.in_work.pop(job.id, None)
        state = self._queue.fail(job.id, error, attempts=job.attempts)
        first = job.waiting[0]
        say = log.info if error.retry is Retry.WHEN_CLEARED and work is None else log.warning
        say(
            "recognition_failed",
            job=job.id,
            inbox=first.inbox,
            file=_printable(first.path),
            error=error.code,
            problem=str(error),
            attempt=job.attempts,
            state=state,
        )
        if isinstance(error, (ModelMissingError, DeviceMissingError, RecogniserNotStartedError)):
            self._block(error)
        if state != "queued" or isinstance(error, RecordingGoneError):
            self._deliver(job)
        self._idle_since_s = self._clock.monotonic_s()

    def _deliver(self, job: Job) -> None:
        for waiting in job.waiting:
            self._deliverer.deliver(waiting.recording)
        self._deliverer.deliver_all()  # copies that came while it was in work

    # ------------------------------------------------------------------ when things go wrong

    def _lose(self, error: JobError) -> None:
        """The recogniser is lost: end what is left of it and put its jobs back."""
        log.warning("recogniser_lost", error=error.code, problem=str(error), evidence=error.evidence[-2000:])
        self.state.restarts += 1
        self._kill_recogniser()
        alone = len(self.state.in_work) == 1
        for work in list(self.state.in_work.values()):
            if alone:
                self._fail(work.job, error)
            else:  # which of them was it? each is tried again, alone
                self.state.in_work.pop(work.job.id)
                self._queue.put_back_suspect(work.job.id, error)
        if not alone:
            self._blocked_until_s = 0.0

    def _block(self, error: JobError) -> None:
        if self.state.reason != str(error):
            log.error("queue_blocked", error=error.code, problem=str(error))
        self.state.state, self.state.reason = "blocked", str(error)
        self._blocked_until_s = self._clock.monotonic_s() + WHEN_CLEARED_S

    def _done_with(self, job: int) -> InWork:
        self.state.reason = ""
        self._idle_since_s = self._clock.monotonic_s()
        return self.state.in_work.pop(job)

    def _give_back(self) -> None:
        """At the end: what is in work returns to the queue, and the recogniser ends."""
        for job in list(self.state.in_work):
            self._queue.put_back(job)
        self.state.in_work.clear()
        self._kill_recogniser()

    def _kill_recogniser(self) -> None:
        if self._recogniser is not None:
            self._recogniser.kill()
            self._forget_recogniser()

    def _end_recogniser(self) -> None:
        if self._recogniser is not None:
            self._recogniser.stop(timeout_s=5.0)
            self._forget_recogniser()

    def _forget_recogniser(self) -> None:
        self._recogniser = None
        self.state.pid = None


def _write_note(note: protocol.Note) -> None:
    write = {"debug": log.debug, "warning": log.warning, "error": log.error}.get(note.level, log.info)
    write(note.event, **note.fields)


def _printable(path: Path) -> str:
    return os.fsencode(path.name).decode("utf-8", "replace")
