"""What the daemon has seen and dealt with, so that a rescan passes over it at the cost of one look-up.

A hundred thousand finished recordings must not cost a hundred thousand questions to the history every minute.
Each is two 64-bit numbers: Python's keyed hashes of its path, and of its size and mtime. Two of 100,000 paths
meet by chance once in four thousand million restarts, and the next restart sees both.

Only the newest look of a path counts, and a path that a whole scan did not meet is forgotten: what was taken
away and is put back later is a new file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.inboxes.candidate import mtime_of, restless_signature_of

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from asr_daemon.inboxes.candidate import Candidate


class SeenFiles:
    """The recordings of one inbox that need no further look while they stay as they are."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._met: dict[int, int] | None = None  # while a whole scan goes on

    def __len__(self) -> int:
        return len(self._known) + len(self._met or ())

    def add(self, candidate: Candidate) -> None:
        """Pass over that candidate from now on, until its size or mtime changes."""
        self._known[hash(str(candidate.path))] = hash(self._signature(candidate))

    def add_look(self, path: str, size_bytes: int, mtime_ns: int) -> None:
        """Pass over the file of that path while it looks like that."""
        self._known[hash(path)] = hash((size_bytes, mtime_ns))

    def forget(self, path: Path) -> None:
        """Look at whatever lies at that path (what lay there is gone, say)."""
        number = hash(str(path))
        self._known.pop(number, None)
        if self._met is not None:
            self._met.pop(number, None)

    def is_known(self, path: str, found: os.stat_result) -> bool:
        """Return whether a scan may pass over that file; for :func:`~asr_daemon.inboxes.scan.scan`."""
        number, met = hash(path), self._met
        if met is None:
            signature = self._known.get(number)
        else:
            signature = self._known.pop(number, None)
            if signature is None:
                signature = met.get(number)
            else:
                met[number] = signature
        if signature is None or signature == hash((found.st_size, found.st_mtime_ns)):  # nearly always
            return signature is not None
        return signature == hash(self._signature_of(found))

    @staticmethod
    def _signature(candidate: Candidate) -> tuple[int, ...]:
        return candidate.signature

    @staticmethod
    def _signature_of(found: os.stat_result) -> tuple[int, ...]:
        return (found.st_size, mtime_of(found))

    def begin_scan(self) -> None:
        """Begin to take note of what a whole scan meets."""
        self._met = {}

    def end_scan(self, *, is_whole: bool) -> None:
        """Forget what the scan did not meet, unless it could not look everywhere."""
        met, self._met = self._met or {}, None
        if is_whole:
            self._known = met
        else:
            self._known.update(met)


class IgnoredFiles(SeenFiles):
    """The files of one inbox that were looked into and are no recordings; ``len()`` counts them.

    Nothing was read of them but the beginning, so whatever may have changed them counts, their rights, too.
    """

    @staticmethod
    def _signature(candidate: Candidate) -> tuple[int, ...]:
        return candidate.restless_signature

    @staticmethod
    def _signature_of(found: os.stat_result) -> tuple[int, ...]:
        return restless_signature_of(found)
