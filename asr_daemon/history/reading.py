"""Looking back: what commands and the gateway read of the history, row by typed row. Nothing is written."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.history.finding import find_recordings
from asr_daemon.history.in_force import corrected_at
from asr_daemon.history.recordings import filed_of
from asr_daemon.history.said import segments_near, speaking_in
from asr_daemon.history.search import mentions
from asr_daemon.history.segments import hotwords_of
from asr_daemon.history.states import JobState, RecordingState

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Collection, Iterator, Sequence

    from asr_daemon.history.connection import History
    from asr_daemon.history.finding import FoundRecording
    from asr_daemon.hotwords.hits import Hit

PAGE = 500  # recordings in memory at a time
WAITING_TO_BE_WRITTEN = "waiting to be written"


@dataclass(frozen=True, slots=True)
class Which:
    """Which recordings are asked for."""

    inboxes: Collection[str] | None = None
    state: str | None = None
    since: str | None = None  # a stamp


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording in a list."""

    id: int
    inbox: str
    name: str
    path: Path
    state: str  # of its work, while it waits for it
    found_at: str  # stamp
    written_at: str | None
    duration_ms: int | None
    model: str | None
    attempts: int | None
    error_code: str | None
    problem: str | None
    sha256: str | None
    hotwords: Counter[Hit]
    is_archived: bool = False  # then its path is that in the archive


@dataclass(frozen=True, slots=True)
class Place:
    """A passage that a search found."""

    recording: int
    inbox: str
    name: str
    start_ms: int
    end_ms: int
    text: str
    path: Path
    speaker: str = ""  # who says it; "" where nobody asked


def newest(history: History, which: Which, *, limit: int, before: int | None = None) -> list[Entry]:
    """Return recordings, newest first; ``before``: only of smaller numbers."""
    asked = {"inboxes": _names(which.inboxes), "state": which.state, "since": which.since, "limit": limit}
    rows = (
        history.all("history", **asked)
        if before is None
        else history.all("history_before", before=before, **asked)
    )
    return [_entry(history, row) for row in rows]


def each(history: History, which: Which, limit: int | None = None) -> Iterator[Entry]:
    """Yield all the recordings, or as many as the limit says, a page in memory at a time."""
    before, left = None, limit
    while left is None or left > 0:
        page = newest(history, which, limit=PAGE if left is None else min(PAGE, left), before=before)
        if not page:
            return
        yield from page
        before = page[-1].id
        left = None if left is None else left - len(page)


def places(
    history: History,
    terms: Sequence[str],
    inboxes: Collection[str] | None,
    *,
    limit: int,
    speaker: str | None = None,
) -> list[Place]:
    """Return where terms (see :func:`~asr_daemon.history.search.match_terms`) stand, newest recordings first.

    A recording holds all of them: its passages that hold all are returned, or the best one for each term.
    ``speaker``: only what somebody of that name says.
    """
    found: list[Place] = []
    mark, is_begun = "", False
    while len(found) < limit and (mark or not is_begun):
        page, is_begun = find_recordings(history, terms, inboxes, limit=limit, mark=mark), True
        mark = page.mark
        for each in page.recordings:
            found += [place for place in _places_of(history, each, terms) if speaker in (None, place.speaker)]
    return found[:limit]


def _places_of(history: History, found: FoundRecording, terms: Sequence[str]) -> Iterator[Place]:
    """Yield the passages of a recording, cut where the speaker changes: those parts that hold a term."""
    speaking = speaking_in(history, found.passages[0].job, found.inbox)  # they are of one job
    for said in found.passages:
        place = Place(found.id, found.inbox, found.name, said.start_ms, said.end_ms, said.text, found.path)
        if speaking is None or said.speaker:
            yield replace(place, speaker=said.speaker or "")
        else:
            if said.is_corrected:
                row = history.one("get_recording", recording=found.id)
                parts = (
                    () if row is None else corrected_at(history, filed_of(row), said.start_ms, said.end_ms)
                )
            else:
                parts = speaking.cut(segments_near(history, said.job, said.start_ms, said.end_ms))
            if not parts:
                yield place
            for part in [part for part in parts if mentions(part.text, terms)] or parts:
                yield replace(
                    place, start_ms=part.start_ms, end_ms=part.end_ms, text=part.text, speaker=part.speaker
                )


def _names(inboxes: Collection[str] | None) -> str | None:
    return None if inboxes is None else json.dumps(sorted(inboxes))


def state_of(row: sqlite3.Row) -> str:
    """Return how a recording stands: its work's state while that is waited for, or failed."""
    is_jobs = row["state"] in (RecordingState.WAITING, RecordingState.FAILED) and row["job_state"]
    state = str(row["job_state"] if is_jobs else row["state"])
    if row["state"] == RecordingState.WAITING and state == JobState.DONE:
        return WAITING_TO_BE_WRITTEN
    return state


def _entry(history: History, row: sqlite3.Row) -> Entry:
    return Entry(
        id=row["id"],
        inbox=row["inbox"],
        name=row["name"],
        path=Path(os.fsdecode(row["path"])),
        state=state_of(row),
        found_at=row["found_at"],
        written_at=row["written_at"],
        duration_ms=row["duration_ms"],
        model=row["model_name"],
        attempts=row["attempts"],
        error_code=row["error_code"],
        problem=row["error_message"] or row["problem"],
        sha256=row["sha256"],
        hotwords=hotwords_of(history, row["job_id"]),
        is_archived=bool(row["archived_at"]),
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a job."""

    number: int
    recogniser: str  # "" of an older release
    started_at: str  # stamp
    ended_at: str  # "" while it goes on
    error_code: str  # "" where it went well
    error_message: str
    evidence: str  # ffmpeg's words, a traceback: for the administrator


def attempts_of(history: History, job: int) -> list[Attempt]:
    """Return what was tried, oldest first."""
    return [
        Attempt(
            row["number"],
            row["recogniser"] or "",
            row["started_at"],
            row["ended_at"] or "",
            row["error_code"] or "",
            row["error_message"] or "",
            row["evidence"] or "",
        )
        for row in history.all("attempts_of_job", job=job)
    ]
