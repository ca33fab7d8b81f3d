"""Files that their names do not tell: a settled one is looked into, once; most are no recordings.

Enters: settled candidates. Leaves: those whose first bytes show a recording go the way of the others; the
rest are counted in their inbox and passed over until they change. Nothing is written beside a file that
nobody said was a recording. They are looked into when there is nothing better to do, and for a second at most
before it is asked what else woke, since a share may hold a hundred thousand photographs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.errors import NotReadableError, RecordingGoneError, WorkError
from asr_daemon.queue.jobs import WHEN_CLEARED_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.inboxes.admission import Admission
    from asr_daemon.inboxes.candidate import Candidate
    from asr_daemon.inboxes.settle import Settler
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.inboxes.watched import WatchedInbox

LOOK_S = 1.0
TOLD = 20  # of an inbox, those by name in the log at its usual level


class UnsureFiles:
    """Those that wait to be looked into; belongs to the intake's thread."""

    def __init__(self, admission: Admission, shares: Shares, settler: Settler, clock: Clock) -> None:
        self._admission = admission
        self._shares = shares
        self._settler = settler
        self._clock = clock
        self._waiting: dict[Path, Candidate] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Take those that need a look."""
        self._waiting.update((each.path, each) for each in candidates if each.needs_look)

    def forget(self, path: Path) -> None:
        """Drop a file that is gone."""
        self._waiting.pop(path, None)

    def look(
        self,
        inbox_of: Callable[[Path], WatchedInbox | None],
        take_in: Callable[[WatchedInbox, Candidate], None],
        must_stop: Callable[[], bool],
    ) -> None:
        """Look into as many as can be in a second; ``take_in`` is called for the recordings."""
        until_s = self._clock.monotonic_s() + LOOK_S
        answering: set[str] = set()  # inboxes whose share was asked in this second
        while self._waiting and self._clock.monotonic_s() < until_s and not must_stop():
            candidate = self._waiting.pop(next(iter(self._waiting)))
            watched = inbox_of(candidate.path)
            if watched is not None and self._is_recording(watched, candidate, answering):
                take_in(watched, candidate)

    def _is_recording(self, watched: WatchedInbox, candidate: Candidate, answering: set[str]) -> bool:
        section = watched.section
        try:
            if section.name not in answering:
                self._shares.require(section)
                answering.add(section.name)
            is_recording = self._admission.is_recording(candidate.path, section.path, section.settle_s)
        except NotReadableError:
            is_recording = False
        except RecordingGoneError:  # the next scan shows what lies there now
            return False
        except WorkError as error:
            self._admission.complain(section.name, candidate, error)
            self._settler.observe(candidate, max(section.settle_s, WHEN_CLEARED_S))
            return False
        if is_recording is False:
            self._ignore(watched, candidate)
        return is_recording is True

    def _ignore(self, watched: WatchedInbox, candidate: Candidate) -> None:
        is_told = len(watched.ignored) < TOLD
        self._admission.ignore(watched.section.name, candidate, is_told=is_told)
        watched.forget(candidate.path)
        watched.ignored.add(candidate)
