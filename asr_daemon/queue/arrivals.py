"""Who waits for what: files come to the queue, ask for other work, and go.

Enters: settled, hashed files, and people's words. Leaves: recordings that wait for jobs; each step is one
transaction over both tables, so that no job is queued which nobody waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError
from asr_daemon.history.hotword_lists import HotwordLists
from asr_daemon.history.outputs import move_output
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.printable import valid_text
from asr_daemon.queue.job import Enqueued

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.errors import WorkError
    from asr_daemon.history import History
    from asr_daemon.history.recordings import Look, Recording
    from asr_daemon.queue.jobs import Jobs
    from asr_daemon.transcripts.profile import Profile

AT_SCREEN = -1  # priority of what somebody waits for at a screen
MOST_HURRIED = 10_000  # uploads that are not queued yet
LEFT = (RecordingState.GONE, RecordingState.SUPERSEDED)  # their files are not there any more


class NotFoundError(OperatorError):
    """There is no such recording."""

    @classmethod
    def gone(cls, recording: Recording) -> NotFoundError:
        """Return what is said of one whose file is not there any more."""
        where = valid_text(recording.path)
        return cls(
            f"recording {recording.id} is gone: {where} is not there any more; put it back to retry it"
        )

    @classmethod
    def archived(cls, recording: Recording) -> NotFoundError:
        """Return what is said of one that lies in the archive."""
        where = valid_text(recording.path)
        return cls(
            f"recording {recording.id} lies in the archive: {where}; copy it back into its inbox to retry it"
        )


class Arrivals:
    """What binds recordings to jobs."""

    def __init__(self, history: History, jobs: Jobs, clock: Clock) -> None:
        self._history = history
        self._jobs = jobs
        self._recordings = Recordings(history, clock)
        self._lists = HotwordLists(history)
        self._hurried: set[Path] = set()

    def hurry(self, path: Path) -> None:
        """Somebody at a screen put a file there: it goes first once it is queued. Not kept over a restart."""
        if len(self._hurried) < MOST_HURRIED:
            self._hurried.add(path)

    def put(self, inbox: str, look: Look, sha256: str, profile: Profile, *, priority: int = 0) -> Enqueued:
        """Bring a file to the queue: no second work for the same content and profile."""
        if look.path in self._hurried:
            priority = min(priority, AT_SCREEN)
        with self._history.transaction():
            before = self._recordings.current(look.path, inbox)
            job, state = self._jobs.find_or_create(sha256, profile, priority=priority)
            if inbox == COMMAND_LINE:
                self._lists.keep(profile, for_good=True)
            is_new = state is JobState.QUEUED and not self._recordings.waiting_for(job)
            recording = self._recordings.put(inbox, look, job)
            if before is not None and before.job != job:
                self._jobs.withdraw_if_unwanted(before.job)
            self._jobs.withdraw_if_unwanted(job)  # it was cancelled before, and stays so
        self._hurried.discard(look.path)
        return Enqueued(recording, job, state, is_new)

    def put_unreadable(self, inbox: str, look: Look, error: WorkError) -> int:
        """Remember a file whose content could not be read; return the recording's number."""
        return self._recordings.put(inbox, look, None, str(error))

    def rebind(self, sha256: str, wanted: Collection[tuple[Recording, Profile]]) -> None:
        """Give files that wait for a content to the work that their profiles of now ask for."""
        with self._history.transaction():
            for recording, profile in wanted:
                job, _ = self._jobs.find_or_create(sha256, profile)
                self._recordings.rebind(recording.id, job)
                if recording.job != job:
                    self._jobs.withdraw_if_unwanted(recording.job)

    def follow(
        self,
        recording: Recording,
        inbox: str,
        look: Look,
        state: RecordingState,
        outputs: Mapping[Path, Path],
    ) -> bool:
        """A recording was moved, with these of its files; False, and nothing, where it changed meanwhile."""
        with self._history.transaction():
            now = self._recordings.get(recording.id)
            if now is None or now.recording != recording:
                return False
            before = self._recordings.current(look.path, inbox)
            self._recordings.move(recording.id, inbox, look, state)
            for output, path in outputs.items():
                move_output(self._history, output, path)
            if before is not None:
                self._jobs.withdraw_if_unwanted(before.job)
        return True

    def let_go(self, recording: Recording, state: RecordingState = RecordingState.GONE) -> None:
        """Wait for a file no more: it was taken away, or (``CANCELLED``) somebody said so."""
        with self._history.transaction():
            now = self._recordings.get(recording.id)
            if now is not None and now.recording.path != recording.path:
                return  # it was moved meanwhile
            self._recordings.settle(recording.id, state)
            self._jobs.withdraw_if_unwanted(recording.job)

    # ------------------------------------------------------------------ people's words

    def cancel(self, recording: int) -> None:
        """Stop waiting for a recording; `retry` takes it up again.

        Raises :class:`NotFoundError` where there is none, or none that waits.
        """
        with self._history.transaction():
            filed = self._recordings.get(recording)
            if filed is None or filed.recording.state is not RecordingState.WAITING:
                raise NotFoundError(
                    f"recording {recording} does not wait for anything; `asr-daemon history` lists them"
                )
            self.let_go(filed.recording, RecordingState.CANCELLED)

    def retry(self, recording: int) -> None:
        """Begin the work of a recording anew, attempts and text forgotten; a cancelled one goes on.

        Raises :class:`NotFoundError` where there is none, or where its file is gone.
        """
        with self._history.transaction():
            filed = self._recordings.get(recording)
            if filed is not None and filed.recording.state in LEFT:
                raise NotFoundError.gone(filed.recording)
            if filed is None or filed.work is None:
                raise NotFoundError(f"there is no recording {recording} that could be tried again")
            if filed.recording.state is RecordingState.CANCELLED:
                self._recordings.settle(recording, RecordingState.WAITING)
            self._jobs.reset(filed.work.id)

    def retry_all(self, state: JobState, code: str | None = None) -> int:
        """Begin anew every job of that state (and failure class); return how many."""
        with self._history.transaction():
            jobs = self._jobs.ended(state, code)
            for job in jobs:
                self._jobs.reset(job)
        return len(jobs)

    def retry_with_other_hotwords(self, inbox: str, profile: Profile) -> int:
        """Put back the finished recordings of an inbox whose hotwords were others than the profile's.

        Their old text stays in the history. Returns how many went back.
        """
        count = 0
        with self._history.transaction():
            for filed in self._recordings.finished_in(inbox):
                assert filed.work is not None  # noqa: S101 (it was transcribed)
                if filed.work.profile.hotwords_digest == profile.hotwords_digest:
                    continue
                job, _ = self._jobs.find_or_create(filed.work.sha256, profile)
                self._recordings.put(inbox, filed.recording.look, job)
                count += 1
        return count
