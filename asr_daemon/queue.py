"""The queue: which content is to be recognised under which profile, and which files wait for it.

Enters: settled, hashed files. Leaves: jobs, one at a time, each counted before it is tried. All of it lies
in the history; nothing is remembered elsewhere, so a killed daemon loses nothing.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from asr_daemon.clock import to_stamp
from asr_daemon.errors import InterruptedJobError, JobError, OperatorError, Retry
from asr_daemon.history.search import index_body
from asr_daemon.itn import Span
from asr_daemon.profile import Profile
from asr_daemon.transcript import Correction, Segment, Token, Transcript

if TYPE_CHECKING:
    import sqlite3

    from asr_daemon.clock import Clock
    from asr_daemon.history import History
    from asr_daemon.inbox import Candidate

COMMAND_LINE = ""  # the inbox of recordings named on the command line
MAX_BACK_OFF_S = 3600.0
INTERRUPTIONS_FACTOR = 5  # times max_attempts
WHEN_CLEARED_S = 15.0  # how soon a cause outside the recording is looked at again

_STRINGS = TypeAdapter(tuple[str, ...])
_TOKENS = TypeAdapter(tuple[Token, ...])
_SPANS = TypeAdapter(tuple[Span, ...])
_CORRECTIONS = TypeAdapter(tuple[Correction, ...])
_TIMINGS = TypeAdapter(dict[str, int])


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that waits for a job."""

    recording: int
    inbox: str
    path: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed piece of work."""

    id: int
    sha256: str
    profile: Profile
    attempts: int
    waiting: tuple[Waiting, ...]
    done: tuple[tuple[int, int, int], ...]  # segments committed by an earlier try


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a file that was brought to the queue."""

    recording: int
    job: int
    job_state: str
    is_new_work: bool


class NotFoundError(OperatorError):
    """There is no such recording."""


