"""Why recordings wait, and when their turn comes: what `status` and the console show of the queue's next.

Enters: the running daemon. Leaves: rows. A time is an estimate, by the speed of the last work; it is not
known before anything was finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asr_daemon.clock import to_stamp
from asr_daemon.control.queue_estimate import recent_rtfx
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import HistoryUnavailableError
from asr_daemon.history.recordings import Recordings, inbox_label
from asr_daemon.queue.upcoming import upcoming

if TYPE_CHECKING:
    from collections.abc import Collection

    from asr_daemon.daemon import Parts
    from asr_daemon.queue.upcoming import Upcoming

SHOWN, SHOWN_LATER = 10, 5
LOOKED_AT = 200  # of which those are shown that somebody may see

# Its turn, its inbox's hours, another try after a failure, its share, `pause`, others on the card, no model.
Why = Literal["turn", "hours", "again", "away", "paused", "yielding", "blocked"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recording that waits."""

    recording: int
    inbox: str
    why: Why
    before: int  # pieces of work before it, where it waits for its turn
    begins_at: str | None  # stamp, where it waits for a time
    in_s: float | None  # about, until its turn


def waiting(parts: Parts, inboxes: Collection[str] | None = None) -> list[Waiting]:
    """Return the next in their order, then some that wait for a time; of these inboxes, where given."""
    jobs = parts.jobs
    limit = SHOWN if inboxes is None else LOOKED_AT
    away = parts.dispatcher.away()
    try:
        found = upcoming(parts.history, jobs.turns, parts.clock.stamp(), limit, away)
    except HistoryUnavailableError:  # nothing is begun then, and that is said elsewhere
        return []
    seen = [one for one in found if inboxes is None or one.inbox in inboxes]
    in_turn = [one for one in seen if one.reason == "turn"][:SHOWN]
    seen = in_turn + [one for one in seen if one.reason != "turn"][:SHOWN_LATER]
    rtfx = recent_rtfx(parts.history) if seen else None
    return [
        Waiting(
            one.recording,
            one.inbox,
            why := _why(parts, one),
            one.before,
            to_stamp(one.begins_at) if one.begins_at else None,
            round(one.before_ms / 1000 / rtfx, 1) if rtfx and why == "turn" else None,
        )
        for one in seen
    ]


def _why(parts: Parts, one: Upcoming) -> Why:
    if one.reason != "turn":
        return one.reason
    if parts.settings.is_paused:
        return "paused"
    phases = {state.phase for state in parts.dispatcher.serving}
    if phases == {Phase.BLOCKED}:
        return "blocked"
    if phases <= {Phase.BLOCKED, Phase.YIELDING} and not one.is_urged:
        return "yielding"
    return "turn"


def waiting_rows(parts: Parts) -> list[dict[str, Any]]:
    """Return the same as `status` has it."""
    recordings, rows = Recordings(parts.history, parts.clock), []
    for one in waiting(parts):
        filed = recordings.get(one.recording)
        if filed is None:
            continue
        rows.append(
            {
                "recording": one.recording,
                "inbox": inbox_label(one.inbox),
                "file": parts.config.shown_path(filed.recording.inbox, filed.recording.path),
                "why": one.why,
                "before": one.before,
                "begins_at": one.begins_at,
                "in_s": one.in_s,
            }
        )
    return rows


def turn_of_inbox(parts: Parts, inbox: str, weight: float, got_ms: float) -> dict[str, Any]:
    """Return an inbox's part, what it got of late, and its hours, as `status` has them."""
    hours = parts.jobs.turns.hours
    begin_at, end_at = hours.begin_at(inbox), hours.end_at(inbox)
    return {
        "weight": weight,
        "got_s": round(got_ms / 1000, 1),
        "hours": str(hours.of(inbox)),
        "hours_begin_at": to_stamp(begin_at) if begin_at else None,
        "hours_end_at": to_stamp(end_at) if end_at else None,
    }
