"""Whether the daemon does its work: what `healthcheck` asks, answered from what it knows already.

Nothing is looked at that might not answer (a share, the history): the question comes every half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.dispatch.in_work import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.daemon import Parts


@dataclass(frozen=True, slots=True)
class Health:
    """How it goes."""

    problems: tuple[str, ...]  # the worst first; none: all is well
    inboxes: int
    phase: str  # of the first recogniser that is not blocked


def health(parts: Parts) -> Health:
    """Return what keeps the daemon, or an inbox, from working."""
    inboxes = list(parts.intake.inboxes.values())
    phases = [state.phase for state in parts.dispatcher.serving]
    phase = next((phase for phase in phases if phase is not Phase.BLOCKED), Phase.BLOCKED)
    return Health(tuple(_problems(parts, phase)), len(inboxes), str(phase))


def _problems(parts: Parts, phase: Phase) -> Iterator[str]:
    for thread, age_s in parts.heartbeats.stuck().items():
        yield f"the thread {thread!r} has made no step for {age_s:.0f} s"
    if problem := parts.upkeep.state_problem:
        yield problem
    if phase is Phase.BLOCKED:
        reason = next((state.reason for state in parts.dispatcher.serving if state.reason), "")
        yield f"the queue waits: {reason or 'no recogniser works'}"
    if problem := parts.configuration.departments_problem:
        yield problem
    for watched in list(parts.intake.inboxes.values()):
        if problem := parts.inbox_problem(watched):
            yield f"inbox {watched.section.name!r}: {problem}"
