"""The queue: which content is to be recognised under which profile, and which files wait for it.

Enters: settled, hashed files. Leaves: jobs, one at a time, each counted before it is tried. All of it lies
in the history; nothing is remembered elsewhere, so a killed daemon loses nothing.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from asr_daemon.errors import (
    InternalError,
    InterruptedJobError,
    JobError,
    OperatorError,
    OutOfMemoryError,
    Retry,
)
from asr_daemon.history.search import index_body
from asr_daemon.hotwords.hits import Hit, find_hits
from asr_daemon.inboxes.scan import Candidate, shown_name
from asr_daemon.itn import Span
from asr_daemon.queue.memory_ladder import Rung, climb
from asr_daemon.queue.profile import Profile
from asr_daemon.transcripts.transcript import Correction, Segment, Token, Transcript

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from asr_daemon.clock import Clock
    from asr_daemon.history import History

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
    is_suspect: bool  # it was in work when something broke: it runs alone
    waiting: tuple[Waiting, ...]
    done: tuple[tuple[int, int, int], ...]  # segments committed by an earlier try
    rung: Rung = Rung.USUAL  # above it, memory did not suffice before


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
        self.configure(max_attempts=max_attempts, retry_after_s=retry_after_s)

    def configure(self, *, max_attempts: int, retry_after_s: float) -> None:
        """Take up other limits."""
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
        was_archived = old is not None and old["archived_at"] is not None
        if old is not None and not was_archived and (old["job_id"] == job or old["job_id"] is None):
            keeps = job is not None and old["job_id"] == job and _has_its_files(history, old)
            history.run(
                "update_recording", recording=old["id"], state=old["state"] if keeps else state, **look
            )
            return int(old["id"])
        if old is not None:
            history.run("supersede_recording", recording=old["id"])
        created = history.one(
            "insert_recording",
            path=path,
            name=shown_name(candidate.path),
            state=state,
            now=self._clock.stamp(),
            **look,
        )
        assert created is not None  # noqa: S101 (RETURNING)
        if old is not None:
            history.run("inherit_outputs", old=old["id"], new=created["id"])
        return int(created["id"])

    def rebind(self, sha256: str, wanted: Collection[tuple[Waiting, Profile]]) -> None:
        """Give files that wait for a content to the work that their profiles of now ask for."""
        with self._history.transaction() as history:
            for waiting, profile in wanted:
                job, _, _ = self._job_for(history, sha256, profile, 0)
                history.run("rebind_recording", recording=waiting.recording, job=job)

    # ------------------------------------------------------------------ out

    def claim(self, *, fresh_only: bool, away: Collection[str] = ()) -> Job | None:
        """Take the next job that is due, its attempt counted; None when there is none.

        ``fresh_only`` leaves out suspects: those run alone, so that what brings the recogniser down takes
        nobody with it. ``away`` names inboxes whose share is gone: what only they wait for stays queued.
        """
        now, absent = self._clock.stamp(), json.dumps(sorted(away))
        if self._history.one("next_job", now=now, fresh_only=int(fresh_only), away=absent) is None:
            return None  # asked twice a second: no transaction for nothing
        with self._history.transaction() as history:
            row = history.one("next_job", now=now, fresh_only=int(fresh_only), away=absent)
            if row is None:
                return None
            history.run("claim_job", job=row["id"], now=now)
            history.run("begin_attempt", job=row["id"], now=now)
            return self._job(history, row["id"])

    def has_overdue_suspect(self, patience_s: float, away: Collection[str] = ()) -> bool:
        """Whether a suspect has been due for that long, and was not claimed because others were in work."""
        before, absent = self._clock.stamp(-patience_s), json.dumps(sorted(away))
        return self._history.one("overdue_suspect", before=before, away=absent) is not None

    def is_empty(self) -> bool:
        """Whether no job waits, not even for its time."""
        return self._history.one("any_queued") is None

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
        return Job(
            id=number,
            sha256=row["sha256"],
            profile=Profile.from_json(row["profile"]),
            attempts=row["attempts"],
            is_suspect=bool(row["is_suspect"]),
            waiting=waiting,
            done=done,
            rung=Rung(row["memory_rung"]),
        )

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
        segment_count: int,
        duration_ms: int,
        flags: tuple[str, ...],
        timings_ms: dict[str, int],
        model_name: str,
        model_is_builtin: bool,
    ) -> None:
        """Every segment is committed: the job is done; its files may still wait to be written.

        Raises :class:`~asr_daemon.errors.InternalError` where a segment is missing: no transcript has holes.
        """
        with self._history.transaction() as history:
            now = self._clock.stamp()
            history.run("unindex_surplus", job=job, count=segment_count)
            history.run("delete_surplus", job=job, count=segment_count)
            row = history.one("count_recognised", job=job)
            if row is None or row["recognised"] != segment_count:
                raise InternalError(f"{row and row['recognised']} of {segment_count} segments are there")
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

    def fail(self, job: int, error: JobError, *, at_once: bool = False, last_rung: Rung = Rung.CPU) -> str:
        """End an attempt that failed; return the job's state: queued again, failed or quarantined.

        An attempt that brought the recording on, or whose failure is not the recording's, is not spent.
        ``at_once``: several jobs were in work when the recogniser was lost; each is tried again, alone.
        One that ran out of memory climbs to ``last_rung`` before it is quarantined.
        """
        told = {"job": job, "error_code": error.code, "error_message": str(error)}
        with self._history.transaction() as history:
            row = history.one("get_job", job=job)
            assert row is not None  # noqa: S101 (it was claimed)
            has_progressed = self._has_progressed(history, job)
            is_spent = error.retry is not Retry.WHEN_CLEARED and not has_progressed
            strikes = row["strikes"] + int(is_spent)
            rung = next_rung = Rung(row["memory_rung"])
            if isinstance(error, OutOfMemoryError) and not at_once:
                next_rung = climb(rung, last_rung, has_progressed=has_progressed)
            climbs = next_rung > rung  # it is tried in another way: at once, and once more at the least
            is_last = is_spent and error.retry is Retry.LATER and strikes >= self._max_attempts and not climbs
            if error.retry is Retry.NEVER or is_last:
                state = "failed" if error.retry is Retry.NEVER else "quarantined"
                self._end_attempt(history, job, error)
                history.run("end_job", state=state, now=self._clock.stamp(), **told)
                return state
            if error.retry is Retry.WHEN_CLEARED:
                history.run("drop_attempt", job=job)  # days of waiting must not fill the history
                wait_s = WHEN_CLEARED_S
            else:
                self._end_attempt(history, job, error)
                wait_s = 0.0 if at_once or climbs else self._back_off_s(strikes)
            self._put_back(
                history,
                **told,
                not_before=self._clock.stamp(wait_s),
                unspent=int(not is_spent),
                strike=int(is_spent),
                is_suspect=int(error.retry is Retry.LATER),
                rung=int(next_rung),
            )
            return "queued"

    def add_evidence(self, job: int, evidence: str) -> None:
        """Keep more of what is known of the newest attempt's failure."""
        with self._history.transaction() as history:
            history.run("add_evidence", job=job, evidence=evidence)

    def put_back(self, job: int) -> None:
        """Return a claimed job untried: its attempt is not spent."""
        with self._history.transaction() as history:
            history.run("drop_attempt", job=job)
            self._put_back(history, job=job, unspent=1)

    def _put_back(self, history: History, **values: Any) -> None:
        usual = {
            "not_before": None,
            "unspent": 0,
            "strike": 0,
            "is_suspect": 0,
            "rung": 0,
            "error_code": None,
            "error_message": None,
        }
        history.run("put_back_job", now=self._clock.stamp(), **{**usual, **values})

    def _has_progressed(self, history: History, job: int) -> bool:
        row = history.one("attempt_progress", job=job)
        return row is not None and bool(row["has_progressed"])

    def _back_off_s(self, strikes: int) -> float:
        """Doubling, with jitter, so that what failed together is not tried together."""
        wait_s: float = min(MAX_BACK_OFF_S, self._retry_after_s * 2.0 ** max(0, strikes - 1))
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

        The attempt was counted, unless it had brought the recording on. The recogniser's crashes are told
        apart while the daemon lives, so one that is found here is seldom the recording's fault: it is no
        strike, and only many in a row quarantine it.
        """
        with self._history.transaction() as history:
            jobs = [(row["id"], row["attempts"]) for row in history.all("interrupted_jobs")]
            for job, attempts in jobs:
                error = InterruptedJobError()
                has_progressed = self._has_progressed(history, job)
                self._end_attempt(history, job, error)
                told = {"job": job, "error_code": error.code, "error_message": str(error)}
                if attempts >= INTERRUPTIONS_FACTOR * self._max_attempts and not has_progressed:
                    history.run("end_job", state="quarantined", now=self._clock.stamp(), **told)
                else:
                    self._put_back(history, **told, unspent=int(has_progressed), is_suspect=1)
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

    def retry_with_other_hotwords(self, inbox: str, profile: Profile) -> int:
        """Put back the finished recordings of an inbox whose hotwords were others than the profile's.

        Their old text stays in the history. Returns how many went back.
        """
        wanted = (profile.hotwords, profile.replacements)
        count = 0
        with self._history.transaction() as history:
            for row in history.all("transcribed_recordings", inbox=inbox):
                used = Profile.from_json(row["profile"])
                if (used.hotwords, used.replacements) == wanted:
                    continue
                job, _, _ = self._job_for(history, row["sha256"], profile, 0)
                self._record(history, inbox, _candidate(row), job, "waiting", None)
                count += 1
        return count

    def _reset(self, history: History, job: int) -> None:
        row = history.one("get_job", job=job)
        if row is None or row["state"] in ("queued", "running"):
            return
        history.run("unindex_segments", job=job)
        history.run("delete_segments", job=job)
        history.run("reset_job", job=job, now=self._clock.stamp())
        history.run("wake_recordings", job=job)

    def setting(self, key: str) -> str | None:
        """Return what was remembered under that key."""
        row = self._history.one("get_setting", key=key)
        return None if row is None else row["value"]

    def set_setting(self, key: str, value: str) -> None:
        """Remember something beyond a restart."""
        with self._history.transaction() as history:
            history.run("set_setting", key=key, value=value)


def _has_its_files(history: History, recording: sqlite3.Row) -> bool:
    """Return whether a recording that was dealt with needs nothing more.

    Where recording and transcripts were taken away together and the recording came back, they are due again.
    """
    if recording["state"] not in ("done", "failed"):
        return False
    outputs = history.all("recording_outputs", recording=recording["id"])
    return not outputs or any(os.path.lexists(os.fsdecode(output["path"])) for output in outputs)


def _candidate(row: sqlite3.Row) -> Candidate:
    path = Path(os.fsdecode(row["path"]))
    return Candidate(path, row["size_bytes"], row["mtime_ns"], row["inode"], row["device"])


def transcript_of(history: History, row: sqlite3.Row) -> Transcript:
    """Return the finished text of a row of ``get_recording``."""
    return Transcript(
        duration_ms=row["duration_ms"] or 0,
        segments=tuple(_segment(segment) for segment in history.all("job_segments", job=row["job_id"])),
        model=row["model_name"] or "",
        model_is_builtin=bool(row["model_is_builtin"]),
        flags=_STRINGS.validate_json(row["flags"]),
    )


def hotwords_of(history: History, job: int) -> Counter[Hit]:
    """Return which hotwords a job's text holds, by whom they were put there, and how often."""
    return Counter(
        hit
        for row in history.all("segments_with_hotwords", job=job)
        for hit in find_hits(
            row["raw_text"],
            _CORRECTIONS.validate_json(row["corrections"]),
            _STRINGS.validate_json(row["hotwords_hit"]),
        )
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
