"""Files and what became of them: one row for each version of a file's content.

Enters: what the inboxes found. Leaves: :class:`Recording`, and :class:`Filed` with the work that it belongs
to. The state of a recording changes here and nowhere else. Fails as the history does.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from asr_daemon.history.outputs import forget_output, move_output, outputs_of
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Mapping

    from asr_daemon.clock import Clock
    from asr_daemon.history.connection import History

COMMAND_LINE = ""  # the inbox of recordings that were named on the command line

MOST_COPIES = 100  # of one content that are looked at: empty files come by the thousand

_FLAGS = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Look:
    """A file as its folder shows it; ``path`` holds invalid UTF-8 as surrogates."""

    path: Path
    name: str  # for people
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A file."""

    id: int
    inbox: str  # COMMAND_LINE for one that was named there
    path: Path
    name: str  # for people; bytes that are no UTF-8 are replaced
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int
    job: int | None  # None: its content could not be read
    state: RecordingState
    problem: str  # why its transcript is not written yet, or ""
    written_at: str  # stamp, or ""
    archived_at: str
    forgotten_at: str = ""  # its text was deleted: a stamp
    forgotten_by: str = ""
    sent_to: str = ""  # the inbox whose department sees what a program sent; "" where it lies in one

    @property
    def department(self) -> str:
        """The inbox whose people it is for."""
        return self.sent_to or self.inbox

    @property
    def look(self) -> Look:
        """How the file looked."""
        return Look(self.path, self.name, self.size_bytes, self.mtime_ns, self.inode, self.device)


@dataclass(frozen=True, slots=True)
class Work:
    """The job that a recording belongs to, as writers and commands see it."""

    id: int
    sha256: str
    profile: Profile
    state: JobState
    attempts: int
    duration_ms: int  # 0 while unknown
    model: str  # what recognised it, as a person calls it; "" before
    model_is_builtin: bool
    flags: tuple[str, ...]
    error_code: str
    error_message: str
    finished_at: str
    are_speakers_due: bool = False  # its text is there, and who says what is being found out

    @property
    def is_complete(self) -> bool:
        """Whether it ended, and nothing of it is still to come."""
        return self.state.is_over and not (self.state is JobState.DONE and self.are_speakers_due)


@dataclass(frozen=True, slots=True)
class Filed:
    """A recording with its work; None where its content could not be read."""

    recording: Recording
    work: Work | None

    @property
    def state(self) -> str:
        """The word that tells most: the work's while the recording waits for it."""
        waits = self.recording.state in (RecordingState.WAITING, RecordingState.FAILED)
        return str(self.work.state if self.work is not None and waits else self.recording.state)

    @property
    def problem(self) -> str:
        """Why there is no transcript, or ""."""
        return (self.work.error_message if self.work else "") or self.recording.problem


