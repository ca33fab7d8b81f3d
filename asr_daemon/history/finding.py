"""A search that costs what it shows: newest first, and no further back than the page needs.

Enters: terms (:func:`~asr_daemon.history.search.match_terms`) and the inboxes that may be read. Leaves:
recordings that hold all of the terms, each with its passages. Nothing is counted or ranked: the full-text
index is read backwards from the latest segment, recording by recording. What people corrected is in the index
behind all segments, so those recordings come first; what they corrected away is not found. What would take
long ends in time, with a mark from where it goes on. Fails as the history does.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.history.term_stream import NO_LIMIT, JobRange, Said, TermStream

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from asr_daemon.history.connection import History

MARK = r"s(?P<term>\d{1,2})\.(?P<segment>\d{1,18})|r(?P<recording>\d{1,18})"
FEW_RECORDINGS = 3000  # of inboxes: these are asked one by one for a word that is common elsewhere


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """A recording that holds all the terms, with the passages that hold all of them, or the best for each."""

    id: int
    inbox: str
    name: str
    path: Path
    found_at: str  # stamp
    passages: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """What was found; ``mark`` is where to go on, "" where everything was looked at."""

    recordings: tuple[FoundRecording, ...]
    mark: str


def find_recordings(
    history: History,
    terms: Sequence[str],
    inboxes: Collection[str] | None,
    *,
    limit: int,
    mark: str = "",
    within_s: float | None = None,
) -> FoundPage:
    """Return recordings that hold all the terms: the latest corrected, then the latest recognised first.

    ``limit``: no further recording is begun once so many are there. ``within_s``: nor after that time, in
    seconds. Raises ``ValueError`` where ``mark`` is none.
    """
    until_s = None if within_s is None else time.monotonic() + within_s
    search = _Search(history, terms, None if inboxes is None else json.dumps(sorted(inboxes)))
    found: list[FoundRecording] = []
    at = ""
    for at, recordings in search.walk(mark):
        found.extend(recordings)
        if len(found) >= limit or (until_s is not None and time.monotonic() > until_s):
            return FoundPage(tuple(found), at)
    return FoundPage(tuple(found), "")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a search goes on: below a place of a term, or (no term) below a recording."""

    term: int | None
    before: int

    @classmethod
    def read(cls, text: str, terms: int) -> _Mark | None:
        """Return it, None for a search that begins; raises ``ValueError`` where it is none."""
        if not text:
            return None
        match = re.fullmatch(MARK, text)
        if match is None or (match["term"] and int(match["term"]) >= terms):
            raise ValueError(f"no mark of a search: {text}")
        if match["recording"]:
            return cls(None, int(match["recording"]))
        return cls(int(match["term"]), int(match["segment"]))


