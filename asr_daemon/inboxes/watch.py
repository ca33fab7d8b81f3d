"""Found sooner: file events that wake the daemon for one inbox. The rescan is the mechanism, not they.

Events come through watchdog's inotify observer. Where they cannot be relied on (another machine writes: NFS,
SMB, most of FUSE) or cannot be had (the kernel's watches are used up) the inbox is *polled*, and that means
no more than a rescan at a shorter period: watchdog's PollingObserver would keep a snapshot of every file,
stat all of them each second and find nothing that the rescan does not find.

Whatever goes wrong with events costs promptness, never a recording. A dead observer is started again after a
delay that doubles; a folder that was replaced or mounted over is observed anew; and after any loss (a queue
that overflowed, a daemon that was stopped for a while) the daemon is woken for a rescan.
"""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asr_daemon.files.mounts import events_are_reliable, filesystem_type
from asr_daemon.files.syscalls import probe_inotify
from asr_daemon.inboxes.observation import InotifyObservation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.inboxes.observation import Observer

POLLING_RESCAN_S = 10.0
SCAN_SHARE = 0.003  # of one core, at most, goes into rescans
FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 300.0
STEADY_S = 600.0  # an observer that lived this long was well: its next delay is the first again
PROBE_S = 60.0
EXHAUSTED_RETRY_S = 900.0
STOPPED_S = 15.0  # between two checks: the daemon did not run (SIGSTOP, a hung disk)
_EXHAUSTED = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOSYS})


@dataclass(frozen=True, slots=True)
class WatchState:
    """How an inbox is watched, for ``status``."""

    mode: Literal["events", "polling", "restarting", "stopped"]
    since: datetime  # aware, UTC
    fs_type: str
    restarts: int = 0
    last_problem: str = ""


class InboxWatch:
    """Wakes the daemon for one inbox. ``start``, ``check`` and ``stop`` belong to one thread.

    ``on_wake(inbox, path)`` is called from the observer's thread for a recording (or a deleted failure file)
    that something happened to, and with None where a rescan is due; it must be quick. ``on_problem(inbox,
    sentence)`` is called from ``start`` and ``check``.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        recursive: bool,
        mode: Literal["auto", "events", "polling"],
        clock: Clock,
        on_wake: Callable[[str, Path | None], None],
        on_problem: Callable[[str, str], None],
        make_observer: Callable[[InboxWatch], Observer] | None = None,
        fs_type_of: Callable[[Path], str] = filesystem_type,
        probe: Callable[[Path], None] = probe_inotify,
    ) -> None:
        self.name = name
        self.folder = folder
        self.recursive = recursive
        self._wanted = mode
        self._clock = clock
        self._on_wake = on_wake
        self._on_problem = on_problem
        self._make_observer = make_observer or InotifyObservation
        self._fs_type_of = fs_type_of
        self._probe = probe
        self._observer: Observer | None = None
        self._observed: tuple[int, int] | None = None
        self._started_s = self._checked_s = self._probed_s = 0.0
        self._retry_s: float | None = None
        self._delay_s = FIRST_DELAY_S
        self._said: set[str] = set()
        self.state = WatchState("stopped", clock.now(), "")

    def start(self) -> None:
        """Observe, or poll; never raises: what fails is tried again by :meth:`check`."""
        self._checked_s = self._clock.monotonic_s()
        self._choose()

    def check(self) -> None:
        """Put right what went wrong since; for the daemon's tick."""
        now = self._clock.monotonic_s()
        was_stopped = now - self._checked_s > STOPPED_S
        self._checked_s = now
        if was_stopped:
            self.wake(None)
        if self.state.mode == "events":
            self._check_observer(now)
        elif self._retry_s is not None:
            if now >= self._retry_s:
                self._choose()
        elif self._wanted == "auto" and _identity(self.folder) != self._observed:
            self._choose()

    def stop(self) -> None:
        """Stop observing; from any thread, also while another one checks."""
        self._turn_to("stopped")
        self._put_away()
        self._retry_s = None

    def wake(self, path: Path | None) -> None:
        """Pass an event on; None asks for a rescan."""
        self._on_wake(self.name, path)

    def rescan_period_s(self, rescan_s: float, last_scan_cpu_s: float = 0.0) -> float:
        """Return how long to wait between rescans: short when polling, and never dear.

        However many files there are, scanning takes at most ``SCAN_SHARE`` of a core.
        """
        period_s = rescan_s if self.state.mode == "events" else min(rescan_s, POLLING_RESCAN_S)
        return max(period_s, last_scan_cpu_s / SCAN_SHARE)

    # ------------------------------------------------------------------ the way there

    def _choose(self) -> None:
        self._put_away()
        self._retry_s = None
        self._observed = _identity(self.folder)
        fs_type = self._fs_type_of(self.folder)
        wants_events = self._wanted == "events" or (self._wanted == "auto" and events_are_reliable(fs_type))
        if not wants_events:
            self._turn_to("polling", fs_type=fs_type)
            return
        try:
            observer = self._make_observer(self)
            self._observer = observer
            observer.start()
            self._probe(self.folder)  # watchdog passes over sub-folders that it got no watch for
        except OSError as error:
            self._put_away()
            self._give_up(error, fs_type)
            return
        self._started_s = self._probed_s = self._clock.monotonic_s()
        is_again = self.state.mode != "stopped"
        self._turn_to("events", fs_type=fs_type)
        if is_again:
            self.wake(None)

    def _check_observer(self, now: float) -> None:
        observer = self._observer
        if observer is None or not observer.is_alive():
            if self.state.mode == "events":  # else it was stopped this moment
                self._restart_later("the observer of file events has died")
        elif _identity(self.folder) != self._observed:
            self._restart_later("the folder was replaced, or its share mounted or unmounted")
        elif now - self._probed_s >= PROBE_S:
            self._probed_s = now
            try:
                self._probe(self.folder)
            except OSError as error:
                self._put_away()
                self._give_up(error, self.state.fs_type)

    def _give_up(self, error: OSError, fs_type: str) -> None:
        if error.errno not in _EXHAUSTED:
            self._restart_later(f"file events cannot be had: {error.strerror}", fs_type)
            return
        problem = (
            f"the system's limit of file watches is reached ({error.strerror}): the inbox is polled instead; "
            "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"
        )
        self._retry_s = self._clock.monotonic_s() + EXHAUSTED_RETRY_S
        self._turn_to("polling", fs_type=fs_type, problem=problem)
        self._say(problem)

    def _restart_later(self, problem: str, fs_type: str = "") -> None:
        now = self._clock.monotonic_s()
        if self.state.mode == "events" and now - self._started_s >= STEADY_S:
            self._delay_s = FIRST_DELAY_S
        self._put_away()
        self._retry_s = now + self._delay_s
        self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
        fs_type = fs_type or self.state.fs_type
        self._turn_to("restarting", fs_type=fs_type, problem=problem, restarts=self.state.restarts + 1)
        self._say(problem)

    def _turn_to(
        self,
        mode: Literal["events", "polling", "restarting", "stopped"],
        *,
        fs_type: str = "",
        problem: str = "",
        restarts: int | None = None,
    ) -> None:
        before = self.state
        self.state = WatchState(
            mode=mode,
            since=before.since if mode == before.mode else self._clock.now(),
            fs_type=fs_type or before.fs_type,
            restarts=before.restarts if restarts is None else restarts,
            last_problem=problem or before.last_problem,
        )

    def _say(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            self._on_problem(self.name, problem)

    def _put_away(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            with contextlib.suppress(Exception):  # one that died half-way may fail in any way
                observer.stop()
                observer.join(timeout=5.0)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
