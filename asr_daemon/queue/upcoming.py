"""In which order recordings will be begun, as far as can be said now: by the rules of the claim itself.

Enters: the lines and the accounts. Leaves: the next few, what is before each, and those that wait for a time.
Nothing is changed. What comes later, or turns out longer than it looks, moves others back.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asr_daemon.clock import from_stamp
from asr_daemon.queue.fairness import choose

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from asr_daemon.history import History
    from asr_daemon.queue.fairness import Candidate
    from asr_daemon.queue.turns import Turns

Reason = Literal["turn", "hours", "again", "away"]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A recording that waits."""

    recording: int
    inbox: str
    reason: Reason
    before: int  # pieces of work that are begun before it
    before_ms: float  # of sound, in work or before it; only where it waits for its turn
    begins_at: datetime | None = None  # where it waits for a time
    is_urged: bool = False


def upcoming(
    history: History, turns: Turns, now: str, limit: int, away: Collection[str] = ()
) -> list[Upcoming]:
    """Return the next ones in their order, then those that wait for a time; at most ``limit`` of each."""
    with history.alone():  # looking is no change: a page that is told of one looks again
        turns.line.place()
        closed = turns.hours.closed()
        urged = turns.line.first(urged=True, now=now, limit=limit)
        others = turns.line.first(urged=False, now=now, closed=closed, away=away, limit=limit)
        found = list(_in_turn(urged + others, turns, limit))
        later = [
            Upcoming(row["recording_id"], row["inbox"], "again", 0, 0.0, from_stamp(row["not_before"]))
            for row in history.all("line_again", now=now, limit=limit)
        ]
        for inbox in {*closed, *away}:
            reason: Reason = "hours" if inbox in closed else "away"
            begins_at = turns.hours.begin_at(inbox)
            later += [
                Upcoming(row["recording_id"], inbox, reason, 0, 0.0, begins_at)
                for row in history.all("line_of_inbox", inbox=inbox, limit=limit)
            ]
    known = {one.recording for one in found}
    later = list({one.recording: one for one in later if one.recording not in known}.values())
    later.sort(key=lambda one: one.begins_at.timestamp() if one.begins_at else math.inf)
    return found + later[:limit]


def _in_turn(candidates: list[Candidate], turns: Turns, limit: int) -> Iterator[Upcoming]:
    """Yield the recordings that only wait for their turn, claim after claim."""
    lanes: dict[tuple[bool, str], deque[Candidate]] = defaultdict(deque)
    for one in sorted(candidates, key=lambda one: (one.turn_at, one.recording)):
        lanes[one.is_urged, one.inbox].append(one)
    lateness = turns.lateness({one.inbox for one in candidates})
    late_ms, before_ms = lateness.late_ms, sum(lateness.in_work_ms.values())
    in_a_row, begun = turns.screens_in_a_row, set[int]()
    for _ in range(limit):
        first = choose((lane[0] for lane in lanes.values() if lane), late_ms, in_a_row)
        if first is None:
            return
        lanes[first.is_urged, first.inbox].popleft()
        yield Upcoming(first.recording, first.inbox, "turn", len(begun), before_ms, is_urged=first.is_urged)
        if first.job not in begun:
            begun.add(first.job)
            before_ms += first.expected_ms
            late_ms[first.inbox] += first.expected_ms / lateness.accounts[first.inbox].rate
            in_a_row = in_a_row + 1 if first.is_urged else 0