class _Search:
    """One search; yields what it found behind a mark, step by step."""

    def __init__(self, history: History, terms: Sequence[str], inboxes: str | None) -> None:
        self._history, self._inboxes = history, inboxes
        self._streams = [TermStream(history, term) for term in terms]

    def walk(self, mark: str) -> Iterator[tuple[str, list[FoundRecording]]]:
        """Yield, step by step, from where it would go on, and the recordings that were found."""
        at = _Mark.read(mark, len(self._streams))
        row = self._history.one("newest_segment")
        newest = (row["id"] if row else None) or 0
        from_here = newest + 1 if at is None or at.term is None else min(newest + 1, at.before)
        for stream in self._streams:
            stream.begin(from_here)
        leading = min(range(len(self._streams)), key=lambda place: self._streams[place].commonness)
        if at is not None and at.term is not None:
            leading = at.term  # the order is that of its places: another would show some twice
        if at is not None and at.term is None:
            yield from self._by_recordings(at.before)
        elif at is None and self._streams[leading].is_common and self._are_few():
            yield from self._by_recordings(NO_LIMIT)
        else:
            yield from self._by_corrections(leading, NO_LIMIT if at is None else at.before)
            yield from self._by_index(leading, from_here)

    # ------------------------------------------------------------------ by what people corrected

    def _by_corrections(self, place: int, began: int) -> Iterator[tuple[str, list[FoundRecording]]]:
        seen: set[int] = set()
        leading, at = self._streams[place], began
        while hits := leading.corrected_before(at):
            for at, recording in hits:
                if recording not in seen:
                    seen.add(recording)
                    yield f"s{place}.{at}", self._of_corrected(recording, leading, began)

    def _of_corrected(self, recording: int, leading: TermStream, began: int) -> list[FoundRecording]:
        row = self._history.one("job_of_corrected", id=recording)
        if row is None or any(said.segment >= began for said in leading.corrected(recording)):
            return []  # gone, or on an earlier page
        files = self._history.all("files_of_job", job=row["job"], inboxes=self._inboxes)
        lies = self._range(row["job"])
        return [found for each in files if each["id"] == recording for found in self._in_force(each, lies)]

    # ------------------------------------------------------------------ by the index, backwards

    def _by_index(self, place: int, began: int) -> Iterator[tuple[str, list[FoundRecording]]]:
        seen: set[int] = set()
        leading = self._streams[place]
        for hits in leading.rows():
            for hit in hits:
                if hit.job not in seen:
                    seen.add(hit.job)
                    yield f"s{place}.{hit.segment}", self._of_job(hit.job, leading, began)

    def _of_job(self, job: int, leading: TermStream, began: int) -> list[FoundRecording]:
        files = self._history.all("files_of_job", job=job, inboxes=self._inboxes)
        if not files:
            return []
        lies = self._range(job)
        if lies.last >= began and leading.look(JobRange(job, began, lies.last)):
            return []  # it was on an earlier page
        known = [row["id"] for row in files if row["revision"] and leading.corrected(row["id"])]
        return self._fitting([row for row in files if row["id"] not in known], lies)

    # ------------------------------------------------------------------ by the recordings of few inboxes

    def _are_few(self) -> bool:
        if self._inboxes is None:
            return False
        row = self._history.one("count_up_to", inboxes=self._inboxes, limit=FEW_RECORDINGS + 1)
        return row is not None and row["recordings"] <= FEW_RECORDINGS

    def _by_recordings(self, before: int) -> Iterator[tuple[str, list[FoundRecording]]]:
        for row in self._history.all("jobs_of_inboxes", inboxes=self._inboxes, before=before):
            files = self._history.all("files_of_job", job=row["job"], inboxes=self._inboxes)
            yield f"r{row['recording']}", self._fitting(files, self._range(row["job"]))

    # ------------------------------------------------------------------ one text

    def _range(self, job: int) -> JobRange:
        row = self._history.one("range_of_job", job=job)
        return JobRange(job, row["first"] or 0, row["last"] or 0) if row else JobRange(job, 0, 0)

    def _fitting(self, files: Sequence[sqlite3.Row], lies: JobRange) -> list[FoundRecording]:
        found = [one for row in files if row["revision"] for one in self._in_force(row, lies)]
        as_recognised = [row for row in files if not row["revision"]]
        by_term = [stream.said(lies) for stream in self._streams] if as_recognised else []
        return sorted(
            [*found, *(one for row in as_recognised for one in _found(row, by_term))],
            key=lambda one: one.id,
            reverse=True,
        )

    def _in_force(self, row: sqlite3.Row, lies: JobRange) -> list[FoundRecording]:
        """Return a corrected recording if the terms stand in its text in force."""
        gone = [
            range(each["first"], each["last"] + 1)
            for each in self._history.all("corrected_stretches", recording=row["id"])
        ]
        by_term = [
            [said for said in stream.said(lies) if not any(said.number in each for each in gone)]
            + stream.corrected(row["id"])
            for stream in self._streams
        ]
        return _found(row, by_term)


def _found(row: sqlite3.Row, by_term: Sequence[Sequence[Said]]) -> list[FoundRecording]:
    """Return the recording, if every term stands in it."""
    if not all(by_term):
        return []
    path = Path(os.fsdecode(row["path"]))
    return [FoundRecording(row["id"], row["inbox"], row["name"], path, row["found_at"], _best(by_term))]


def _best(by_term: Sequence[Sequence[Said]]) -> tuple[Said, ...]:
    """Return the passages that hold all the terms; where there is none, for each the one that holds most."""
    words = Counter(said.segment for each in by_term for said in each)
    shown = {said.segment: said for each in by_term for said in each}
    most = max(words.values())
    if most == len(by_term):
        chosen = [shown[segment] for segment, count in words.items() if count == most]
    else:
        best = [min(each, key=lambda said: (-words[said.segment], said.segment)) for each in by_term]
        chosen = list({said.segment: said for said in best}.values())
    return tuple(sorted(chosen, key=lambda said: (said.start_ms, said.segment)))
