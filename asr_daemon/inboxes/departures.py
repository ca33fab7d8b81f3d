"""Recordings and failure files that were taken away: nobody is waited for who has gone.

Enters: what the history says is there. Leaves: recordings that are gone, work that is withdrawn, and another
try for what people asked one by deleting its failure file. Fails as the history does, and with
:class:`~asr_daemon.errors.InboxGoneError` where the share itself is what went.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import InboxGoneError
from asr_daemon.files.folders import remove
from asr_daemon.history.outputs import FailureFile, failure_files, forget_output
from asr_daemon.history.recordings import COMMAND_LINE, Recording, Recordings
from asr_daemon.history.states import RecordingState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.history import History
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.queue.arrivals import Arrivals

log = structlog.get_logger()


class Departures:
    """Notices what is gone; ``on_change`` is called when work was withdrawn or asked for."""

    def __init__(
        self,
        history: History,
        arrivals: Arrivals,
        shares: Shares,
        clock: Clock,
        config: Callable[[], Config],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the parts that it asks; ``config`` returns the configuration of the moment."""
        self._config = config
        self._history = history
        self._recordings = Recordings(history, clock)
        self._arrivals = arrivals
        self._shares = shares
        self._on_change = on_change

    def look(self, inbox: str, forget: Callable[[Path], None]) -> None:
        """Look after every recording of an inbox that waits or failed; its share is there."""
        for recording in self._recordings.waiting_in(inbox):
            if not os.path.lexists(recording.path):
                self._let_go(recording)
                forget(recording.path)
        self.look_at_failures(inbox, forget)

    def look_at(self, inbox: str, path: Path, forget: Callable[[Path], None]) -> None:
        """Look after the recording that an event says is gone, and after what was deleted beside others."""
        recording = self._recordings.current(path, inbox)
        if recording is not None and recording.state is RecordingState.WAITING and not os.path.lexists(path):
            self._let_go(recording)
            forget(path)
        self.look_at_failures(inbox, forget)

    def look_at_failures(self, inbox: str, forget: Callable[[Path], None]) -> None:
        """A deleted failure file asks for another try; one whose recording is gone goes, too."""
        for failure in failure_files(self._history, inbox):
            if not os.path.lexists(failure.recording_path):
                was_there = os.path.lexists(failure.path)  # else it may have been moved with its recording
                with contextlib.suppress(OSError):  # a folder that may not be written, or is a link by now
                    remove(failure.path, self._config().root_of(failure.path))
                self._forget(failure, is_removed=was_there)
                forget(failure.recording_path)
            elif not os.path.lexists(failure.path):
                self._retry(inbox, failure)
                if failure.job is None:  # its content is not known yet: it is taken in anew
                    forget(failure.recording_path)

    def look_at_command_line(self) -> None:
        """Wait no more for files that were named on the command line and deleted before their turn."""
        for recording in self._recordings.queued_in(COMMAND_LINE):
            with contextlib.suppress(InboxGoneError):  # a share that hangs says nothing of its files
                if not self._shares.exists(recording.path):
                    self._let_go(recording)
        if self._shares.handed.is_empty:
            return
        waiting = self._recordings.waiting_in(COMMAND_LINE)
        self._shares.handed.keep_only({recording.path for recording in waiting})

    def let_strangers_go(self, inboxes: Collection[str]) -> None:
        """Wait no more for recordings of an inbox that is not configured; if it returns, they are found."""
        for recording in self._recordings.strangers(inboxes):
            self._arrivals.let_go(recording)
            log.info(
                "recording_given_up",
                inbox=recording.inbox,
                file=self._config().shown_path(recording.inbox, recording.path),
                job=recording.job,
            )
        self._on_change()

    def _let_go(self, recording: Recording) -> None:
        self._arrivals.let_go(recording)
        log.info(
            "recording_gone",
            inbox=recording.inbox,
            file=self._config().shown_path(recording.inbox, recording.path),
            job=recording.job,
        )
        self._on_change()

    def _forget(self, failure: FailureFile, *, is_removed: bool) -> None:
        filed = self._recordings.get(failure.recording)
        if filed is not None:
            self._arrivals.let_go(filed.recording)
        if is_removed:
            forget_output(self._history, failure.path)

    def _retry(self, inbox: str, failure: FailureFile) -> None:
        forget_output(self._history, failure.path)
        if failure.job is not None:
            self._arrivals.retry(failure.recording)
            self._on_change()
        shown = self._config().shown_path(inbox, failure.recording_path)
        log.info("retry_asked", inbox=inbox, file=shown, by="failure file deleted")
