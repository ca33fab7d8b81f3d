"""From a claimed job to an open recording: under the profile of now, of a copy that is what was hashed.

Enters: a claimed job. Leaves: its recording and a descriptor, or None where its files wait for other work
now. Fails with the reason why it cannot be begun: the recording's, or its share's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.protocol import Recognise
from asr_daemon.errors import InboxGoneError, JobError, RecordingGoneError
from asr_daemon.history.recordings import COMMAND_LINE
from asr_daemon.inboxes.candidate import mtime_of
from asr_daemon.inboxes.fingerprint import open_recording
from asr_daemon.queue.jobs import WHEN_CLEARED_S

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.dispatch.protocol import Source
    from asr_daemon.errors import WorkError
    from asr_daemon.history.recordings import Recording
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.queue.arrivals import Arrivals
    from asr_daemon.queue.inbox_profiles import InboxProfiles
    from asr_daemon.queue.job import Job
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording that can be recognised."""

    recording: Recording
    descriptor: int  # the caller's to close
    profile: Profile  # the job's, with its hotword list

    def order(self, number: int, job: Job, source: Source | None) -> Recognise:
        """Return what the recogniser is told of it."""
        return Recognise(
            number,
            job.id,
            self.recording.name,
            self.profile,
            job.done,
            job.inbox,
            job.weight,
            job.is_urged,
            source,
        )


class Opener:
    """Opens recordings for every recogniser; its shares' troubles hold up nobody else."""

    def __init__(
        self, config: Config, arrivals: Arrivals, profiles: InboxProfiles, shares: Shares, clock: Clock
    ) -> None:
        self.config = config
        self._arrivals = arrivals
        self._profiles = profiles
        self._shares = shares
        self._clock = clock
        self._away: dict[str, float] = {}  # inboxes whose share is gone, and until when they are left alone

    def away(self) -> list[str]:
        """Return the inboxes whose share was found gone of late."""
        now_s = self._clock.monotonic_s()
        self._away = {inbox: until_s for inbox, until_s in list(self._away.items()) if until_s > now_s}
        return list(self._away)

    def open(self, job: Job) -> Opened | None:
        """Return a recording of the job, open, and the whole profile.

        None where every file that waits for it now asks for another profile: they were given to that work.
        """
        wanted: list[tuple[Recording, Profile]] = []
        problem: WorkError = RecordingGoneError()
        for recording in job.waiting:
            try:
                wanted.append((recording, self._profile_of_now(recording, job)))
            except InboxGoneError as error:  # of its hotword file
                self._leave_alone(recording.inbox)
                problem = error
        if not wanted:
            raise problem
        others = [
            (recording, profile) for recording, profile in wanted if profile.digest != job.profile.digest
        ]
        if others:
            self._arrivals.rebind(job.sha256, others)
            if len(others) == len(wanted):
                return None
        stayed = [(recording, profile) for recording, profile in wanted if (recording, profile) not in others]
        recording, descriptor = self.open_first([recording for recording, _ in stayed])
        return Opened(recording, descriptor, stayed[0][1])

    def open_first(self, copies: list[Recording]) -> tuple[Recording, int]:
        """Open the first copy of the content that is still what was hashed; those that are gone are let go.

        Raises the last one's :class:`~asr_daemon.errors.WorkError`.
        """
        problem: WorkError = RecordingGoneError()
        for recording in copies:
            try:
                return recording, self._open_one(recording)
            except InboxGoneError as error:
                self._leave_alone(recording.inbox)
                problem = error
            except JobError as error:
                problem = error
        raise problem

    def shown(self, recording: Recording) -> str:
        """Return what people call a recording: its path within its inbox."""
        return self.config.shown_path(recording.inbox, recording.path)

    def root(self, recording: Recording) -> Path:
        """Return the folder below which no link is followed to a recording."""
        inbox = self.config.find_inbox(recording.inbox)
        return inbox.path if inbox else recording.path.parent

    def _open_one(self, recording: Recording) -> int:
        inbox = self.config.find_inbox(recording.inbox)
        root = self.root(recording)
        if inbox is not None:
            self._shares.require(inbox)
        if not self._shares.exists(recording.path):
            self._let_go(recording)
            raise RecordingGoneError
        handed = self._shares.handed.open(recording.path) if recording.inbox == COMMAND_LINE else None
        descriptor = open_recording(recording.path, root) if handed is None else handed
        now = os.fstat(descriptor)
        if (now.st_size, mtime_of(now)) == (recording.size_bytes, recording.mtime_ns):
            return descriptor
        os.close(descriptor)
        if recording.inbox == COMMAND_LINE:  # no scan will find it as it is now
            self._let_go(recording)
        raise RecordingGoneError("The recording was changed after it had been queued.")

    def _let_go(self, recording: Recording) -> None:
        self._arrivals.let_go(recording)
        log.info("recording_gone", inbox=recording.inbox, file=self.shown(recording), job=recording.job)

    def _leave_alone(self, inbox: str) -> None:
        self._away[inbox] = self._clock.monotonic_s() + WHEN_CLEARED_S

    def _profile_of_now(self, recording: Recording, job: Job) -> Profile:
        """Return what the file's inbox asks for now; work that was begun is finished as it was begun."""
        if recording.inbox == COMMAND_LINE or (job.done and job.profile.is_whole):
            # asked for with one inbox's profile, and for that; a list that is gone is none
            model = self._profiles.identity
            whole = job.profile if job.profile.is_whole else replace(job.profile, list_sha256="")
            return replace(whole, model=model) if whole.model != model else whole
        return self._profiles.profile(recording.inbox)