class Recordings:
    """The table of files."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock

    # ------------------------------------------------------------------ looking

    def get(self, recording: int) -> Filed | None:
        """Return that recording with its work."""
        row = self._history.one("get_recording", recording=recording)
        return None if row is None else filed_of(row)

    def current(self, path: Path, inbox: str) -> Recording | None:
        """Return the row that stands for a path now, in the share or on the command line."""
        row = self._history.one("current_recording", path=os.fsencode(path), inbox=inbox)
        return None if row is None else recording_of(row)

    def waiting_in(self, inbox: str) -> list[Recording]:
        """Return the files of an inbox whose transcript is still to come."""
        return [recording_of(row) for row in self._history.all("waiting_recordings", inbox=inbox)]

    def queued_in(self, inbox: str) -> list[Recording]:
        """Return those of them whose work was not begun."""
        return [recording_of(row) for row in self._history.all("queued_recordings", inbox=inbox)]

    def waiting_for(self, job: int) -> list[Recording]:
        """Return the files that wait for a job, those of the command line first."""
        return [recording_of(row) for row in self._history.all("job_recordings", job=job)]

    def strangers(self, inboxes: Collection[str]) -> list[Recording]:
        """Return the files that wait though their inbox is configured no more."""
        names = json.dumps(sorted(inboxes))
        return [recording_of(row) for row in self._history.all("strangers", inboxes=names)]

    def archivable(self, inboxes: Collection[str]) -> list[Recording]:
        """Return the finished files of these inboxes that are not archived."""
        names = json.dumps(sorted(inboxes))
        return [recording_of(row) for row in self._history.all("archivable", inboxes=names)]

    def known_looks(self, inbox: str) -> Iterator[tuple[str, int, int]]:
        """Yield path, size and mtime of the files that need no look until they change."""
        for row in self._history.each("known_signatures", inbox=inbox):
            yield os.fsdecode(row["path"]), row["size_bytes"], row["mtime_ns"]

    def finished_in(self, inbox: str) -> list[Filed]:
        """Return the transcribed files of an inbox that lie there still."""
        return [filed_of(row) for row in self._history.all("transcribed_recordings", inbox=inbox)]

    def moved_from(self, sha256: str, path: Path) -> list[Filed]:
        """Return the recordings of a content that may have been moved to that path, newest first."""
        rows = self._history.all("moved_from", sha256=sha256, path=os.fsencode(path), limit=MOST_COPIES)
        return [filed_of(row) for row in rows]

    def undelivered(self, job: int | None = None) -> list[Recording]:
        """Return the files whose work is over, but which have no transcript yet: of a job, or of all."""
        rows = (
            self._history.all("undelivered")
            if job is None
            else self._history.all("undelivered_of_job", job=job)
        )
        return [recording_of(row) for row in rows]

    # ------------------------------------------------------------------ how a recording moves on

    def put(self, inbox: str, look: Look, job: int | None, problem: str = "") -> int:
        """Take note of a file and the work that it belongs to (None: it failed); return its number.

        A path that is known with other content gets a new row, which owns the old one's files.
        """
        state = RecordingState.FAILED if job is None else RecordingState.WAITING
        seen = {
            "inbox": inbox,
            "size_bytes": look.size_bytes,
            "mtime_ns": look.mtime_ns,
            "inode": look.inode,
            "device": look.device,
            "job": job,
            "problem": problem or None,
        }
        with self._history.transaction() as history:
            old = self.current(look.path, inbox)
            if old is not None and not old.archived_at and old.job in (job, None):
                keeps = job is not None and old.job == job and self._needs_nothing(old)
                if job is None:
                    self._announce(old.id, state, problem)
                history.run("update_recording", recording=old.id, state=old.state if keeps else state, **seen)
                return old.id
            if old is not None and self._stays_forgotten(old, job):
                history.run(
                    "update_recording",
                    recording=old.id,
                    state=old.state,
                    **{**seen, "job": old.job, "problem": old.problem},
                )
                return old.id
            if old is not None:
                history.run("supersede_recording", recording=old.id)
            path = os.fsencode(look.path)
            created = history.one(
                "insert_recording", path=path, name=look.name, state=state, now=self._clock.stamp(), **seen
            )
            assert created is not None  # noqa: S101 (RETURNING)
            self._announce(created["id"], state, problem, is_new=True)
            if old is not None:
                history.run("inherit_outputs", old=old.id, new=created["id"])
                if history.one("same_content", one=old.job, other=job) is not None:  # under another profile
                    for statement in ("inherit_corrections", "inherit_corrected", "inherit_revision"):
                        history.run(statement, old=old.id, new=created["id"])
            return int(created["id"])

    def move(self, recording: int, inbox: str, look: Look, state: RecordingState) -> None:
        """Say that a file lies at another path; what was known of that path is superseded."""
        with self._history.transaction() as history:
            old = self.current(look.path, inbox)
            if old is not None and old.id != recording:
                history.run("supersede_recording", recording=old.id)
                history.run("inherit_outputs", old=old.id, new=recording)
            history.run(
                "move_recording",
                recording=recording,
                path=os.fsencode(look.path),
                name=look.name,
                inbox=inbox,
                size_bytes=look.size_bytes,
                mtime_ns=look.mtime_ns,
                inode=look.inode,
                device=look.device,
                state=state,
            )

    def _stays_forgotten(self, old: Recording, job: int | None) -> bool:
        """Whether that content was forgotten here: another profile alone does not bring it back."""
        if old.state is not RecordingState.CANCELLED or old.inbox == COMMAND_LINE or old.archived_at:
            return False
        row = self._history.one("revisions", recording=old.id)
        is_same = self._history.one("same_content", one=old.job, other=job) is not None
        return is_same and row is not None and row["forgotten_at"] is not None

    def _needs_nothing(self, recording: Recording) -> bool:
        """Return whether a file that was dealt with stays as it is.

        Where recording and transcripts were taken away together and the recording came back, they are due
        again.
        """
        if recording.state is RecordingState.CANCELLED:  # a scan finds it again; who names it wants it
            return recording.inbox != COMMAND_LINE
        if recording.state not in (RecordingState.DONE, RecordingState.FAILED):
            return False
        outputs = self._history.all("recording_outputs", recording=recording.id)
        return not outputs or any(os.path.lexists(os.fsdecode(output["path"])) for output in outputs)

    def rebind(self, recording: int, job: int) -> None:
        """Let a waiting file wait for another job."""
        with self._history.transaction() as history:
            history.run("rebind_recording", recording=recording, job=job)

    def settle(self, recording: int, state: RecordingState, problem: str = "") -> None:
        """Say how a file stands now; one that is done was written this moment."""
        written_at = self._clock.stamp() if state is RecordingState.DONE else None
        with self._history.transaction() as history:
            self._announce(recording, state, problem)
            history.run(
                "set_recording_state",
                recording=recording,
                state=state,
                problem=problem or None,
                written_at=written_at,
            )

    def _announce(self, recording: int, state: RecordingState, problem: str, *, is_new: bool = False) -> None:
        """Write what is to be told of it, before the state changes and in the same transaction."""
        if state in (RecordingState.DONE, RecordingState.FAILED):
            self._history.run(
                "announce_recording",
                recording=recording,
                state=state,
                problem=problem,
                is_new=int(is_new),
                now=self._clock.stamp(),
            )

    def wake(self, job: int) -> None:
        """Let every file of a job wait for it again."""
        with self._history.transaction() as history:
            history.run("wake_recordings", job=job)

    def wake_held(self) -> None:
        """Await the transcripts that an older release left in the fall-back folder."""
        with self._history.transaction() as history:
            history.run("wake_held")

    def send_to(self, recording: int, inbox: str) -> None:
        """Say whose it is, though it lies in no inbox."""
        with self._history.transaction() as history:
            history.run("set_sent_to", recording=recording, inbox=inbox)

    def complain(self, recording: int, problem: str) -> None:
        """Say why a file's transcript cannot be written at present."""
        with self._history.transaction() as history:
            history.run("set_recording_problem", recording=recording, problem=problem)

    def archive(self, recording: int, path: Path | None, outputs: Mapping[Path, Path]) -> None:
        """Say where in the archive it lies (None: it is gone) with these files of it."""
        lies_at = None if path is None else os.fsencode(path)
        with self._history.transaction() as history:
            history.run("supersede_at", recording=recording, path=lies_at)
            history.run("archive_recording", recording=recording, path=lies_at, now=self._clock.stamp())
            for output in outputs_of(history, recording):
                if (there := outputs.get(output.path)) is None:
                    forget_output(history, output.path)
                else:
                    forget_output(history, there)  # of one that was taken away from there
                    move_output(history, output.path, there)


