"""What the console's pages read of the history: lists, the queue, hours by day. Nothing is written."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.history.reading import state_of
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.history.term_stream import NO_LIMIT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from asr_daemon.history.connection import History

FORGOTTEN = "forgotten"  # cancelled, and its text deleted
# A state as people ask for it: that of the file, and that of its work where it narrows that down.
STATES: dict[str, tuple[RecordingState, JobState | None]] = {
    "waiting": (RecordingState.WAITING, None),
    "queued": (RecordingState.WAITING, JobState.QUEUED),
    "running": (RecordingState.WAITING, JobState.RUNNING),
    "done": (RecordingState.DONE, None),
    "failed": (RecordingState.FAILED, None),
    "quarantined": (RecordingState.FAILED, JobState.QUARANTINED),
    "cancelled": (RecordingState.CANCELLED, None),
    FORGOTTEN: (RecordingState.CANCELLED, None),
    "gone": (RecordingState.GONE, None),
    "superseded": (RecordingState.SUPERSEDED, None),
}
_LIKE, _ESCAPED = re.compile(r"([\\%_])"), r"\\\1"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which recordings are asked for; stamps are of when they were found."""

    inboxes: Collection[str]
    state: str | None = None  # one of STATES; None: whatever is in its place still
    since: str | None = None
    until: str | None = None
    text: str | None = None  # part of the name


@dataclass(frozen=True, slots=True)
class Row:
    """A recording in a list."""

    id: int
    inbox: str
    name: str
    path: Path
    state: str  # of its work, while it waits for it or where that failed
    found_at: str  # stamp
    written_at: str | None
    duration_ms: int | None
    error_code: str | None
    problem: str | None
    forgotten_at: str | None = None
    forgotten_by: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """What was transcribed on a day in an inbox."""

    day: str  # 2026-03-15
    inbox: str
    duration_ms: int


def browse(history: History, which: Filter, *, limit: int, before: int | None = None) -> list[Row]:
    """Return recordings, newest first; ``before``: only of smaller numbers.

    An unknown state has no recordings.
    """
    asked: dict[str, object] = {
        "before": before or NO_LIMIT,
        "inboxes": json.dumps(sorted(which.inboxes)),
        "since": which.since,
        "until": which.until,
        "text": f"%{_LIKE.sub(_ESCAPED, which.text)}%" if which.text else None,
        "limit": limit,
    }
    if which.state is None:
        return [_row(row) for row in history.all("browse", **asked)]
    if which.state not in STATES:
        return []
    state, job_state = STATES[which.state]
    forgotten = int(which.state == FORGOTTEN) if state is RecordingState.CANCELLED else None
    asked |= {"state": state, "job_state": job_state, "forgotten": forgotten}
    return [_row(row) for row in history.all("browse_in_state", **asked)]


def listed_rows(history: History, recordings: Collection[int]) -> list[Row]:
    """Return these recordings as they stand in a list, in no order."""
    rows = history.all("listed_rows", recordings=json.dumps(sorted(recordings)))
    return [_row(row) for row in rows]


def hours_by_day(history: History, inboxes: Collection[str], since: str) -> list[Hours]:
    """Return what was transcribed since a stamp."""
    rows = history.all("hours_by_day", inboxes=json.dumps(sorted(inboxes)), since=since)
    return [Hours(row["day"], row["inbox"], row["duration_ms"] or 0) for row in rows]


def _row(row: sqlite3.Row) -> Row:
    is_failure = row["state"] in (RecordingState.WAITING, RecordingState.FAILED)
    return Row(
        id=row["id"],
        inbox=row["inbox"],
        name=row["name"],
        path=Path(os.fsdecode(row["path"])),
        state=FORGOTTEN if row["forgotten_at"] else state_of(row),
        found_at=row["found_at"],
        written_at=row["written_at"],
        duration_ms=row["duration_ms"],
        error_code=row["error_code"] if is_failure else None,
        problem=(row["error_message"] if is_failure else None) or row["problem"],
        forgotten_at=row["forgotten_at"],
        forgotten_by=row["forgotten_by"] or "",
    )
