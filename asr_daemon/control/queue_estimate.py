"""How long the queue will take, from the history and what is in work; see estimate.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.control.estimate import Ahead, Done, Estimate, Underway, estimate, rtfx_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from asr_daemon.history import History

RECENT_WORK = 100  # finished recordings that the estimate goes by


def queue_estimate(history: History, in_work: Iterable[Mapping[str, Any]], now: datetime) -> Estimate | None:
    """Return it; ``in_work`` as `status` has it. None where nothing waits, or too little is known."""
    ahead = [Ahead(row["job"], row["name"], row["size_bytes"]) for row in history.all("work_ahead")]
    if not ahead:
        return None
    underway = {
        work["job"]: Underway(work["duration_s"], work["recognised_s"], work["elapsed_s"]) for work in in_work
    }
    return estimate(ahead, underway, _done(history), now.timestamp())


def recent_rtfx(history: History) -> float | None:
    """Return the seconds of sound a second of the last work; None before anything was finished."""
    return rtfx_of(_done(history), (), 0.0)


def _done(history: History) -> list[Done]:
    return [
        Done(
            row["name"],
            row["size_bytes"],
            row["duration_ms"] / 1000,
            from_stamp(row["started_at"]).timestamp(),
            from_stamp(row["finished_at"]).timestamp(),
        )
        for row in history.all("work_done", limit=RECENT_WORK)
    ]