class Queue:
    """The jobs in the history."""

    def __init__(self, history: History, clock: Clock, *, max_attempts: int, retry_after_s: float) -> None:
        self._history = history
        self._clock = clock
        self._max_attempts = max_attempts
        self._retry_after_s = retry_after_s

    # ------------------------------------------------------------------ in

    def put(
        self, inbox: str, candidate: Candidate, sha256: str, profile: Profile, *, priority: int = 0
    ) -> Enqueued:
        """Bring a file to the queue: one transaction, and no second work for the same content and profile."""
        with self._history.transaction() as history:
            job, state, is_new = self._job_for(history, sha256, profile, priority)
            recording = self._record(history, inbox, candidate, job, "waiting", None)
        return Enqueued(recording, job, state, is_new)

    def put_unreadable(self, inbox: str, candidate: Candidate, error: JobError) -> int:
        """Remember a file whose content could not be read; return the recording's number."""
        with self._history.transaction() as history:
            return self._record(history, inbox, candidate, None, "failed", str(error))

    def _job_for(
        self, history: History, sha256: str, profile: Profile, priority: int
    ) -> tuple[int, str, bool]:
        digest, now = profile.digest, self._clock.stamp()
        history.run("insert_profile", digest=digest, profile=profile.to_json(), now=now)
        row = history.one("find_job", sha256=sha256, profile_digest=digest)
        if row is not None:
            history.run("raise_priority", job=row["id"], priority=priority)
            return row["id"], row["state"], False
        created = history.one("insert_job", sha256=sha256, profile_digest=digest, priority=priority, now=now)
        assert created is not None  # noqa: S101 (RETURNING)
        return created["id"], "queued", True

    def _record(
        self,
        history: History,
        inbox: str,
        candidate: Candidate,
        job: int | None,
        state: str,
        problem: str | None,
    ) -> int:
        path = os.fsencode(candidate.path)
        look = {
            "inbox": inbox,
            "size_bytes": candidate.size_bytes,
            "mtime_ns": candidate.mtime_ns,
            "inode": candidate.inode,
            "device": candidate.device,
            "job": job,
            "problem": problem,
        }
        old = history.one("current_recording", path=path, inbox=inbox)
        if old is not None and (old["job_id"] == job or old["job_id"] is None):
            keeps = old["state"] in ("done", "failed") and job is not None and old["job_id"] == job
            history.run(
                "update_recording", recording=old["id"], state=old["state"] if keeps else state, **look
            )
            return int(old["id"])
        if old is not None:
            history.run("supersede_recording", recording=old["id"])
        created = history.one(
            "insert_recording",
            path=path,
            name=os.fsencode(candidate.path.name).decode("utf-8", "replace"),
            state=state,
            now=self._clock.stamp(),
            **look,
        )
        assert created is not None  # noqa: S101 (RETURNING)
        if old is not None:
            history.run("inherit_outputs", old=old["id"], new=created["id"])
        return int(created["id"])

    def rebind(self, job: Job, profile: Profile) -> None:
        """Give the files that wait for a claimed job to the work that the profile of now asks for."""
        with self._history.transaction() as history:
            new, _, _ = self._job_for(history, job.sha256, profile, 0)
            history.run("rebind_recording", old=job.id, new=new)
            history.run(
                "put_back_job", job=job.id, not_before=None, unspent=1, error_code=None, error_message=None
            )

    # ------------------------------------------------------------------ out

    def claim(self, *, fresh_only: bool) -> Job | None:
        """Take the next job that is due, its attempt counted; None when there is none.

        ``fresh_only`` leaves out jobs that were tried before: those run alone, so that what brings the
        recogniser down takes nobody with it.
        """
        now = self._clock.now()
        with self._history.transaction() as history:
            row = history.one(
                "next_job",
                now=to_stamp(now),
                # a clock set back must not turn half a minute into a day
                far_future=to_stamp(now + timedelta(seconds=2 * MAX_BACK_OFF_S)),
                fresh_only=int(fresh_only),
            )
            if row is None:
                return None
            history.run("claim_job", job=row["id"], now=to_stamp(now))
            history.run("begin_attempt", job=row["id"], now=to_stamp(now))
            return self._job(history, row["id"])

    def _job(self, history: History, number: int) -> Job:
        row = history.one("get_job", job=number)
        assert row is not None  # noqa: S101 (just claimed)
        waiting = tuple(
            Waiting(r["id"], r["inbox"], Path(os.fsdecode(r["path"])), r["size_bytes"], r["mtime_ns"])
            for r in history.all("job_recordings", job=number)
        )
        done = tuple(
            (r["number"], r["start_ms"], r["end_ms"]) for r in history.all("recognised_segments", job=number)
        )
        return Job(number, row["sha256"], Profile.from_json(row["profile"]), row["attempts"], waiting, done)

    # ------------------------------------------------------------------ while a job runs

    def save_segmented(self, job: int, found: tuple[tuple[int, int, int], ...], *, complete: bool) -> None:
        """Commit stretches of speech (number, start_ms, end_ms)."""
        with self._history.transaction() as history:
            for number, start_ms, end_ms in found:
                history.run("insert_segment", job=job, number=number, start_ms=start_ms, end_ms=end_ms)
            if complete:
                history.run("set_segmented", job=job)

    def save_segments(self, job: int, segments: tuple[Segment, ...]) -> None:
        """Commit recognised segments: these are never recognised again."""
        with self._history.transaction() as history:
            for segment in segments:
                row = history.one(
                    "save_segment",
                    job=job,
                    number=segment.index,
                    start_ms=segment.start_ms,
                    end_ms=segment.end_ms,
                    raw_text=segment.raw_text,
                    text=segment.text,
                    tokens=_TOKENS.dump_json(segment.tokens).decode(),
                    spans=_SPANS.dump_json(segment.spans).decode(),
                    corrections=_CORRECTIONS.dump_json(segment.corrections).decode(),
                    hotwords_hit=_STRINGS.dump_json(segment.hotwords_hit).decode(),
                    flags=_STRINGS.dump_json(segment.flags).decode(),
                )
                assert row is not None  # noqa: S101 (RETURNING)
                history.run("index_segment", segment=row["id"], body=index_body(segment.text))

    # ------------------------------------------------------------------ how a job ends

    def finish(
        self,
        job: int,
        *,
        duration_ms: int,
        flags: tuple[str, ...],
        timings_ms: dict[str, int],
        model_name: str,
        model_is_builtin: bool,
    ) -> None:
        """Every segment is committed: the job is done; its files may still wait to be written."""
        with self._history.transaction() as history:
            now = self._clock.stamp()
            self._end_attempt(history, job, None)
            history.run(
                "finish_job",
                job=job,
                now=now,
                duration_ms=duration_ms,
                flags=_STRINGS.dump_json(flags).decode(),
                timings_ms=_TIMINGS.dump_json(timings_ms).decode(),
                model_name=model_name,
                model_is_builtin=int(model_is_builtin),
            )

    def fail(self, job: int, error: JobError, *, attempts: int) -> str:
        """End an attempt that failed; return the job's state: queued again, failed or quarantined."""
        code, message = error.code, str(error)
        with self._history.transaction() as history:
            self._end_attempt(history, job, error)
            if error.retry is Retry.NEVER or (error.retry is Retry.LATER and attempts >= self._max_attempts):
                state = "failed" if error.retry is Retry.NEVER else "quarantined"
                history.run(
                    "end_job",
                    job=job,
                    state=state,
                    now=self._clock.stamp(),
                    error_code=code,
                    error_message=message,
                )
                return state
            unspent = error.retry is Retry.WHEN_CLEARED
            wait_s = WHEN_CLEARED_S if unspent else self._back_off_s(attempts)
            history.run(
                "put_back_job",
                job=job,
                not_before=self._clock.stamp(wait_s),
                unspent=int(unspent),
                error_code=code,
                error_message=message,
            )
            return "queued"

    def put_back(self, job: int) -> None:
        """Return a claimed job untried: its attempt is not spent."""
        with self._history.transaction() as history:
            self._end_attempt(history, job, None)
            history.run(
                "put_back_job", job=job, not_before=None, unspent=1, error_code=None, error_message=None
            )

    def put_back_suspect(self, job: int, error: JobError) -> None:
        """Return a job that was in work when the recogniser was lost: it is tried again at once, alone."""
        with self._history.transaction() as history:
            self._end_attempt(history, job, error)
            history.run(
                "put_back_job",
                job=job,
                not_before=None,
                unspent=0,
                error_code=error.code,
                error_message=str(error),
            )

    def _back_off_s(self, attempts: int) -> float:
        """Doubling, with jitter, so that what failed together is not tried together."""
        wait_s: float = min(MAX_BACK_OFF_S, self._retry_after_s * 2.0 ** max(0, attempts - 1))
        return wait_s * random.uniform(0.75, 1.25)  # noqa: S311 (no secret)

    def _end_attempt(self, history: History, job: int, error: JobError | None) -> None:
        history.run(
            "end_attempt",
            job=job,
            now=self._clock.stamp(),
            error_code=error.code if error else None,
            error_message=str(error) if error else None,
            evidence=error.evidence if error else None,
        )

    def recover(self) -> list[int]:
        """Put back at once what a killed daemon left running; return the jobs.

        The attempt was counted. The recogniser's crashes are told apart while the daemon lives, so one that
        is found here is seldom the recording's fault: only many in a row quarantine it.
        """
        with self._history.transaction() as history:
            jobs = [(row["id"], row["attempts"]) for row in history.all("interrupted_jobs")]
            for job, attempts in jobs:
                error = InterruptedJobError()
                self._end_attempt(history, job, error)
                told = {"job": job, "error_code": error.code, "error_message": str(error)}
                if attempts >= INTERRUPTIONS_FACTOR * self._max_attempts:
                    history.run("end_job", state="quarantined", now=self._clock.stamp(), **told)
                else:
                    history.run("put_back_job", not_before=None, unspent=0, **told)
        return [job for job, _ in jobs]

    # ------------------------------------------------------------------ steering and looking

    def retry(self, recording: int) -> None:
        """Begin the work of a recording anew, attempts and text forgotten.

        Raises :class:`NotFoundError`.
        """
        with self._history.transaction() as history:
            row = history.one("get_recording", recording=recording)
            if row is None or row["job_id"] is None:
                raise NotFoundError(f"there is no recording {recording} that could be tried again")
            self._reset(history, row["job_id"])

    def retry_all(self, state: str, code: str | None = None) -> int:
        """Begin anew every job of that state (and failure class); return how many."""
        with self._history.transaction() as history:
            jobs = [row["id"] for row in history.all("jobs_by_outcome", state=state, code=code)]
            for job in jobs:
                self._reset(history, job)
        return len(jobs)

    def _reset(self, history: History, job: int) -> None:
        row = history.one("get_job", job=job)
        if row is None or row["state"] in ("queued", "running"):
            return
        history.run("unindex_segments", job=job)
        history.run("delete_segments", job=job)
        history.run("reset_job", job=job)
        history.run("wake_recordings", job=job)

    def setting(self, key: str) -> str | None:
        """Return what was remembered under that key."""
        row = self._history.one("get_setting", key=key)
        return None if row is None else row["value"]

    def set_setting(self, key: str, value: str) -> None:
        """Remember something beyond a restart."""
        with self._history.transaction() as history:
            history.run("set_setting", key=key, value=value)


def transcript_of(history: History, row: sqlite3.Row) -> Transcript:
    """Return the finished text of a row of ``get_recording``."""
    return Transcript(
        duration_ms=row["duration_ms"] or 0,
        segments=tuple(_segment(segment) for segment in history.all("job_segments", job=row["job_id"])),
        model=row["model_name"] or "",
        model_is_builtin=bool(row["model_is_builtin"]),
        flags=_STRINGS.validate_json(row["flags"]),
    )


def _segment(row: sqlite3.Row) -> Segment:
    return Segment(
        index=row["number"],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        raw_text=row["raw_text"],
        text=row["text"],
        tokens=_TOKENS.validate_json(row["tokens"]),
        spans=_SPANS.validate_json(row["spans"]),
        corrections=_CORRECTIONS.validate_json(row["corrections"]),
        hotwords_hit=_STRINGS.validate_json(row["hotwords_hit"]),
        flags=_STRINGS.validate_json(row["flags"]),
    )
