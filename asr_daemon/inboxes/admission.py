"""Hashed and queued: one settled recording is opened, fingerprinted and brought to the queue.

Enters: a path. Leaves: what became of it. Fails with a :class:`~asr_daemon.errors.WorkError`: the
recording's, its share's, or the history's. May take as long as reading the file does; no lock is held.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import InternalError, TooLargeError
from asr_daemon.files.formats import looks_like_sound
from asr_daemon.history.recordings import COMMAND_LINE
from asr_daemon.history.states import RecordingState
from asr_daemon.inboxes.candidate import Candidate, candidate_of
from asr_daemon.inboxes.fingerprint import fingerprint, is_open_for_writing, open_recording, read_head
from asr_daemon.inboxes.lane import Order, Progress, Read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.delivery.following import Follower
    from asr_daemon.errors import WorkError
    from asr_daemon.history.recordings import Recordings
    from asr_daemon.inboxes.handed import HandedFiles
    from asr_daemon.inboxes.lane import Lane
    from asr_daemon.queue.arrivals import Arrivals
    from asr_daemon.queue.job import Enqueued
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()

GB = 10**9


@contextlib.contextmanager
def reading(
    path: Path, root: Path, is_given_up: Callable[[], bool], handed: int | None = None
) -> Iterator[tuple[int, Progress]]:
    """Open a file below ``root`` to be read, unless it was handed over open; it is closed in the end."""
    descriptor = open_recording(path, root) if handed is None else handed
    try:
        yield descriptor, Progress(path, descriptor, is_given_up)
    finally:
        os.close(descriptor)


def read_settled(
    order: Order, section: InboxSection, profile: Profile, lane: Lane, is_given_up: Callable[[], bool]
) -> Read:
    """Read a settled file of an inbox; ``lane`` shows how far that is.

    Raises a :class:`~asr_daemon.errors.WorkError`: :class:`~asr_daemon.errors.TooLargeError` before a byte
    was read.
    """
    path = order.candidate.path
    with reading(path, section.path, is_given_up) as (descriptor, progress):
        most_bytes = section.max_size_gb * GB
        if most_bytes and progress.size_bytes > most_bytes:
            raise TooLargeError(
                f"it has {progress.size_bytes / GB:.0f} GB, and the inbox takes {section.max_size_gb:g} GB at"
                " most (max_size_gb)"
            )
        if not order.is_urged and is_open_for_writing(descriptor):
            return Read(candidate_of(path, os.fstat(descriptor)), "", profile)
        lane.progress = progress
        sha256 = fingerprint(descriptor, progress.must_stop).sha256
        return Read(candidate_of(path, os.fstat(descriptor)), sha256, profile)


def is_recording(order: Order, section: InboxSection) -> bool:
    """Return whether a file's first bytes show a recording; also where its writer has it open still."""
    path = order.candidate.path
    descriptor = open_recording(path, section.path)
    try:
        return looks_like_sound(read_head(descriptor)) or (
            not order.is_urged and is_open_for_writing(descriptor)
        )
    finally:
        os.close(descriptor)