def recording_of(row: sqlite3.Row) -> Recording:
    """Return the recording of a row of the table."""
    return Recording(
        id=row["id"],
        inbox=row["inbox"],
        path=Path(os.fsdecode(row["path"])),
        name=row["name"],
        size_bytes=row["size_bytes"],
        mtime_ns=row["mtime_ns"],
        inode=row["inode"],
        device=row["device"],
        job=row["job_id"],
        state=RecordingState(row["state"]),
        problem=row["problem"] or "",
        written_at=row["written_at"] or "",
        archived_at=row["archived_at"] or "",
        forgotten_at=row["forgotten_at"] or "",
        forgotten_by=row["forgotten_by"] or "",
        sent_to=row["sent_to"] or "",
    )


def filed_of(row: sqlite3.Row) -> Filed:
    """Return the recording and the work of a row that joins them."""
    work = None
    if row["job_id"] is not None:
        work = Work(
            id=row["job_id"],
            sha256=row["sha256"],
            profile=Profile.from_json(row["profile"]),
            state=JobState.WITHDRAWN if row["forgotten_at"] else JobState(row["job_state"]),
            attempts=row["attempts"],
            duration_ms=row["duration_ms"] or 0,
            model=row["model_name"] or "",
            model_is_builtin=bool(row["model_is_builtin"]),
            flags=_FLAGS.validate_json(row["flags"]),
            error_code=row["error_code"] or "",
            error_message=row["error_message"] or "",
            finished_at=row["finished_at"] or "",
            are_speakers_due=row["speakers"] == "due",
        )
    return Filed(recording_of(row), work)


def inbox_label(name: str) -> str:
    """Return what a person calls the inbox of that name."""
    return "(command line)" if name == COMMAND_LINE else name
