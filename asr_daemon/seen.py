"""What the daemon has seen and dealt with, so that a rescan passes over it at the cost of one look-up.

A hundred thousand finished recordings must not cost a hundred thousand questions to the history every minute.
Each is one 64-bit number: Python's keyed hash of its path, size and mtime. Two of 100,000 files meet by
chance once in four thousand million restarts, and the next restart sees both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from asr_daemon.inbox import Candidate


class SeenFiles:
    """The files of one inbox that need no further look while they stay as they are."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, candidate: Candidate) -> None:
        """Pass over that candidate from now on, until its size or mtime changes."""
        self._known.add(hash((str(candidate.path), *candidate.signature)))

    def discard(self, candidate: Candidate) -> None:
        """Look at that candidate again (its transcript was taken away, say)."""
        self._known.discard(hash((str(candidate.path), *candidate.signature)))

    def clear(self) -> None:
        """Look at everything again (the profile changed, say)."""
        self._known.clear()

    def is_known(self, path: str, found: os.stat_result) -> bool:
        """Return whether a scan may pass over that file; for :func:`~asr_daemon.inbox.scan`."""
        return hash((path, found.st_size, found.st_mtime_ns)) in self._known