class Admission:
    """The door of the queue."""

    def __init__(
        self,
        arrivals: Arrivals,
        deliverer: Deliverer,
        follower: Follower,
        on_queued: Callable[[], None],
        handed: HandedFiles,
        recordings: Recordings,
        shown: Callable[[str, Path], str],
    ) -> None:
        """Take the parts behind it; ``shown(inbox, path)`` is what people call a file."""
        self._handed = handed
        self._arrivals = arrivals
        self._deliverer = deliverer
        self._follower = follower
        self._on_queued = on_queued
        self._recordings = recordings
        self._shown = shown
        self._complained: dict[Path, str] = {}
        self._strikes: dict[Path, tuple[tuple[int, ...], int]] = {}  # unexpected errors of a file as it is

    def admit(self, read: Read, inbox: str) -> None:
        """Queue a file that was read."""
        self._queue(read.found, read.sha256, inbox, read.profile)
        self.forget(read.found.path)

    def ignore(self, inbox: str, candidate: Candidate, *, is_told: bool) -> None:
        """Pass over a file that is no recording; wait no more for one that lay there before.

        Nothing is written beside it: nobody said that it was one. ``is_told``: at the log's usual level.
        """
        recording = self._recordings.current(candidate.path, inbox)
        if recording is not None and recording.state is RecordingState.WAITING:
            self._arrivals.let_go(recording)
            self._on_queued()
        say = log.info if is_told else log.debug
        say("file_ignored", inbox=inbox, file=self._shown(inbox, candidate.path))
        self.forget(candidate.path)

    def forget(self, path: Path) -> None:
        """Say anew whatever is wrong with that file."""
        self._complained.pop(path, None)
        self._strikes.pop(path, None)

    def submit(
        self, path: Path, profile: Profile, *, priority: int, is_given_up: Callable[[], bool]
    ) -> Enqueued:
        """Queue a file named on the command line."""
        handed = self._handed.open(path)
        with reading(path, path.parent, is_given_up, handed) as (descriptor, progress):
            sha256 = fingerprint(descriptor, progress.must_stop).sha256
            found = candidate_of(path, os.fstat(descriptor))
        return self._queue(found, sha256, COMMAND_LINE, profile, priority=priority)

    def _queue(
        self, found: Candidate, sha256: str, inbox: str, profile: Profile, *, priority: int = 0
    ) -> Enqueued:
        if (moved := self._follower.follow(inbox, found.look, sha256, profile)) is not None:
            self._on_queued()
            return moved
        queued = self._arrivals.put(inbox, found.look, sha256, profile, priority=priority)
        log.info(
            "recording_queued",
            job=queued.job,
            inbox=inbox,
            file=self._shown(inbox, found.path),
            sha256=sha256,
            size_bytes=found.size_bytes,
            known_content=not queued.is_new_work,
        )
        if queued.job_state.is_over:
            self._deliverer.deliver(queued.recording)  # a twin: nothing is recognised again
        else:
            self._on_queued()
        return queued

    def tell_unreadable(self, inbox: str, candidate: Candidate, error: WorkError) -> None:
        """Say once, in the log and in the share, that a file may not be read; each scan tries it again."""
        if not self._is_news(candidate.path, error):
            return
        recording = self._arrivals.put_unreadable(inbox, candidate.look, error)
        name = self._shown(inbox, candidate.path)
        log.warning("recording_not_readable", inbox=inbox, file=name, error=error.code, problem=str(error))
        self._deliverer.tell(recording, error)

    def tell_unexpected(self, inbox: str, candidate: Candidate, error: Exception) -> int:
        """Say in log, history and share that something went wrong that nobody thought of.

        Returns how often it did, with the file as it is.
        """
        signature, strikes = self._strikes.get(candidate.path, (candidate.restless_signature, 0))
        strikes = strikes + 1 if signature == candidate.restless_signature else 1
        self._strikes[candidate.path] = (candidate.restless_signature, strikes)
        name = self._shown(inbox, candidate.path)
        log.error("recording_not_taken_in", inbox=inbox, file=name, strikes=strikes, exc_info=error)
        internal = InternalError(f"an unexpected error before it was queued: {type(error).__name__}: {error}")
        try:
            self.tell_unreadable(inbox, candidate, internal)
        except Exception:  # it may well be the same again
            log.exception("failure_not_told", inbox=inbox, file=name)
        return strikes

    def complain(self, inbox: str, candidate: Candidate, error: WorkError) -> None:
        """Say once that a file cannot be queued at present."""
        if self._is_news(candidate.path, error):
            name = self._shown(inbox, candidate.path)
            log.warning("recording_not_queued", inbox=inbox, file=name, error=error.code, problem=str(error))

    def _is_news(self, path: Path, error: WorkError) -> bool:
        is_news = self._complained.get(path) != str(error)
        self._complained[path] = str(error)
        return is_news
