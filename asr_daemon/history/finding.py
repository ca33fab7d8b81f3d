"""A search that costs what it shows: newest first, and no further back than the page needs.

Enters: terms (:func:`~asr_daemon.history.search.match_terms`) and the inboxes that may be read. Leaves:
recordings that hold all of the terms, each with its passages. Nothing is counted or ranked: the full-text
index is read backwards from the latest segment, recording by recording. What would take long ends in time,
with a mark from where it goes on. Fails as the history does.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from asr_daemon.history.connection import History

BATCH = 200  # segments that are looked up at a time
FEW_RECORDINGS = 3000  # of inboxes: these are asked one by one for a word that is common elsewhere
NO_LIMIT = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Said:
    """A passage that holds a term."""

    segment: int
    start_ms: int
    end_ms: int
    text: str


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
    """Return recordings that hold all the terms, the latest recognised first.

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
class _Range:
    job: int
    first: int
    last: int


class _Search:
    """One search; yields what it found behind a mark, step by step."""

    def __init__(self, history: History, terms: Sequence[str], inboxes: str | None) -> None:
        self._history, self._terms, self._inboxes = history, terms, inboxes

    def walk(self, mark: str) -> Iterator[tuple[str, list[FoundRecording]]]:
        """Yield, text by text, from where it would go on, and the recordings of that text that fit."""
        kind, before = (mark[0], int(mark[1:])) if mark else ("", NO_LIMIT)
        if kind not in ("", "s", "r"):
            raise ValueError(f"no mark of a search: {mark}")
        leading, is_common = self._leading(before if kind == "s" else NO_LIMIT)
        if kind == "r" or (kind == "" and is_common and self._are_few()):
            yield from self._by_recordings(before)
        else:
            yield from self._by_index(leading, before)

    # ------------------------------------------------------------------ by the index, backwards

    def _leading(self, before: int) -> tuple[str, bool]:
        """Return the rarest term, as far as that shows soon, and whether it is common."""
        depths = []
        for place, term in enumerate(self._terms):
            rows = self._history.all("said_before", term=term, before=before, limit=BATCH)
            depths.append((len(rows) == BATCH, rows[-1]["segment"] if rows else 0, place))
        is_common, _, place = min(depths)
        return self._terms[place], is_common

    def _by_index(self, term: str, before: int) -> Iterator[tuple[str, list[FoundRecording]]]:
        began, seen = before, set()
        while rows := self._history.all("said_before", term=term, before=before, limit=BATCH):
            for row in rows:
                before = row["segment"]
                if row["job"] not in seen:
                    seen.add(row["job"])
                    yield f"s{before}", self._of_job(row["job"], term, began)
            if len(rows) < BATCH:
                return

    def _of_job(self, job: int, term: str, began: int) -> list[FoundRecording]:
        files = self._history.all("files_of_job", job=job, inboxes=self._inboxes)
        if not files:
            return []
        lies = self._range(job)
        if lies.last >= began and self._said(term, _Range(job, began, lies.last)):
            return []  # it was on an earlier page
        return self._fitting(files, lies)

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

    def _range(self, job: int) -> _Range:
        row = self._history.one("range_of_job", job=job)
        return _Range(job, row["first"] or 0, row["last"] or 0) if row else _Range(job, 0, 0)

    def _said(self, term: str, lies: _Range) -> list[Said]:
        rows = self._history.all("said_in_job", term=term, job=lies.job, first=lies.first, last=lies.last)
        return [Said(row["segment"], row["start_ms"], row["end_ms"], row["text"]) for row in rows]

    def _fitting(self, files: Sequence[sqlite3.Row], lies: _Range) -> list[FoundRecording]:
        by_term = []
        for term in self._terms:
            said = self._said(term, lies)
            if not said:
                return []
            by_term.append(said)
        passages = _best(by_term)
        return [
            FoundRecording(
                row["id"],
                row["inbox"],
                row["name"],
                Path(os.fsdecode(row["path"])),
                row["found_at"],
                passages,
            )
            for row in files
        ]


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
