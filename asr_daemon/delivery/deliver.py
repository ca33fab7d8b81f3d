"""From finished work to files in the share, then to the row that says so. Never the other way round.

Enters: a recording that waits and whose job has ended. Leaves: its transcripts (or its failure file) beside
it, written whole or not at all, and the recording's state. What cannot be written now (disk full, share
gone) stays waiting and is tried again; so does what lies in the fall-back folder because its own folder may
not be written: :mod:`asr_daemon.delivery.held`.

A file's name is planned in the history before it is written: after a crash in between, the same name is used
again. Nothing is replaced but what this program wrote for that very recording.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import from_stamp
from asr_daemon.delivery.anew import OutputsAnew
from asr_daemon.delivery.forgetting import Forgetter
from asr_daemon.delivery.held import HeldTranscripts
from asr_daemon.delivery.joining import Joiner
from asr_daemon.delivery.outputs import FAILURE, Outputs
from asr_daemon.delivery.rendering import document_of, word_look
from asr_daemon.delivery.rewriting import Rewriter
from asr_daemon.delivery.writing import Writing
from asr_daemon.errors import (
    DiskFullError,
    HistoryUnavailableError,
    InboxGoneError,
    InboxReadOnlyError,
    WorkError,
    work_error,
)
from asr_daemon.files.publish import write_error
from asr_daemon.history.corrections import Corrections
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.transcripts.writers import rendered
from asr_daemon.transcripts.writers.failure import render_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.history import History
    from asr_daemon.history.recordings import Filed, Recording
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.queue.arrivals import Arrivals

log = structlog.get_logger()


class Deliverer:
    """Writes what is finished; one recording at a time."""

    def __init__(
        self,
        config: Config,
        history: History,
        arrivals: Arrivals,
        shares: Shares,
        clock: Clock,
        on_gone: Callable[[str, Path], None] = lambda _inbox, _path: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self._history = history
        self._arrivals = arrivals
        self._shares = shares
        self._clock = clock
        self._on_gone = on_gone
        self._beat = beat
        self._recordings = Recordings(history, clock)
        self._outputs = Outputs(history, clock, self._root_of_ours)
        self.held = HeldTranscripts(history, shares.ask)
        self._history_problem = ""  # the last that was said
        self.on_finished: Callable[[], None] = lambda: None  # whose work comes before the writing
        self.before_writing: Callable[[int, str], None] = lambda _job, _inbox: None
        self._lock = threading.Lock()  # two recordings must not choose the same name at once
        self._corrections = Corrections(history, clock)
        writing = Writing(history, shares, clock, lambda: self.config, self._outputs, self._lock)
        self.rewriter, self.anew = Rewriter(writing), OutputsAnew(writing)
        self.joiner, self.forgetter = Joiner(writing), Forgetter(writing)
        self.forgetter.on_forgotten, self.anew.on_written = self.joiner.join_of, self.joiner.write_anew

    def reload(self, config: Config) -> None:
        """Take up another configuration."""
        self.config = config

    def recover(self) -> None:
        """Put right what an older release left behind."""
        self._recordings.wake_held()

    def _shown(self, recording: Recording) -> str:
        return self.config.shown_path(recording.inbox, recording.path)

    def _root_of_ours(self, path: Path) -> Path | None:
        return self.config.root_of_ours(path)

    # ------------------------------------------------------------------ which

    def deliver_all(self) -> int:
        """Write whatever waits to be written; return how many recordings were served."""
        waiting = self._recordings.undelivered()
        self.held.begin_round(waiting, self.config.fallback_dir)
        return self._deliver_each(waiting)

    def deliver_job(self, job: int) -> int:
        """Write the files of every recording that waits for that job."""
        self.on_finished()
        return self._deliver_each(self._recordings.undelivered(job))

    def _deliver_each(self, recordings: Iterable[Recording]) -> int:
        served = 0
        closed: set[str] = set()  # a full disk, or a share that is gone, is asked once a round
        for recording in recordings:
            self._beat()
            if recording.inbox in closed or self.held.waits(recording):
                continue
            problem = self._deliver(recording.id)
            served += problem is None
            if isinstance(problem, HistoryUnavailableError):
                break  # it is the same for all of them
            if isinstance(problem, (DiskFullError, InboxGoneError)):
                closed.add(recording.inbox)
        return served

    def deliver(self, recording: int) -> bool:
        """Write one recording's transcripts or failure file; False where it has to wait. Never raises."""
        return self._deliver(recording) is None

    def _deliver(self, recording: int) -> Exception | None:
        """Return why it has to wait."""
        try:
            with self._lock:
                filed = self._recordings.get(recording)
                if filed is None or filed.recording.state is not RecordingState.WAITING:
                    return None
                problem = self._attempt(filed)
        except HistoryUnavailableError as error:
            if self._history_problem != str(error):
                log.warning("transcript_waits", recording=recording, error=error.code, problem=str(error))
            self._history_problem = str(error)
            return error
        self._history_problem = ""
        return problem

    def _attempt(self, filed: Filed) -> Exception | None:
        recording = filed.recording
        bound = log.bind(job=recording.job, inbox=recording.inbox, file=self._shown(recording))
        inbox = self.config.find_inbox(recording.inbox)
        problem: Exception
        try:
            if recording.inbox == COMMAND_LINE:
                self._settle_command_line(filed)
            elif inbox is not None:  # else: it was taken out of the configuration, and may come back
                self._deliver_to(inbox, filed, bound)
        except HistoryUnavailableError:
            raise
        except WorkError as error:
            problem = error
            if recording.problem != str(error):
                bound.warning("transcript_waits", error=error.code, problem=str(error))
        except Exception as error:  # noqa: BLE001 (one recording's trouble must not stop those behind it)
            problem = error
            if recording.problem != str(error):
                bound.exception("delivery_failed")
        else:
            self.held.let_go(recording.id)
            return None
        if recording.problem != str(problem):
            self._recordings.complain(recording.id, str(problem))
        return problem

    def _settle_command_line(self, filed: Filed) -> None:
        """Nothing is written beside a file that was named on the command line: its text is printed."""
        work = filed.work
        if work is not None and work.is_complete:
            state = RecordingState.DONE if work.state is JobState.DONE else RecordingState.FAILED
            self._settle(filed.recording, state, work.error_message)

    # ------------------------------------------------------------------ one recording

    def _deliver_to(self, inbox: InboxSection, filed: Filed, bound: structlog.stdlib.BoundLogger) -> None:
        recording, work = filed.recording, filed.work
        self._shares.require(inbox)
        if not os.path.lexists(recording.path):
            self._outputs.withdraw(recording.id, {FAILURE}, inbox.path)
            self._arrivals.let_go(recording)
            self._on_gone(inbox.name, recording.path)
            bound.info("recording_gone")
            return
        if work is None or not work.is_complete:
            return
        if work.state is not JobState.DONE:
            error = work_error(work.error_code, work.error_message)
            self._write_failure(inbox, filed, error)
            self._outputs.take_back(recording.id, self.config.fallback_dir)
            self._settle(recording, RecordingState.FAILED, work.error_message)
            return
        self.before_writing(work.id, inbox.name)
        self._corrections.place(recording.id)
        revision = self.rewriter.revision(recording.id)
        document = document_of(self._history, filed, word_look(self.config))
        data: dict[str, bytes] = {kind: rendered(document, kind) for kind in inbox.formats}
        written = self._write(inbox, recording, data)
        self._outputs.withdraw(recording.id, {FAILURE}, inbox.path)
        self._outputs.withdraw_unknown_failure(recording.path, inbox.path)
        self._outputs.take_back(recording.id, self.config.fallback_dir)
        self._settle(recording, RecordingState.DONE, written=written)
        self.rewriter.is_written(recording.id, revision)
        bound.info(
            "transcript_written",
            outputs=[out.name for out in written],
            duration_ms=work.duration_ms,
            sha256=work.sha256,
        )

    def tell(self, recording: int, error: WorkError) -> None:
        """Write the failure file of a recording that never reached the queue."""
        filed = self._recordings.get(recording)
        inbox = self.config.find_inbox(filed.recording.inbox) if filed else None
        if filed is None or inbox is None:
            return
        try:
            with self._lock:
                self._write_failure(inbox, filed, error)
        except WorkError as problem:
            log.warning("failure_file_not_written", file=self._shown(filed.recording), problem=str(problem))

    def _write_failure(self, inbox: InboxSection, filed: Filed, error: WorkError) -> None:
        """Tell the people in the share, in a file beside the recording."""
        finished_at = filed.work.finished_at if filed.work else ""
        moment = from_stamp(finished_at) if finished_at else self._clock.now()
        text = render_failure(filed.recording.path.name, error, moment.astimezone())
        written = self._write(inbox, filed.recording, {FAILURE: text.encode("utf-8", "replace")})
        with self._history.transaction() as history:
            self._outputs.confirm(history, written)

    def _settle(
        self, recording: Recording, state: RecordingState, problem: str = "", written: Iterable[Path] = ()
    ) -> None:
        with self._history.transaction() as history:
            self._outputs.confirm(history, written)
            self._recordings.settle(recording.id, state, problem)

    # ------------------------------------------------------------------ its files

    def _write(self, inbox: InboxSection, recording: Recording, data: dict[str, bytes]) -> list[Path]:
        """Write files, by their kind, beside the recording; return what was written.

        Where that folder may not be written they lie in the fall-back folder, and
        :class:`~asr_daemon.errors.InboxReadOnlyError` says so.
        """
        try:
            return self._outputs.publish(recording.id, recording.path, inbox.path, data)
        except InboxReadOnlyError as error:
            folder = self._write_elsewhere(inbox, recording, data)
            problem = f"{error}; it lies in {str(folder)!r} until it can"
            self.held.hold(recording, problem)
            raise InboxReadOnlyError(problem) from None

    def _write_elsewhere(self, inbox: InboxSection, recording: Recording, data: dict[str, bytes]) -> Path:
        """Write into the fall-back folder; return where."""
        root = self.config.fallback_dir
        stand_in = root / inbox.name / recording.path.relative_to(inbox.path)
        try:
            stand_in.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise write_error(stand_in, problem) from None
        written = self._outputs.publish(recording.id, stand_in, root, data)
        with self._history.transaction() as history:
            self._outputs.confirm(history, written)
        return stand_in.parent
