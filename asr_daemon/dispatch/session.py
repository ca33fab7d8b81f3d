"""One recogniser at work: claims what is next, feeds it, commits what it says, and ends what ended.

Enters: jobs of the queue. Leaves: segments and ends of jobs in the history, then files in the share. Runs in
a thread of its own; nobody else talks to this recogniser. It may crash, hang or be killed at any moment: what
was committed stays, the rest is tried again, alone, until its attempts are spent. The history may refuse to
be written (disk full) at any moment, too: what could not be committed is kept and committed when it can be.
"""

from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.blocking import Blocking
from asr_daemon.dispatch.claims import Claims
from asr_daemon.dispatch.endings import Endings
from asr_daemon.dispatch.in_work import Ending, InWork, Phase, SessionState
from asr_daemon.dispatch.keeper import RecogniserKeeper, Wanted
from asr_daemon.dispatch.leaving import Leaving
from asr_daemon.dispatch.live import RecognisersLive
from asr_daemon.dispatch.loading import NO_GATE
from asr_daemon.dispatch.pause import Pause
from asr_daemon.dispatch.receiving import Receiver
from asr_daemon.dispatch.remote_process import AWAY
from asr_daemon.dispatch.silence import Silence
from asr_daemon.errors import (
    EngineUnavailableError,
    HistoryDamagedError,
    HistoryUnavailableError,
    InternalError,
    MachineLostError,
    OutOfMemoryError,
    RecogniserCrashedError,
    RecogniserHungError,
    RecogniserNotStartedError,
    WorkError,
)
from asr_daemon.queue.job import Engine
from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.config_sections import EngineSection
    from asr_daemon.dispatch.hiring import Hiring
    from asr_daemon.dispatch.keeper import Recogniser
    from asr_daemon.dispatch.losses import Losses
    from asr_daemon.dispatch.surroundings import Surroundings
    from asr_daemon.queue.job import Job
    from asr_daemon.queue.turns import Sizes

log = structlog.get_logger()

POLL_S = 0.5  # how soon a new job is noticed while others are in work
IDLE_POLL_S = 5.0  # with an empty queue; whoever fills it wakes the session


