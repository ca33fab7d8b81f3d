"""How many sessions there are for other machines, what they are called, and which of them are too many."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asr_daemon.config_cluster import ClusterSection
    from asr_daemon.dispatch.session import Session

NAME = "cluster#"


def wanted(section: ClusterSection | None, cards: int) -> int:
    """Return how many there are to be: one at least where there is a cluster, which says what is wrong."""
    if section is None:
        return 0
    return max(1, cards) if section.recognisers == "auto" else section.recognisers


def free_names(taken: Iterable[str], count: int) -> list[str]:
    """Return so many names that nobody has; none where the count is none, or below."""
    numbered = (f"{NAME}{number}" for number in itertools.count(1))
    there = set(taken)
    return list(itertools.islice((name for name in numbered if name not in there), max(0, count)))


def too_many(sessions: Mapping[str, Session], count: int) -> list[Session]:
    """Return which of those that have nothing in work may go, so that as many stay as are wanted.

    First those that have no recogniser, then the highest number. Who has something in work stays for now.
    """
    staying = [session for session in sessions.values() if not session.is_superfluous]
    idle = [session for session in staying if not session.state.in_work]
    idle.sort(key=lambda session: (session.state.is_loaded, -_number(session.state.name)))
    return idle[: max(0, len(staying) - count)]


def _number(name: str) -> int:
    return int(name.removeprefix(NAME))
