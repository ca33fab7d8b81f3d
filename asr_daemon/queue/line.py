"""Who waits: the queue's index, made anew whenever the history is opened, and right after every change.

A row for each recording whose job is queued, in the order of its inbox's line. It lies in SQLite's temporary
database, which belongs to the connection: triggers keep it (a history itself holds none: shape.py), rolling
back takes it along, and it is gone with the connection. Where in its line a recording is, is found out when
somebody asks for the line (:meth:`Line.place`): its length has to be estimated for that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.queue.fairness import Candidate
from asr_daemon.queue.lengths import Lengths

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator

    from asr_daemon.history import History

LEARNT_FROM = 200  # finished recordings
LEARN_AGAIN = 500  # recordings that were placed since
CACHE_KIB = 16_384  # some hundred thousand rows; more goes to a temporary file

_INTO = "INSERT INTO queue_line (recording_id, job_id, inbox, lies_in, is_urged, size_bytes)"
_SELECT = (
    " SELECT recordings.id, jobs.id, coalesce(recordings.sent_to, recordings.inbox), recordings.inbox,"
    " jobs.priority < 0, recordings.size_bytes FROM jobs JOIN recordings ON recordings.job_id = jobs.id"
    " WHERE jobs.state = 'queued' AND recordings.state = 'waiting'"
)
_TABLE = """
    CREATE TEMP TABLE IF NOT EXISTS queue_line (
        recording_id INTEGER PRIMARY KEY,
        job_id INTEGER NOT NULL,
        inbox TEXT NOT NULL,       -- whose people wait for it
        lies_in TEXT NOT NULL,     -- the inbox that the file lies in, '' for none
        is_urged INTEGER NOT NULL, -- 1: somebody waits at a screen
        size_bytes INTEGER NOT NULL,
        expected_ms INTEGER,       -- NULL: not placed yet
        turn_at REAL               -- seconds; the smaller, the sooner
    ) STRICT
"""
_INDEXES = {
    "queue_line_in_order": "(is_urged, inbox, turn_at, recording_id, size_bytes, lies_in, job_id)",
    "queue_line_by_job": "(job_id)",
    "queue_line_unplaced": "(recording_id) WHERE turn_at IS NULL",
}
_LEAVE_RECORDING = "DELETE FROM queue_line WHERE recording_id = OLD.id; "
_ENTER_RECORDING = f"{_INTO}{_SELECT} AND recordings.id = NEW.id;"
_LEAVE_JOB = "DELETE FROM queue_line WHERE job_id = NEW.id; "
_ENTER_JOB = f"{_INTO}{_SELECT} AND jobs.id = NEW.id;"
_TRIGGERS = {
    "queue_line_found": (
        "AFTER INSERT ON main.recordings WHEN NEW.state = 'waiting'",
        _ENTER_RECORDING,
    ),
    "queue_line_moved": (
        "AFTER UPDATE OF state, job_id, inbox, sent_to, size_bytes ON main.recordings"  # noqa: ISC004
        " WHEN OLD.state = 'waiting' OR NEW.state = 'waiting'",
        _LEAVE_RECORDING + _ENTER_RECORDING,
    ),
    "queue_line_gone": ("AFTER DELETE ON main.recordings", _LEAVE_RECORDING),
    "queue_line_job": (
        "AFTER UPDATE OF state, priority ON main.jobs WHEN OLD.state = 'queued' OR NEW.state = 'queued'",
        _LEAVE_JOB + _ENTER_JOB,
    ),
}


def _shape() -> Iterator[str]:
    """Yield what makes the line of a history, and fills it."""
    yield f"PRAGMA temp.cache_size = -{CACHE_KIB}"
    yield _TABLE
    for name, what in _INDEXES.items():
        yield f"CREATE INDEX IF NOT EXISTS temp.{name} ON queue_line {what}"
    for name, (when, then) in _TRIGGERS.items():
        yield f"CREATE TEMP TRIGGER IF NOT EXISTS {name} {when} BEGIN {then} END"
    yield "DELETE FROM queue_line"
    yield _INTO + _SELECT


class Line:
    """The lines of all inboxes."""

    def __init__(self, history: History, ageing: Callable[[str], float]) -> None:
        """``ageing(inbox)``: how many times its own length a recording is overtaken for, by shorter ones."""
        self._history = history
        self._ageing = ageing
        self._lengths = Lengths()
        self._placed = LEARN_AGAIN
        for statement in _shape():  # no transaction: the disk of the history may be full, or read-only
            history.db.execute(statement)

    def place_anew(self) -> None:
        """Forget every place: what inboxes wish has changed."""
        self._history.run("line_unplace")

    def place(self) -> None:
        """Find the place of what came since."""
        if self._history.one("line_unplaced") is None:
            return
        with self._history.transaction() as history:
            if self._placed >= LEARN_AGAIN:
                done = history.all("work_done", limit=LEARNT_FROM)
                self._lengths.learn((row["name"], row["size_bytes"], row["duration_ms"]) for row in done)
                self._placed = 0
            for row in history.all("line_unplaced"):
                whole_ms = self._lengths.expected_ms(row["name"], row["size_bytes"])
                left_ms = max(1000, whole_ms - row["charged_ms"])
                turn_at = from_stamp(row["queued_at"]).timestamp() + (
                    self._ageing(row["inbox"]) * left_ms / 1000
                )
                history.run("line_place", recording=row["recording_id"], expected_ms=left_ms, turn_at=turn_at)
                self._placed += 1

    def inboxes(self) -> list[str]:
        """Return the inboxes that have something in their line."""
        return [row["inbox"] for row in self._history.all("line_inboxes")]

    def first(
        self,
        *,
        urged: bool,
        now: str,
        closed: Collection[str] = (),
        away: Collection[str] = (),
        fresh_only: bool = False,
        above_bytes: int = -1,
        most_bytes: int | None = None,
        limit: int = 1,
    ) -> list[Candidate]:
        """Return the first of each inbox that may be begun now (``limit``: the first few), in no order.

        ``closed`` names inboxes outside their hours, which hold up nobody at a screen; ``away`` those whose
        share is gone (what was sent to them lies elsewhere); ``fresh_only`` leaves out suspects,
        ``most_bytes`` larger files, ``above_bytes`` all that are not larger.
        """
        rows = self._history.all(
            "line_first",
            urged=int(urged),
            now=now,
            closed=json.dumps([] if urged else sorted({*closed, *away})),
            away=json.dumps(sorted(away)),
            fresh_only=int(fresh_only),
            above_bytes=above_bytes,
            most_bytes=most_bytes,
            limit=limit,
        )
        return [_candidate(row, urged=urged) for row in rows]

    def overdue_suspect(
        self,
        before: str,
        away: Collection[str],
        closed: Collection[str],
        above_bytes: int = -1,
        most_bytes: int | None = None,
    ) -> Candidate | None:
        """Return a suspect of that size that has been due since then, and may be begun."""
        row = self._history.one(
            "line_overdue_suspect",
            before=before,
            away=json.dumps(sorted(away)),
            closed=json.dumps(sorted(closed)),
            above_bytes=above_bytes,
            most_bytes=most_bytes,
        )
        return None if row is None else _candidate(row, urged=False, suspect=True)


def _candidate(row: sqlite3.Row, *, urged: bool, suspect: bool = False) -> Candidate:
    return Candidate(
        row["recording_id"],
        row["job_id"],
        row["inbox"],
        row["expected_ms"] or 1000,
        row["turn_at"] or 0.0,
        is_urged=urged,
        is_suspect=suspect,
    )
