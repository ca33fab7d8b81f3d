"""Queued and claimed: which content is to be recognised under which profile, and how it ended.

Enters: work that files wait for. Leaves: jobs, one at a time, each counted before it is tried. All of it lies
in the history; nothing is remembered elsewhere, so a killed daemon loses nothing. The state of a job changes
here and nowhere else.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from asr_daemon.errors import InternalError, InterruptedJobError, OutOfMemoryError, Retry
from asr_daemon.history.hotword_lists import HotwordLists
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.segments import Segments
from asr_daemon.history.states import JobState
from asr_daemon.queue.job import Job
from asr_daemon.queue.memory_ladder import Rung, climb
from asr_daemon.queue.turns import Limits, Sizes, Turns
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.errors import WorkError
    from asr_daemon.history import History
    from asr_daemon.queue.job import Engine, Result
    from asr_daemon.transcripts.transcript import Segment

MAX_BACK_OFF_S = 3600.0
INTERRUPTIONS_FACTOR = 5  # times max_attempts
WHEN_CLEARED_S = 15.0  # how soon a cause outside the recording is looked at again

_STRINGS = TypeAdapter(tuple[str, ...])
_TIMINGS = TypeAdapter(dict[str, int])


class Jobs:
    """The jobs in the history."""

    def __init__(self, config: Config, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._recordings = Recordings(history, clock)
        self._segments = Segments(history)
        self._lists = HotwordLists(history)
        self.turns = Turns(config, history, clock)
        self._take_up(config)

    def reload(self, config: Config) -> None:
        """Take up other limits, weights and hours."""
        self.turns.reload(config)
        self._take_up(config)

    def _take_up(self, config: Config) -> None:
        self._max_attempts = config.daemon.max_attempts
        self._retry_after_s = config.daemon.retry_after_s

    # ------------------------------------------------------------------ in

    def find_or_create(self, sha256: str, profile: Profile, *, priority: int = 0) -> tuple[int, JobState]:
        """Return the job of that content under that profile; one that was withdrawn is queued again."""
        digest, now = profile.digest, self._clock.stamp()
        with self._history.transaction() as history:
            history.run(
                "insert_profile",
                digest=digest,
                profile=profile.to_json(),
                list_digest=profile.hotwords_digest or None,
                now=now,
            )
            row = history.one("find_job", sha256=sha256, profile_digest=digest)
            if row is None:
                row = history.one(
                    "insert_job", sha256=sha256, profile_digest=digest, priority=priority, now=now
                )
                assert row is not None  # noqa: S101 (RETURNING)
                return int(row["id"]), JobState.QUEUED
            if row["state"] == JobState.WITHDRAWN:
                history.run("requeue_job", job=row["id"], priority=priority, now=now)
                return int(row["id"]), JobState.QUEUED
            history.run("raise_priority", job=row["id"], priority=priority)
            return int(row["id"]), JobState(row["state"])

    # ------------------------------------------------------------------ out

    def claim(
        self,
        recogniser: str,
        *,
        fresh_only: bool = False,
        away: Collection[str] = (),
        most_bytes: int | None = None,
        above_bytes: int = -1,
        only_urged: bool = False,
        patience_s: float | None = None,
        without: Collection[str] = (),
    ) -> Job | None:
        """Give the job whose turn it is to a recogniser, its attempt counted; None when there is none.

        ``fresh_only`` leaves out suspects: those run alone, so that what brings a recogniser down takes
        nobody with it. ``away`` names inboxes whose share is gone: what only they wait for stays queued.
        ``most_bytes`` leaves out larger files, ``above_bytes`` all that are not larger, ``only_urged`` what
        nobody waits for at a screen. A suspect that has been due for ``patience_s`` goes before all others.
        ``without`` names inboxes of which only what is waited for at a screen may come.
        """
        since = "" if patience_s is None else self._clock.stamp(-patience_s)
        limits = Limits(away, fresh_only, most_bytes, above_bytes, only_urged, since, without)
        self.turns.line.place()
        if not self.turns.may_begin(limits):
            return None  # asked twice a second: no transaction for nothing
        with self._history.transaction() as history:
            self.turns.line.place()
            turn = self.turns.next(limits)
            if turn is None:
                return None
            self.turns.begin(turn)
            job, now = turn.chosen.job, self._clock.stamp()
            history.run("claim_job", job=job, recogniser=recogniser, now=now)
            history.run("begin_attempt", job=job, recogniser=recogniser, now=now)
            return self._job(job)

    def is_usual_next(self, sizes: Sizes | None = None, *, only_urged: bool = False) -> bool:
        """Whether a job is due that is recognised in the usual way, not in a fresh process or on the CPU."""
        sizes = sizes or Sizes()
        closed = json.dumps(self.turns.hours.closed())
        row = self._history.one(
            "usual_due",
            now=self._clock.stamp(),
            closed=closed,
            only_urged=int(only_urged),
            above_bytes=sizes.above_bytes,
            most_bytes=sizes.most_bytes,
        )
        return row is not None

    def has_overdue_suspect(
        self, patience_s: float, away: Collection[str] = (), sizes: Sizes | None = None
    ) -> bool:
        """Whether a suspect has been due for that long, and was not claimed because others were in work."""
        before, closed, sizes = self._clock.stamp(-patience_s), self.turns.hours.closed(), sizes or Sizes()
        found = self.turns.line.overdue_suspect(before, away, closed, sizes.above_bytes, sizes.most_bytes)
        return found is not None

    def is_empty(self) -> bool:
        """Whether no job waits that somebody waits for, not even for its time."""
        return self._history.one("any_queued") is None

    def count_queued(self) -> int:
        """Return how many jobs are queued that somebody waits for."""
        row = self._history.one("count_queued")
        return int(row["jobs"]) if row else 0

    def _job(self, number: int) -> Job:
        row = self._history.one("get_job", job=number)
        assert row is not None  # noqa: S101 (just claimed)
        return Job(
            id=number,
            sha256=row["sha256"],
            profile=self._lists.fill(Profile.from_json(row["profile"])),
            attempts=row["attempts"],
            is_suspect=bool(row["is_suspect"]),
            waiting=tuple(self._recordings.waiting_for(number)),
            done=self._segments.recognised(number),
            rung=Rung(row["memory_rung"]),
            inbox=row["claimed_for"] or "",
            weight=self.turns.weight(row["claimed_for"] or ""),
            is_urged=row["priority"] < 0,
        )

    # ------------------------------------------------------------------ while a job runs

    def begin(self, job: int, engine: Engine, profile: Profile) -> None:
        """Say what recognises the attempt that was claimed, and with which list."""
        with self._history.transaction() as history:
            self._lists.keep(profile)
            history.run(
                "begin_recognition",
                job=job,
                model_name=engine.model,
                model_is_builtin=int(engine.model_is_builtin),
                device=engine.device,
                precision=engine.precision,
            )

    def save(
        self, job: int, segments: tuple[Segment, ...], voices: Iterable[tuple[int, bytes]], voice_model: str
    ) -> None:
        """Commit recognised segments, and what they cost the inbox whose turn it was."""
        with self._history.transaction():
            self._segments.save(job, segments, voices, voice_model)
            self.turns.charge(job, max((one.end_ms for one in segments), default=0))

    def unwanted(self, jobs: Collection[int]) -> list[int]:
        """Return those of these running jobs that nobody waits for any more."""
        rows = self._history.all("unwanted_jobs", jobs=json.dumps(sorted(jobs)))
        return [row["id"] for row in rows]

    # ------------------------------------------------------------------ how a job ends

    def finish(self, job: int, result: Result, engine: Engine) -> None:
        """Every segment is committed: the job is done; its files may still wait to be written.

        Raises :class:`~asr_daemon.errors.InternalError` where a segment is missing: no transcript has holes.
        """
        with self._history.transaction() as history:
            recognised = self._segments.trim(job, result.segment_count)
            if recognised != result.segment_count:
                raise InternalError(f"{recognised} of {result.segment_count} segments are there")
            self._end_attempt(job, None)
            self.turns.charge(job, result.duration_ms)
            history.run(
                "finish_job",
                job=job,
                now=self._clock.stamp(),
                duration_ms=result.duration_ms,
                flags=_STRINGS.dump_json(result.flags).decode(),
                timings_ms=_TIMINGS.dump_json(result.timings_ms).decode(),
                model_name=engine.model,
                model_is_builtin=int(engine.model_is_builtin),
                device=engine.device,
                precision=engine.precision,
            )

    def fail(
        self, job: int, error: WorkError, *, at_once: bool = False, last_rung: Rung = Rung.CPU
    ) -> JobState:
        """End an attempt that failed; return the job's state: queued again, failed or quarantined.

        An attempt that brought the recording on, or whose failure is not the recording's, is not spent.
        ``at_once``: several jobs were in work when the recogniser was lost; each is tried again, alone.
        One that ran out of memory climbs to ``last_rung`` before it is quarantined.
        """
        told: dict[str, Any] = {"job": job, "error_code": error.code, "error_message": str(error)}
        with self._history.transaction() as history:
            row = history.one("get_job", job=job)
            assert row is not None  # noqa: S101 (it was claimed)
            has_progressed = self._has_progressed(job)
            is_spent = error.retry is not Retry.WHEN_CLEARED and not has_progressed
            strikes = row["strikes"] + int(is_spent)
            if is_spent:
                self.turns.charge_failure(job)
            rung = next_rung = Rung(row["memory_rung"])
            if isinstance(error, OutOfMemoryError) and not at_once:
                next_rung = climb(rung, last_rung, has_progressed=has_progressed)
            climbs = next_rung > rung  # it is tried in another way: at once, and once more at the least
            is_last = is_spent and error.retry is Retry.LATER and strikes >= self._max_attempts and not climbs
            if error.retry is Retry.NEVER or is_last:
                state = JobState.FAILED if error.retry is Retry.NEVER else JobState.QUARANTINED
                self._end_attempt(job, error)
                history.run("end_job", state=state, now=self._clock.stamp(), **told)
                return state
            if error.retry is Retry.WHEN_CLEARED:
                self._drop_attempt(job, error)  # days of waiting must not fill the history
                wait_s = WHEN_CLEARED_S
            else:
                self._end_attempt(job, error)
                wait_s = 0.0 if at_once or climbs else self._back_off_s(strikes)
            self._put_back(
                **told,
                not_before=self._clock.stamp(wait_s),
                unspent=int(not is_spent),
                strike=int(is_spent),
                is_suspect=int(error.retry is Retry.LATER),
                rung=int(next_rung),
            )
            return JobState.QUEUED

    def add_evidence(self, job: int, evidence: str) -> None:
        """Keep more of what is known of the newest attempt's failure."""
        with self._history.transaction() as history:
            history.run("add_evidence", job=job, evidence=evidence)

    def put_back(self, job: int) -> None:
        """Return a claimed job untried: its attempt is not spent, and what was recognised of it stays.

        One that nobody waits for any more is withdrawn.
        """
        with self._history.transaction():
            self._drop_attempt(job)
            self._put_back(job=job, unspent=1)

    def withdraw_if_unwanted(self, job: int | None) -> None:
        """Queue a job no longer where nobody waits for it; one that runs is ended by who runs it."""
        if job is not None:
            with self._history.transaction() as history:
                history.run("withdraw_job", job=job)

    def reset(self, job: int) -> None:
        """Begin a job anew, attempts and text forgotten; one that is queued or runs stays as it is.

        One that was withdrawn goes on from what was recognised of it.
        """
        now = self._clock.stamp()
        with self._history.transaction() as history:
            row = history.one("get_job", job=job)
            if row is None or row["state"] in (JobState.QUEUED, JobState.RUNNING):
                return
            if row["state"] == JobState.WITHDRAWN:
                history.run("requeue_job", job=job, priority=row["priority"], now=now)
            else:
                self._segments.forget(job)
                history.run("reset_job", job=job, now=now)
                self._recordings.wake(job)
            history.run("withdraw_job", job=job)

    def ended(self, state: JobState, code: str | None = None) -> list[int]:
        """Return every job that ended in that state (and failure class)."""
        return [row["id"] for row in self._history.all("jobs_by_outcome", state=state, code=code)]

    def recover(self, held: Collection[str] = ()) -> list[int]:
        """Put back at once what a killed daemon left running; return the jobs.

        ``held`` names recognisers that outlived it: theirs go on. The attempt was counted, unless it had
        brought the recording on. The recogniser's crashes are told apart while the daemon lives, so one that
        is found here is seldom the recording's fault: it is no strike, and only many in a row quarantine it.
        """
        with self._history.transaction() as history:
            rows = history.all("interrupted_jobs", held=json.dumps(sorted(held)))
            for row in rows:
                job, error = row["id"], InterruptedJobError()
                has_progressed = self._has_progressed(job)
                self._end_attempt(job, error)
                told: dict[str, Any] = {"job": job, "error_code": error.code, "error_message": str(error)}
                if row["attempts"] >= INTERRUPTIONS_FACTOR * self._max_attempts and not has_progressed:
                    history.run("end_job", state=JobState.QUARANTINED, now=self._clock.stamp(), **told)
                else:
                    self._put_back(**told, unspent=int(has_progressed), is_suspect=1)
            return [row["id"] for row in rows]

    # ------------------------------------------------------------------ parts of the above

    def _put_back(self, job: int, **values: Any) -> None:
        """Queue a job again, unless nobody waits for it any more."""
        usual = {
            "not_before": None,
            "unspent": 0,
            "strike": 0,
            "is_suspect": 0,
            "rung": 0,
            "error_code": None,
            "error_message": None,
        }
        self._history.run("put_back_job", job=job, now=self._clock.stamp(), **{**usual, **values})
        self._history.run("withdraw_job", job=job)

    def _has_progressed(self, job: int) -> bool:
        row = self._history.one("attempt_progress", job=job)
        return row is not None and bool(row["has_progressed"])

    def _back_off_s(self, strikes: int) -> float:
        """Doubling, with jitter, so that what failed together is not tried together."""
        wait_s: float = min(MAX_BACK_OFF_S, self._retry_after_s * 2.0 ** max(0, strikes - 1))
        return wait_s * random.uniform(0.75, 1.25)  # noqa: S311 (no secret)

    def _drop_attempt(self, job: int, error: WorkError | None = None) -> None:
        """Forget the newest attempt, or end it where segments are its work."""
        self._history.run("drop_attempt", job=job)
        row = self._history.one("open_attempt", job=job)
        if row is not None:
            self._end_attempt(job, error)

    def _end_attempt(self, job: int, error: WorkError | None) -> None:
        self._history.run(
            "end_attempt",
            job=job,
            now=self._clock.stamp(),
            error_code=error.code if error else None,
            error_message=str(error) if error else None,
            evidence=error.evidence if error else None,
        )