class Session:
    """One recogniser, from the claim to the transcript."""

    def __init__(
        self,
        name: str,
        hiring: Hiring,
        engine: EngineSection,
        around: Surroundings,
        losses: Losses,
        *,
        fair_share: Callable[[], int],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Work as ``hiring`` says; ``fair_share``: how many recordings at once are this recogniser's part."""
        self.state = SessionState(name)
        self.is_superfluous = False  # it takes nothing more, and ends once nothing is in work
        self.live = RecognisersLive(self.state, around.clock)
        self.wake, self.unload = threading.Event(), threading.Event()  # unload: when nothing is in work
        self._engine = engine
        self._around = around
        self._clock = around.clock
        self._jobs = around.jobs
        self._beat = beat
        self._stopping = threading.Event()
        self._keeper = RecogniserKeeper(hiring, around.clock, self._must_stop, name)
        self._blocking = Blocking(self.state, around.clock, is_elsewhere=hiring.gate is NO_GATE)
        self._endings = Endings(
            around.jobs,
            around.deliverer,
            around.opener,
            self.state,
            around.describe,
            self._blocking.begin,
            losses,
            around.wake_all,
        )
        self._receiver = Receiver(
            around.jobs,
            around.segments,
            around.deliverer,
            around.clock,
            self.state,
            self._endings,
            self.live,
            around.on_progress,
        )
        self._claims = Claims(around.jobs, around.opener, self.state, fair_share, self._taken_by, self._sizes)
        self._leaving = Leaving(around.jobs, self.state, around.clock, self._taken_by)
        self._orders = itertools.count(1)
        self._pause = Pause(around.clock)
        self._silence = Silence(around.clock)
        self._idle_since_s = around.clock.monotonic_s()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Work until :meth:`stop`, or until it is superfluous and has nothing in work."""
        while not self._must_stop() and (self.state.in_work or self._endings or not self.is_superfluous):
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

    @property
    def is_stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stopping.is_set()

    @property
    def hiring(self) -> Hiring:
        """How it comes by its recogniser."""
        return self._keeper.hiring

    def reload(self, engine: EngineSection, hiring: Hiring) -> None:
        """Take up other settings: the next recording is recognised with them."""
        self._engine, self._keeper.hiring = engine, hiring
        self.unblock()

    def unblock(self) -> None:
        """Try at once what could not be done: things are different now. From any thread."""
        self._blocking.end()
        self.wake.set()

    def step(self) -> None:
        """Give what can be given, hear what is said, or wait until there is a reason to go on."""
        self.wake.clear()
        try:
            self._begin_live()
            if self._pause.is_on:
                self.wake.wait(POLL_S)
                return
            self._work()
            self._pause.forget()
        except (RecogniserCrashedError, *AWAY) as error:
            self._lose(error)
        except HistoryUnavailableError as error:  # nothing was lost: wait until it can be written
            self._pause.begin(str(error), longer=isinstance(error, HistoryDamagedError))  # that does not pass
            self._blocking.say(error)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if self._pause.begin(said, longer=True):
                log.exception("session_failed", recogniser=self.state.name)
            self._lose(InternalError(said))

    def _work(self) -> None:
        self._say_endings()
        self._receiver.take_unsaved()
        self._leaving.stop(self._keeper.current)
        self._feed()
        if self.state.in_work or self.state.live:
            if not self.state.in_work:
                self.state.rest()
            self._hear(POLL_S)
            self._idle_since_s = self._clock.monotonic_s()
        elif not self._endings:
            self._rest()

    def _say_endings(self) -> None:
        if self._endings.say():
            self._idle_since_s = self._clock.monotonic_s()

    def _rest(self) -> None:
        idle_s = self._clock.monotonic_s() - self._idle_since_s
        is_due = 0 < self._engine.idle_unload_min * 60 <= idle_s or self.unload.is_set()
        self.unload.clear()
        if self._keeper.current is not None and is_due:
            log.info("recogniser_unloaded", recogniser=self.state.name, idle_s=round(idle_s))
            self._keeper.end()
            self._show_recogniser()
            self._around.on_progress()
        self.state.rest()
        self._keeper.check_idle()
        self.wake.wait(IDLE_POLL_S if self._jobs.is_empty() else POLL_S * 2)

    def _taken_by(self) -> str:
        return self.hiring.taken_by()

    def _sizes(self) -> Sizes | None:
        return self.hiring.sizes(None if self._keeper.current is None else self._keeper.ready_said)

    def _wanted(self, rung: Rung = Rung.USUAL) -> Wanted:
        """Return what a recogniser is to be like; raises where there is no model."""
        hiring = self.hiring
        return Wanted(self._around.profiles.model, self._engine, hiring.device, hiring.sharers, rung)

    # ------------------------------------------------------------------ to the recogniser

    def _begin_live(self) -> None:
        """Let the recogniser listen to whoever wishes it, also while the queue is paused."""
        if self.live.is_wished_for:
            self.live.give(self._recogniser_for_live)

    def _recogniser_for_live(self) -> Recogniser:
        """Return the child that is there; one that has nothing in work only where it is as usual."""
        wanted = self._wanted()
        is_held = bool(self.state.in_work or self.state.live)
        if self._keeper.current is not None and (is_held or self._keeper.suits(wanted)):
            return self._keeper.current
        if not self.state.in_work and self.state.phase is Phase.IDLE:
            self.state.phase = Phase.LOADING
        recogniser = self._keeper.ready(wanted)
        self._show_recogniser()
        return recogniser

    def _feed(self) -> None:
        if self._around.settings.is_paused:
            self.state.phase = Phase.WORKING if self.state.in_work else Phase.PAUSED
            return
        while not self._stopping.is_set() and not self._endings and not self.is_superfluous:
            if self._blocking.is_on:
                return
            if not self._claims.has_place():
                self.state.wait("")
                return
            if not self._is_prepared():
                return
            job = self._claims.next(self.state.name)
            if job is None:
                taken_by = self._taken_by()
                self.state.wait(taken_by if taken_by and self._jobs.turns.count_open() else "")
                return
            self._begin(job)
            self._say_endings()

    def _is_prepared(self) -> bool:
        """Return whether a job may be claimed: where others could serve it, the model is loaded first."""
        is_shared = self.hiring.loads_first and self._keeper.current is None
        only_urged = bool(self._taken_by())
        if not is_shared or not self._jobs.is_usual_next(self._sizes(), only_urged=only_urged):
            return True
        try:
            if not self.hiring.may_load(self.state):
                self.state.wait("")
                return False
            self.state.phase = Phase.LOADING
            self._keeper.ready(self._wanted())
        except EngineUnavailableError as error:
            if not self._stopping.is_set():
                self._blocking.begin(error)
            return False
        self._show_recogniser()
        self._idle_since_s = self._clock.monotonic_s()
        return True

    def _begin(self, job: Job) -> None:
        """Give a claimed job to the recogniser; whatever prevents that ends it."""
        try:
            self._give(job)
        except WorkError as error:
            if self.state.holds(job):  # the recogniser was lost while it was told: see _lose
                raise
            is_untried = self._stopping.is_set() or isinstance(error, (HistoryUnavailableError, *AWAY))
            if isinstance(error, AWAY):
                self._blocking.begin(error)
            self._endings.add(Ending(job, None if is_untried else error))
            if isinstance(error, HistoryUnavailableError):
                raise
        except BaseException:
            if not self.state.holds(job):
                self._endings.add(Ending(job, InternalError("the recording could not be begun")))
            raise

    def _give(self, job: Job) -> None:
        """Open the job's recording and send it."""
        wanted = self._wanted(job.rung)
        opened = self._around.opener.open(job)
        if opened is None:
            self._endings.add(Ending(job, None))
            return
        recording, descriptor, profile = opened.recording, opened.descriptor, opened.profile
        shown = self._around.opener.shown(recording)
        try:
            if self._keeper.current is None:
                self.state.phase = Phase.LOADING
            recogniser = self._recogniser_for(wanted)
            self._show_recogniser()
            self._blocking.forget()
            self._jobs.begin(job.id, self._receiver.engine, profile)
            order = next(self._orders)
            self.state.in_work[order] = InWork(job, shown, recording.inbox, self._clock.monotonic_s())
            self._silence.begin()
            recogniser.send(opened.order(order, job, self.hiring.source(opened, job)), descriptor)
        finally:
            os.close(descriptor)
        self.state.phase, self.state.reason = Phase.WORKING, ""
        log.info(
            "recognition_started",
            job=job.id,
            inbox=recording.inbox,
            file=shown,
            recogniser=self.state.name,
            sha256=job.sha256,
            attempt=job.attempts,
            segments_kept=len(job.done),
            **({"memory_rung": job.rung.name.lower()} if job.rung else {}),
        )

    def _recogniser_for(self, wanted: Wanted) -> Recogniser:
        """Return a child as the job wants it; what another one has in work goes back untried."""
        if not self._keeper.suits(wanted):
            self._return_untried()
        if wanted.rung:
            self.state.count_memory_step("cpu" if wanted.rung is Rung.CPU else "process")
        try:
            return self._keeper.ready(wanted)
        except RecogniserNotStartedError as error:
            if wanted.rung is not Rung.CPU or self._stopping.is_set():
                raise
            # The queue's own device is not in question: it need not wait for this recording.
            raise OutOfMemoryError(
                f"It could not be tried on the CPU: {error}", evidence=error.evidence
            ) from error

    def _show_recogniser(self) -> None:
        keeper, said = self._keeper, self._keeper.ready_said
        self.live.look(keeper.current)
        machine = said.machine if keeper.current is not None else ""
        self.state.show(said, keeper.model, keeper.pid, machine)
        self._receiver.engine = Engine(keeper.model, keeper.model_is_builtin, said.device, said.precision)

    # ------------------------------------------------------------------ from the recogniser

    def _hear(self, timeout_s: float) -> None:
        assert self._keeper.current is not None  # noqa: S101 (something is in work)
        self._silence.listen(self._engine.stall_s)
        message = self._keeper.current.receive(timeout_s)
        silent_s = self._silence.heard(message)
        if message is not None:
            self._receiver.take(message)
        if not self.state.in_work:
            silent_s = self.live.waits_s()
        if silent_s > self._engine.stall_s:
            evidence = self._keeper.abort()
            self._lose(RecogniserHungError(f"no progress for {silent_s:.0f} s", evidence=evidence))

    # ------------------------------------------------------------------ when things go wrong

    def _lose(self, error: WorkError) -> None:
        """The recogniser is lost: end what is left of it; its jobs go back to the queue."""
        log.warning(
            "machine_lost" if isinstance(error, MachineLostError) else "recogniser_lost",
            recogniser=self.state.name,
            error=error.code,
            problem=str(error),
            evidence=error.evidence[-2000:],
            jobs=len(self.state.in_work),
            **({"machine": self.state.machine} if self.state.machine else {}),
        )
        self.state.restarts += 1
        self._keeper.kill()
        self._show_recogniser()
        self._receiver.forget()
        self._endings.lose(self.state.let_go(), error)

    def _return_untried(self) -> None:
        """Let what is in work go back to the queue; no attempt is spent."""
        self._endings.add(*(Ending(work.job, None) for work in self.state.let_go()))

    def _give_back(self) -> None:
        """At the end: what is in work returns to the queue, and the recogniser ends."""
        self._return_untried()
        self._keeper.kill()
        self.live.close()
        try:
            self._endings.say()
        except HistoryUnavailableError as error:  # the next start puts them back
            log.error("jobs_not_put_back", problem=str(error))
