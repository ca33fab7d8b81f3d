"""How live captions stand, for `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asr_daemon.daemon import Parts


def live_sessions(parts: Parts) -> dict[str, Any]:
    """Return the sessions that are open, and how many may be."""
    now_s = parts.clock.monotonic_s()
    return {
        "most": parts.dispatcher.live.most,
        "sessions": [
            {
                "session": work.number,
                "inbox": work.inbox,
                "recogniser": state.name,
                "elapsed_s": round(now_s - work.began_s, 1),
            }
            for state in parts.dispatcher.states
            for work in list(state.live.values())
        ],
    }
