"""The single consumer loop: claims jobs, feeds the recogniser, commits what it says.

Enters: jobs of the queue. Leaves: segments and ends of jobs in the history, then files in the share. The
recogniser may crash, hang or be killed at any moment: what was committed stays, the rest is tried again,
alone, until its attempts are spent. The history may refuse to be written (disk full) at any moment, too: what
could not be committed is kept and committed when it can be.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.in_work import ConsumerState, Ending, InWork
from asr_daemon.dispatch.keeper import Recogniser, RecogniserKeeper, write_note
from asr_daemon.errors import (
    DeviceMissingError,
    InboxGoneError,
    InternalError,
    JobError,
    ModelMissingError,
    OutOfMemoryError,
    RecogniserCrashedError,
    RecogniserHungError,
    RecogniserNotStartedError,
    RecordingGoneError,
    Retry,
    job_error,
)
from asr_daemon.inboxes.fingerprint import open_recording
from asr_daemon.inboxes.scan import shown_name
from asr_daemon.queue.jobs import COMMAND_LINE, WHEN_CLEARED_S
from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.queue.inbox_profiles import InboxProfiles
    from asr_daemon.queue.jobs import Job, Queue, Waiting
    from asr_daemon.queue.profile import Profile

log = structlog.get_logger()

IN_FLIGHT = 8  # recordings given to the recogniser at once, so that short ones share its batches
POLL_S = 0.5  # how soon a new job is noticed while others are in work
IDLE_POLL_S = 5.0  # with an empty queue; whoever fills it wakes the consumer
HISTORY_AGAIN_S = 2.0  # how soon a history that could not be written is tried again
LONGEST_BLOCK_S = 300.0
SUSPECT_PATIENCE_S = 600.0  # a suspect waits for the recogniser to be free; after that, it is set free for it


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
        beat: Callable[[], None] = lambda: None,
        describe: Callable[[int], str] = lambda _fd: "",
    ) -> None:
        self.config = config
        self.profiles = profiles
        self.state = ConsumerState()
        self._beat = beat
        self._describe = describe
        self.wake = threading.Event()
        self._queue = queue
        self._deliverer = deliverer
        self._clock = clock
        self._stopping = threading.Event()
        self._keeper = RecogniserKeeper(start_recogniser, find_ffmpeg, clock, self._must_stop)
        self._endings: list[Ending] = []
        self._unsaved: protocol.Message | None = None
        self._away: dict[str, float] = {}  # inboxes whose share is gone, and until when they are left alone
        self._history_again_s = 0.0
        self._blocked_until_s = 0.0
        self._block_s = WHEN_CLEARED_S
        self._heard_s = self._listened_s = 0.0
        self._idle_since_s = clock.monotonic_s()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Consume until :meth:`stop`."""
        while not self._must_stop():
            began_s, is_busy = self._clock.monotonic_s(), bool(self.state.in_work)
            self.step()
            if is_busy:
                self.state.busy_s += self._clock.monotonic_s() - began_s
        self._give_back()

    def _must_stop(self) -> bool:
        """Whether to end; who asks makes a step."""
        self._beat()
        return self._stopping.is_set()

    def stop(self) -> None:
        """End the loop soon; jobs in work go back to the queue, untried."""
        self._stopping.set()
        self.wake.set()

    def step(self) -> None:
        """Give what can be given, hear what is said, or wait until there is a reason to go on."""
        self.wake.clear()
        try:
            if self._clock.monotonic_s() < self._history_again_s:
                self.wake.wait(POLL_S)
                return
            self._end_jobs()
            if self._unsaved is not None:
                self._take(self._unsaved)
            self._feed()
            if self.state.in_work:
                self._hear(POLL_S)
            elif not self._endings:
                self._rest()
        except RecogniserCrashedError as error:
            self._lose(error)
        except JobError as error:  # the history could not be written: nothing was lost, wait for room
            self._history_again_s = self._clock.monotonic_s() + HISTORY_AGAIN_S
            self._say_blocked(error)
        except Exception as error:
            log.exception("consumer_failed")
            self._lose(InternalError(f"{type(error).__name__}: {error}"))

    def _rest(self) -> None:
        idle_s = self._clock.monotonic_s() - self._idle_since_s
        unload_after_s = self.config.engine.idle_unload_min * 60
        if self._keeper.current is not None and unload_after_s and idle_s >= unload_after_s:
            log.info("recogniser_unloaded", idle_s=round(idle_s))
            self._keeper.end()
            self._show_recogniser()
        if self.state.state in ("working", "loading"):
            self.state.state = "idle"
        self._keeper.check_idle()
        self.wake.wait(IDLE_POLL_S if self._queue.is_empty() else POLL_S * 2)

    def reload(self, config: Config, profiles: InboxProfiles) -> None:
        """Take up another configuration; a model that changed is loaded for the next recording."""
        self.config, self.profiles = config, profiles
        self._blocked_until_s, self._block_s = 0.0, WHEN_CLEARED_S
        self.wake.set()

    # ------------------------------------------------------------------ to the recogniser

    def _feed(self) -> None:
        if self._queue.setting("paused") == "1":
            self.state.state = "paused" if not self.state.in_work else "working"
            return
        now = self._clock.monotonic_s()
        self._away = {inbox: until_s for inbox, until_s in self._away.items() if until_s > now}
        while len(self.state.in_work) < IN_FLIGHT and not self._stopping.is_set() and not self._endings:
            if self._clock.monotonic_s() < self._blocked_until_s:
                return
            if any(work.job.is_suspect for work in self.state.in_work.values()):
                return  # a suspect has the recogniser to itself
            if self.state.in_work and self._queue.has_overdue_suspect(SUSPECT_PATIENCE_S, self._away):
                return  # in a long queue, it would not be free for days
            job = self._queue.claim(fresh_only=bool(self.state.in_work), away=self._away)
            if job is None:
                if self.state.state in ("blocked", "paused") and not self.state.in_work:
                    self.state.state, self.state.reason = "idle", ""
                return
            self._begin(job)
            self._end_jobs()

    def _begin(self, job: Job) -> None:
        """Give a claimed job to the recogniser; whatever prevents that ends it."""
        try:
            self._give(job)
        except JobError as error:
            if job.id in self.state.in_work:  # the recogniser was lost while it was told: see _lose
                raise
            self._endings.append(Ending(job, None if self._stopping.is_set() else error))
        except BaseException:
            if job.id not in self.state.in_work:
                self._endings.append(Ending(job, InternalError("the recording could not be begun")))
            raise

    def _give(self, job: Job) -> None:
        """Open the job's recording and send it."""
        wanted = [(waiting, self._profile_of_now(waiting, job)) for waiting in job.waiting]
        others = [(waiting, profile) for waiting, profile in wanted if profile.digest != job.profile.digest]
        if others:
            self._queue.rebind(job.sha256, others)
            if len(others) == len(wanted):
                self._endings.append(Ending(job, None))
                return
        moved = {waiting.recording for waiting, _ in others}
        waiting, descriptor = self._open([each for each in job.waiting if each.recording not in moved])
        try:
            if self._keeper.current is None:
                self.state.state = "loading"
            recogniser = self._recogniser_for(job)
            self._show_recogniser()
            self._block_s = WHEN_CLEARED_S
            self.state.in_work[job.id] = InWork(
                job, shown_name(waiting.path), waiting.inbox, self._clock.monotonic_s()
            )
            self._heard_s = self._listened_s = self._clock.monotonic_s()
            recogniser.send(
                protocol.Recognise(job.id, shown_name(waiting.path), job.profile, job.done), descriptor
            )
        finally:
            os.close(descriptor)
        self.state.state, self.state.reason = "working", ""
        log.info(
            "recognition_started",
            job=job.id,
            inbox=waiting.inbox,
            file=shown_name(waiting.path),
            sha256=job.sha256,
            attempt=job.attempts,
            segments_kept=len(job.done),
            **({"memory_rung": job.rung.name.lower()} if job.rung else {}),
        )

    def _recogniser_for(self, job: Job) -> Recogniser:
        """Return a child as the job's rung wants it; what another one has in work goes back untried."""
        model, engine = self.profiles.model, self.config.engine
        if not self._keeper.suits(model, engine, job.rung):
            self._endings += [Ending(work.job, None) for work in self.state.in_work.values()]
            self.state.in_work.clear()
        if job.rung:
            self._count_memory_step("cpu" if job.rung is Rung.CPU else "process")
        try:
            return self._keeper.ready(model, engine, job.rung)
        except RecogniserNotStartedError as error:
            if job.rung is not Rung.CPU or self._stopping.is_set():
                raise
            # The queue's own device is not in question: it need not wait for this recording.
            raise OutOfMemoryError(
                f"It could not be tried on the CPU: {error}", evidence=error.evidence
            ) from error

    def _count_memory_step(self, step: str) -> None:
        self.state.memory_steps[step] = self.state.memory_steps.get(step, 0) + 1

    def _profile_of_now(self, waiting: Waiting, job: Job) -> Profile:
        """Return what the file's inbox asks for now; work that was begun is finished as it was begun."""
        now = self.profiles.profile(waiting.inbox)
        if waiting.inbox == COMMAND_LINE or job.done:  # asked for with one inbox's profile, and for that
            return replace(job.profile, model=now.model) if job.profile.model != now.model else job.profile
        return now

    def _open(self, copies: list[Waiting]) -> tuple[Waiting, int]:
        """Open the first copy of the content that is still what was hashed."""
        problem: JobError = RecordingGoneError()
        for waiting in copies:
            inbox = self.config.find_inbox(waiting.inbox)
            root = inbox.path if inbox else waiting.path.parent
            try:
                if inbox is not None:
                    self._deliverer.require_inbox(inbox)
                descriptor = open_recording(waiting.path, root)
            except InboxGoneError as error:
                self._away[waiting.inbox] = self._clock.monotonic_s() + WHEN_CLEARED_S
                problem = error
                continue
            except JobError as error:
                problem = error
                continue
            now = os.fstat(descriptor)
            if (now.st_size, now.st_mtime_ns) == (waiting.size_bytes, waiting.mtime_ns):
                return waiting, descriptor
            os.close(descriptor)
        raise problem

    def _show_recogniser(self) -> None:
        keeper = self._keeper
        self.state.pid, self.state.model = keeper.pid, keeper.model
        self.state.device, self.state.load_ms = keeper.device, keeper.load_ms

    # ------------------------------------------------------------------ from the recogniser

    def _hear(self, timeout_s: float) -> None:
        assert self._keeper.current is not None  # noqa: S101 (something is in work)
        now = self._clock.monotonic_s()
        if now - self._listened_s > self.config.engine.stall_s / 2:  # we ourselves were stopped, or blocked
            self._heard_s = now
        message = self._keeper.current.receive(timeout_s)
        self._listened_s = self._clock.monotonic_s()
        if message is not None:
            self._take(message)
        silent_s = self._listened_s - self._heard_s
        if self.state.in_work and silent_s > self.config.engine.stall_s:
            evidence = self._keeper.abort()
            self._lose(RecogniserHungError(f"no progress for {silent_s:.0f} s", evidence=evidence))

    def _take(self, message: protocol.Message) -> None:
        """Commit what was said; a message that cannot be committed now is kept, and taken again."""
        self._unsaved = message
        in_work = self.state.in_work
        if not isinstance(message, protocol.Note):
            self._heard_s = self._clock.monotonic_s()
        match message:
            case protocol.Note():
                write_note(message)
                if message.event == "batch_out_of_memory":
                    self._count_memory_step(str(message.fields.get("step", "batch")))
            case protocol.Segmented(job, found, complete) if job in in_work:
                self._queue.save_segmented(job, found, complete=complete)
            case protocol.Recognised(job, segments) if job in in_work:
                self._queue.save_segments(job, segments)
            case protocol.Progress(job, duration_ms, decoded_ms, recognised_ms) if job in in_work:
                work = in_work[job]
                work.duration_ms, work.decoded_ms, work.recognised_ms = duration_ms, decoded_ms, recognised_ms
            case protocol.Finished(job) if job in in_work:
                self._finish(message)
            case protocol.Failed(job, code, text, evidence) if job in in_work:
                last_rung = Rung.FRESH_PROCESS if self.state.device == "cpu" else Rung.CPU
                ending = Ending(in_work.pop(job).job, job_error(code, text, evidence), last_rung=last_rung)
                self._endings.append(ending)
        self._unsaved = None

    def _finish(self, message: protocol.Finished) -> None:
        model = self.profiles.model
        work = self.state.in_work[message.job]
        try:
            self._queue.finish(
                message.job,
                segment_count=message.segment_count,
                duration_ms=message.duration_ms,
                flags=message.flags,
                timings_ms=message.timings_ms,
                model_name=model.label,
                model_is_builtin=model.is_builtin,
            )
        except InternalError as error:
            self._endings.append(Ending(self.state.in_work.pop(message.job).job, error))
            return
        del self.state.in_work[message.job]
        self._unsaved = None  # what follows is tried again by the deliverer's own tick
        self._idle_since_s = self._clock.monotonic_s()
        self.state.audio_ms += message.duration_ms
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
        self._deliverer.deliver_job(message.job)

    # ------------------------------------------------------------------ when things go wrong

    def _end_jobs(self) -> None:
        """Say in the history how jobs ended that the recogniser has no longer."""
        while self._endings:
            ending = self._endings[0]
            if ending.error is None:
                self._queue.put_back(ending.job.id)
                del self._endings[0]
            else:
                state = self._queue.fail(
                    ending.job.id, ending.error, at_once=ending.at_once, last_rung=ending.last_rung
                )
                del self._endings[0]
                self._say_failed(ending.job, ending.error, state)
            self._idle_since_s = self._clock.monotonic_s()

    def _say_failed(self, job: Job, error: JobError, state: str) -> None:
        first = job.waiting[0]
        self.state.failures[error.code] = self.state.failures.get(error.code, 0) + 1
        say = log.info if error.retry is Retry.WHEN_CLEARED else log.warning
        say(
            "recognition_failed",
            job=job.id,
            inbox=first.inbox,
            file=shown_name(first.path),
            error=error.code,
            problem=str(error),
            attempt=job.attempts,
            state=state,
        )
        if state == "quarantined":
            self._keep_description(job)
        if isinstance(error, (ModelMissingError, DeviceMissingError, RecogniserNotStartedError)):
            self._block(error)
        if state != "queued" or isinstance(error, RecordingGoneError):
            self._deliverer.deliver_job(job.id)

    def _keep_description(self, job: Job) -> None:
        """Keep, with the quarantined recording's evidence, what it looks like from outside."""
        try:
            _, descriptor = self._open(list(job.waiting))
        except JobError:  # it is gone, or cannot be read: that is said elsewhere
            return
        try:
            words = self._describe(descriptor)
        finally:
            os.close(descriptor)
        self._queue.add_evidence(job.id, words)

    def _lose(self, error: JobError) -> None:
        """The recogniser is lost: end what is left of it; its jobs go back to the queue."""
        log.warning("recogniser_lost", error=error.code, problem=str(error), evidence=error.evidence[-2000:])
        self.state.restarts += 1
        self._keeper.kill()
        self._show_recogniser()
        self._unsaved = None
        works = list(self.state.in_work.values())
        self.state.in_work.clear()
        # Which of several was it? Each is tried again, alone.
        # The kernel ends who takes the machine's memory, and on the CPU it would be more of that.
        self._endings += [
            Ending(work.job, error, at_once=len(works) > 1, last_rung=Rung.FRESH_PROCESS) for work in works
        ]

    def _block(self, error: JobError) -> None:
        """Leave the queue alone for a while; one that starts a process waits longer each time."""
        self._say_blocked(error)
        self._blocked_until_s = self._clock.monotonic_s() + self._block_s
        if isinstance(error, RecogniserNotStartedError):
            self._block_s = min(LONGEST_BLOCK_S, 2 * self._block_s)

    def _say_blocked(self, error: JobError) -> None:
        if self.state.reason != str(error):
            log.error("queue_blocked", error=error.code, problem=str(error))
        self.state.state, self.state.reason = "blocked", str(error)

    def _give_back(self) -> None:
        """At the end: what is in work returns to the queue, and the recogniser ends."""
        self._endings += [Ending(work.job, None) for work in self.state.in_work.values()]
        self.state.in_work.clear()
        self._keeper.kill()
        try:
            self._end_jobs()
        except JobError as error:  # the next start puts them back
            log.error("jobs_not_put_back", problem=str(error))
