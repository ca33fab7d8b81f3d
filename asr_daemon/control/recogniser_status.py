"""The part of `status` about recognisers: each, and all of them as if they were one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from asr_daemon.dispatch.in_work import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.dispatch.in_work import SessionState

# Of several, which one's state stands for all.
ORDER = (Phase.WORKING, Phase.LOADING, Phase.IDLE, Phase.YIELDING, Phase.PAUSED, Phase.BLOCKED)


def recogniser_status(state: SessionState) -> dict[str, Any]:
    """Return how one of them stands."""
    return {
        "state": str(state.phase),
        "problem": state.reason,
        "model": state.model,
        "device": state.device,
        "pid": state.pid,
        "machine": state.machine,
        "load_ms": state.load_ms,
        "restarts": state.restarts,
        "memory_steps": dict(state.memory_steps),
    }


def recognisers_together(states: Sequence[SessionState]) -> dict[str, Any]:
    """Return all of them as if they were one: the one that stands for all, and the sums."""
    first = min(states, key=lambda state: ORDER.index(state.phase))
    steps: Counter[str] = Counter()
    for state in states:
        steps.update(state.memory_steps)
    return {
        **recogniser_status(first),
        "restarts": sum(state.restarts for state in states),
        "memory_steps": dict(steps),
    }
