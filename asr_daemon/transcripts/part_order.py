"""Which recordings are parts of one: by their names, and by when each begins and ends.

Enters: recordings whose names share a family (:mod:`asr_daemon.transcripts.part_names`). Leaves: runs of
those that follow on each other, in order, and how many are missing between them. Nothing raises; the cost
grows with the number of recordings, not with its square.

When a part begins is what its name says, or its container; else it ends with its file's mtime, unless it was
copied without that. Where none tells, a part that was cut is as long, or as large, as recorders cut, and the
last one is shorter. Where these contradict each other the recordings stay apart: two meetings in one text are
worse than one in two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr_daemon.transcripts.part_names import PartName

NEAR_S = 30.0  # between the end of a part that looks cut and the begin of the next: closing 4 GB takes some
CLOSE_S = 5.0  # of any other: FAT counts in steps of 2 s; two memos in a row are two
MISSING_SLACK = 0.1  # of what is missing between two, whose length is only estimated
MOST_MISSING = 3  # parts in a row
MOST_PARTS = 100  # of one recording
MOST_S = 48 * 3600.0  # of it: no longer than a recording may be by default
EXPLICIT_GAP_S = 12 * 3600.0  # a pause between parts that say themselves that they are
FOUND_WITHIN_S = 300.0  # a file whose mtime is so near to when it was found may have got it by being copied
CUT_AT_S, CUT_WITHIN_S = 300.0, 3.0  # recorders cut at whole multiples of five minutes
EXACT_S, EXACT_WITHIN_S = (
    10.0,
    0.1,
)  # another length tells a clock if it is exact: of others two in a hundred are
CUT_AT_BYTES = ((0.95, 1 << 31), (0.88, 1 << 32), (0.95, 2 * 10**9))  # from that share of it
SAME_S = 1.0
TAILS = 8  # runs whose end is looked at for a recording: names counted in several ways


@dataclass(frozen=True, slots=True)
class Member:
    """A recording that may be a part. Seconds are those of the epoch."""

    id: int
    name: PartName
    sha256: str  # "": its content is not known
    size_bytes: int
    mtime_s: float
    found_s: float
    duration_s: float | None  # None: not recognised
    created_s: float | None = None  # as its container says: when it began, or ended; None: it does not say


@dataclass(slots=True)
class Run:
    """Recordings that follow on each other; ``missing[n]``: how many are missing before the nth."""

    members: list[Member] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    length_s: float = 0.0
    _by_length: list[bool] = field(default_factory=list)  # nothing but lengths speaks for the nth

    def add(self, member: Member, missing: int = 0, *, by_length: bool = False) -> None:
        """Put a member behind the others."""
        self.members.append(member)
        self.missing.append(missing)
        self._by_length.append(by_length)
        self.length_s += member.duration_s or 0.0

    def split(self) -> list[Run]:
        """Return the runs that are left when what only lengths speak for has no shorter end."""
        last, before = self.members[-1], self.members[-2] if len(self.members) > 1 else None
        if before is None or not self._by_length[-1]:
            return [self]
        if (last.duration_s or 0.0) < (before.duration_s or 0.0) - SAME_S:
            return [self]
        begin = len(self.members) - 1
        while begin and self._by_length[begin]:
            begin -= 1
        kept = Run(self.members[: begin + 1], self.missing[: begin + 1])
        return [kept, *(Run([each], [0]) for each in self.members[begin + 1 :])]


def runs_of(members: Iterable[Member]) -> list[Run]:
    """Return the members of one family in runs, many of one alone; a copy of another is in none."""
    whole = list(members)
    whole.sort(key=_by_number)
    if all(each.name.clock for each in whole):
        whole.sort(key=_by_clock)
    seen: set[str] = set()
    runs: list[Run] = []
    for member in whole:
        if member.sha256 and member.sha256 in seen:
            continue
        seen.add(member.sha256)
        _put(runs, member)
    return [part for run in runs for part in run.split()]


def _by_clock(member: Member) -> datetime:
    return member.name.clock or datetime.min  # noqa: DTZ901 (it has one)


def _by_number(member: Member) -> tuple[int, datetime, float, int]:
    return (member.name.number or 0, _by_clock(member), member.mtime_s, member.id)


def _put(runs: list[Run], member: Member) -> None:
    """Put a member behind the run that it follows on best, or begin another."""
    for run in reversed(runs[-TAILS:]):
        if len(run.members) >= MOST_PARTS or run.length_s + (member.duration_s or 0.0) > MOST_S:
            continue
        step = _step(run.members[-1], member)
        if step is None:
            continue
        told = _follows(run.members, member, step)
        if told is not None:
            missing, by_length = told
            run.add(member, missing, by_length=by_length)
            return
    run = Run()
    run.add(member)
    runs.append(run)


def _step(before: Member, after: Member) -> int | None:
    """Return how much further the number is, None where it is none of a following part."""
    one, other = before.name, after.name
    if one.number is None or other.number is None or (one.clock and one.number == other.number):
        return 1 if one.clock and other.clock and one.clock < other.clock else None
    is_bare = one.number == 0 and not one.digits and not one.is_explicit
    step = other.number - one.number - (1 if is_bare and other.number == 2 else 0)  # noqa: PLR2004 ("a", "a (2)")
    return step if 1 <= step <= 1 + MOST_MISSING else None


def _follows(run: Sequence[Member], after: Member, step: int) -> tuple[int, bool] | None:
    """Return how many parts are missing before one that follows, and whether lengths alone say that it does.

    None where it does not.
    """
    before = run[-1]
    missing_s = (step - 1) * (before.duration_s or 0.0)
    is_cut = _is_cut(run, after)
    near_s = NEAR_S if is_cut else CLOSE_S
    gap_s = _gap_by_names(before, after)
    if gap_s is None:
        gap_s = _gap_by_containers(before, after)
    if gap_s is None:
        gap_s = _gap_by_files(before, after)
    if gap_s is not None and abs(gap_s) <= min(near_s, abs(gap_s - missing_s)):
        return 0, False  # a number that is left out, for a photograph, is no part
    near_s += MISSING_SLACK * missing_s
    if gap_s is not None and abs(gap_s - missing_s) <= near_s:
        return step - 1, False
    if before.name.is_explicit and after.name.is_explicit:
        is_near = gap_s is None or -near_s <= gap_s <= missing_s + EXPLICIT_GAP_S
        return (step - 1, False) if is_near else None
    if gap_s is not None or not _is_no_longer(before, after):
        return None
    return (step - 1, True) if is_cut or _is_multiple(before.duration_s, EXACT_S, EXACT_WITHIN_S) else None


def _gap_by_names(before: Member, after: Member) -> float | None:
    """Return the seconds between the end of one and the begin of the other, by their names."""
    if before.name.clock is None or after.name.clock is None or before.duration_s is None:
        return None
    gap_s = (after.name.clock - before.name.clock).total_seconds() - before.duration_s
    error_s = before.name.clock_error_s + after.name.clock_error_s
    return 0.0 if abs(gap_s) <= error_s else gap_s


def _gap_by_containers(before: Member, after: Member) -> float | None:
    """Return the same by what their containers say, which copying leaves alone; None where they say nothing.

    Cameras write when a part began, telephones when it ended: the nearer is taken.
    """
    if None in (before.created_s, after.created_s, before.duration_s, after.duration_s):
        return None
    between_s = (after.created_s or 0.0) - (before.created_s or 0.0)
    if between_s <= 0:
        return None  # chapters of one recording may all say when that began
    return min((between_s - (each.duration_s or 0.0) for each in (before, after)), key=abs)


def _gap_by_files(before: Member, after: Member) -> float | None:
    """Return the same by their mtimes; None where those are of copying, or say nothing."""
    between_s = after.mtime_s - before.mtime_s
    may_be_copied = abs(after.found_s - after.mtime_s) < FOUND_WITHIN_S
    if after.duration_s is None:
        is_possible = before.duration_s is not None and 0 < between_s <= before.duration_s + NEAR_S
        return 0.0 if is_possible and not may_be_copied else None  # it is no longer than the one before
    gap_s = between_s - after.duration_s
    if may_be_copied:  # or a program records into the folder: then the next part begins at once
        return gap_s if abs(gap_s) <= CLOSE_S else None
    return None if gap_s < -NEAR_S else gap_s  # recorded in less time than it lasts: it was copied


def _is_cut(run: Sequence[Member], after: Member) -> bool:
    """Whether the last of a run looks as if a recorder had cut it: by itself, or as long as a neighbour."""
    last = run[-1]
    if any(share * limit <= last.size_bytes <= 1.005 * limit for share, limit in CUT_AT_BYTES):
        return True
    if last.duration_s is None:
        return False
    if _is_multiple(last.duration_s, CUT_AT_S, CUT_WITHIN_S):
        return True
    beside = (after.duration_s, run[-2].duration_s if len(run) > 1 else None)
    return any(each is not None and abs(each - last.duration_s) <= SAME_S for each in beside)


def _is_multiple(duration_s: float | None, each_s: float, within_s: float) -> bool:
    if duration_s is None or duration_s <= each_s - within_s:
        return False
    return abs(duration_s - each_s * round(duration_s / each_s)) <= within_s


def _is_no_longer(before: Member, after: Member) -> bool:
    if before.duration_s is None or after.duration_s is None:
        return True
    return after.duration_s <= before.duration_s + CUT_WITHIN_S
