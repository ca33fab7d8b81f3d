"""Where one term of a search stands, read backwards from the latest segment, step by step.

What was read is kept by job, for those who ask for the same stretch. A step costs what it brings, but for a
phrase that is rare though its characters are common: SQLite looks through all the places of those.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from asr_daemon.history.connection import History

BATCH = 100  # places that are read at a time
NO_LIMIT = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Said:
    """A passage that holds a term."""

    segment: int
    job: int
    number: int  # of the segment within its job
    start_ms: int
    end_ms: int
    text: str
    speaker: str = ""  # by hand
    is_corrected: bool = False


@dataclass(frozen=True, slots=True)
class JobRange:
    """Between which numbers the segments of a job lie; those of others may lie between them."""

    job: int
    first: int
    last: int


class TermStream:
    """The places of a term. Everything from ``low`` up to where reading began is known."""

    def __init__(self, history: History, term: str) -> None:
        self._history, self._term = history, term
        self._high = self.low = self._first_low = 0
        self._by_job: dict[int, list[Said]] = defaultdict(list)
        self._first: list[Said] = []

    def begin(self, before: int) -> None:
        """Read the first step of what lies below a segment."""
        self._high = self.low = before
        self._first = self._read()
        self._first_low = self.low

    @property
    def is_common(self) -> bool:
        """Whether the first step brought as much as a step can."""
        return len(self._first) == BATCH

    @property
    def commonness(self) -> tuple[int, int]:
        """How common the term is, as far as the first step shows: to be compared."""
        return len(self._first), self.low if self.is_common else 0

    def rows(self) -> Iterator[list[Said]]:
        """Yield every step, the first one again; some are empty."""
        yield self._first
        while self.low > 0:
            yield self._read()

    def said(self, lies: JobRange) -> list[Said]:
        """Return where the term stands in a job."""
        if lies.last >= self._high or self._expected(lies.first) > BATCH:  # to ask for it alone is cheaper
            return self.look(lies)
        while self.low > lies.first:
            self._read(lies.first)
        return self._by_job.get(lies.job, [])

    def _expected(self, down_to: int) -> float:
        """Return how many places lie between here and there, if they lie as densely as those before."""
        return len(self._first) * (self.low - down_to) / max(1, self._high - self._first_low)

    def look(self, lies: JobRange) -> list[Said]:
        """Return the same, from the index alone."""
        rows = self._history.all(
            "said_in_job", term=self._term, job=lies.job, first=lies.first, last=lies.last
        )
        return list(map(_said, rows))

    def corrected_before(self, before: int) -> list[tuple[int, int]]:
        """Return the next places in what people corrected: a number in the index, and its recording's."""
        rows = self._history.all("corrected_before", term=self._term, before=before, limit=BATCH)
        return [(row["number"], row["recording"]) for row in rows]

    def corrected(self, recording: int) -> list[Said]:
        """Return where the term stands in what people corrected in a recording."""
        rows = self._history.all("said_in_corrected", term=self._term, recording=recording)
        return list(map(_corrected, rows))

    def _read(self, floor: int = 0) -> list[Said]:
        rows = self._history.all("said_before", term=self._term, before=self.low, floor=floor, limit=BATCH)
        found = list(map(_said, rows))
        for said in found:
            self._by_job[said.job].append(said)
        self.low = found[-1].segment if len(found) == BATCH else floor
        return found


def _said(row: sqlite3.Row) -> Said:
    return Said(row["segment"], row["job"], row["number"], row["start_ms"], row["end_ms"], row["text"])


def _corrected(row: sqlite3.Row) -> Said:
    return replace(_said(row), speaker=row["speaker"] or "", is_corrected=True)
