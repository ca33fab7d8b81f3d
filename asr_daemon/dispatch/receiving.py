"""What a recogniser says, committed: segments and the end of jobs in the history, then files in the share.

Enters: messages of one recogniser. Leaves: rows. A message that cannot be committed now is kept, and taken
again; the recogniser is told that it is saved only when the next one is asked for.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.in_work import Ending, InWork, SessionState
from asr_daemon.dispatch.keeper import write_note
from asr_daemon.errors import InternalError, work_error
from asr_daemon.queue.job import Engine, Result
from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.dispatch.endings import Endings
    from asr_daemon.dispatch.live import RecognisersLive
    from asr_daemon.history.segments import Segments
    from asr_daemon.queue.jobs import Jobs

log = structlog.get_logger()


class Receiver:
    """Commits the messages of one recogniser."""

    def __init__(
        self,
        jobs: Jobs,
        segments: Segments,
        deliverer: Deliverer,
        clock: Clock,
        state: SessionState,
        endings: Endings,
        live: RecognisersLive,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine = Engine("", model_is_builtin=False, device="")  # what recognises now
        self._jobs = jobs
        self._segments = segments
        self._deliverer = deliverer
        self._clock = clock
        self._state = state
        self._endings = endings
        self._live = live
        self._on_progress = on_progress
        self._unsaved: protocol.Message | None = None

    def forget(self) -> None:
        """Drop what could not be committed: the recogniser that said it is lost."""
        self._unsaved = None

    def take_unsaved(self) -> None:
        """Take again what could not be committed before."""
        if self._unsaved is not None:
            self.take(self._unsaved)

    def take(self, message: protocol.Message) -> None:
        """Commit what was said; of an order that is in work no more, nothing is.

        Raises :class:`~asr_daemon.errors.HistoryUnavailableError`.
        """
        self._unsaved = message
        in_work = self._state.in_work
        match message:
            case protocol.Note():
                write_note(message, self._state.name)
                if message.event == "batch_out_of_memory":
                    self._state.count_memory_step(str(message.fields.get("step", "batch")))
            case protocol.Computed(spent_ms):
                self._state.device_busy_s += spent_ms / 1000
            case protocol.Listened() | protocol.Listening() | protocol.Waiting():
                self._live.take(message)
            case protocol.Segmented(order, found) if order in in_work:
                self._segments.save_places(in_work[order].job.id, found)
            case protocol.Recognised(order, segments, voices, voice_model) if order in in_work:
                windows = [(number, base64.b64decode(text)) for number, text in voices]
                self._jobs.save(in_work[order].job.id, segments, windows, voice_model)
                in_work[order].committed += 1
            case protocol.Progress(order, duration_ms, decoded_ms, recognised_ms) if order in in_work:
                work = in_work[order]
                work.duration_ms, work.decoded_ms, work.recognised_ms = duration_ms, decoded_ms, recognised_ms
                self._on_progress()
            case protocol.Finished(order) if order in in_work:
                self._finish(message, in_work[order])
            case protocol.Failed(order, code, text, evidence) if order in in_work:
                last_rung = Rung.FRESH_PROCESS if self._state.device == "cpu" else Rung.CPU
                error = work_error(code, text, evidence)
                self._endings.add(Ending(in_work.pop(order).job, error, last_rung=last_rung))
        self._unsaved = None

    def _finish(self, message: protocol.Finished, work: InWork) -> None:
        result = Result(message.segment_count, message.duration_ms, message.flags, message.timings_ms)
        try:
            self._jobs.finish(work.job.id, result, self.engine)
        except InternalError as error:
            self._endings.add(Ending(self._state.in_work.pop(message.order).job, error))
            return
        del self._state.in_work[message.order]
        self._unsaved = None  # what follows is tried again by the deliverer's own tick
        self._state.audio_ms += message.duration_ms
        took_s = self._clock.monotonic_s() - work.began_s
        log.info(
            "recognition_finished",
            job=work.job.id,
            inbox=work.inbox,
            file=work.name,
            recogniser=self._state.name,
            duration_ms=message.duration_ms,
            segments=message.segment_count,
            took_s=round(took_s, 2),
            rtfx=round(message.duration_ms / 1000 / took_s, 1) if took_s else None,
        )
        self._deliverer.deliver_job(work.job.id)
