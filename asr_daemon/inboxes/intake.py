"""Found, settled, hashed, queued: everything up to the moment a recording waits for a recogniser.

Runs in one thread, and reads each inbox's files in another (lane.py). A rescan is the mechanism; events and
the scheduler only wake it. Nothing here is remembered that the next scan would not find again.
"""

from __future__ import annotations

import contextlib
import functools
import os
import queue as thread_queue
import threading
import time
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import (
    HistoryUnavailableError,
    InboxGoneError,
    NotReadableError,
    ReadFailedError,
    RecordingGoneError,
    ShareUnavailableError,
    TooLargeError,
    WorkError,
)
from asr_daemon.files.temporary import remove_stale_temporary
from asr_daemon.files.writable import why_closed
from asr_daemon.history.recordings import Recordings
from asr_daemon.inboxes.admission import Admission
from asr_daemon.inboxes.candidate import Candidate, look_at
from asr_daemon.inboxes.departures import Departures
from asr_daemon.inboxes.lane import NoRecording, Order
from asr_daemon.inboxes.presence import check_presence
from asr_daemon.inboxes.reader import Reader
from asr_daemon.inboxes.scan import is_inside, is_too_deep, scan, unreadable
from asr_daemon.inboxes.settle import Settler
from asr_daemon.inboxes.watched import WatchedInbox
from asr_daemon.queue.jobs import MAX_BACK_OFF_S, WHEN_CLEARED_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.delivery.following import Follower
    from asr_daemon.history import History
    from asr_daemon.history.settings import Settings
    from asr_daemon.inboxes.lane import Ended
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.queue.arrivals import Arrivals
    from asr_daemon.queue.inbox_profiles import InboxProfiles
    from asr_daemon.queue.job import Enqueued
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()

WITH_PROBLEM_S = 10.0
TOLD_IGNORED = 20  # of an inbox's files that are no recordings, those by name in the log at its usual level
PAUSE_S = 1.0  # after a round that failed
IDLE_S = 15.0  # how long it rests at most: each round is a sign of life


class Intake:
    """Finds recordings and brings them to the queue."""

    def __init__(
        self,
        config: Config,
        history: History,
        settings: Settings,
        shares: Shares,
        profiles: InboxProfiles,
        arrivals: Arrivals,
        deliverer: Deliverer,
        follower: Follower,
        clock: Clock,
        on_queued: Callable[[], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.inboxes: dict[str, WatchedInbox] = {}
        self._settings = settings
        self._shares = shares
        self._profiles = profiles
        self._clock = clock
        self._beat = beat
        self._recordings = Recordings(history, clock)
        self._settler = Settler(clock.monotonic_s, look_at)
        self._wakes: thread_queue.SimpleQueue[tuple[str, Path | None]] = thread_queue.SimpleQueue()
        self._stopping = threading.Event()
        self._failure = ""  # of the last round
        self._is_watching = False
        self._lock = threading.Lock()  # of what is watched; never held while a recording is read
        self.departures = Departures(history, arrivals, shares, clock, lambda: self.config, on_queued)
        self._admission = Admission(
            arrivals, deliverer, follower, on_queued, shares.handed, self._recordings, self._shown
        )
        self._refused: dict[str, str] = {}  # inboxes that lie in other folders, links resolved, and why
        self.reader = Reader(
            lambda: self.config, shares, profiles, clock, self._stopping.is_set, lambda: self.wake("", None)
        )

    # ------------------------------------------------------------------ life

    def watch(self) -> None:
        """Begin to watch the inboxes of the configuration; where that fails, the next tick tries it again."""
        self._is_watching = True
        if not self.config.inbox:
            told = "nothing is watched: add [[inbox]] to the configuration"
            log.warning("no_inbox_configured", problem=told)
        self.departures.let_strangers_go([section.name for section in self.config.inbox])
        for section in self.config.inbox:
            watched = WatchedInbox.of(section, self._settings, self._recordings, self._clock, self.wake)
            self.inboxes[section.name] = watched
        found = self.config.overlaps(self._shares.real_path)  # asks the shares: one that hangs takes its time
        self._refused = {overlap.inbox: overlap.sentence for overlap in found if overlap.key == "path"}
        for watched in list(self.inboxes.values()):
            self._begin_watching(watched)

    def _begin_watching(self, watched: WatchedInbox) -> None:
        """Begin; where the share does not answer, the tick does once it answers."""
        if refused := self._refused.get(watched.section.name):
            watched.complain(refused)
        elif self._answers(watched):
            watched.watch.start()
            self.wake(watched.section.name, None)

    def _answers(self, watched: WatchedInbox) -> bool:
        folder = watched.section.path
        try:
            self._shares.ask(folder, functools.partial(os.path.lexists, folder))  # as itself: see Shares
        except InboxGoneError as error:
            watched.complain(error.sentence)
            return False
        return True

    def reload(self, config: Config) -> None:
        """Take up another configuration: every inbox is watched and scanned anew."""
        with self._lock:
            self._stop_watching()
            self.config = config
            self.watch()

    def run(self) -> None:
        """Take in recordings until :meth:`stop`; each inbox's are read in a thread of its own."""
        self.reader.run_beside()
        while not self._must_stop():
            try:
                self.step(self._settler.next_due_s())
                self._failure = ""
            except HistoryUnavailableError as error:
                if self._is_news(error):
                    log.warning("intake_failed", error=error.code, problem=str(error))
            except Exception as error:
                if self._is_news(error):
                    log.exception("intake_failed")
            if self._failure:
                self._stopping.wait(PAUSE_S)

    def _is_news(self, error: Exception) -> bool:
        said = f"{type(error).__name__}: {error}"
        is_news, self._failure = said != self._failure, said
        return is_news

    def _must_stop(self) -> bool:
        """Whether to end; who asks makes a step."""
        self._beat()
        return self._stopping.is_set()

    def _shown(self, inbox: str, path: Path) -> str:
        return self.config.shown_path(inbox, path)

    def stop(self) -> None:
        """End the loop soon."""
        self._is_watching = False
        self._stopping.set()
        self._wakes.put(("", None))
        self._stop_watching()

    def _stop_watching(self) -> None:
        for watched in self.inboxes.values():
            watched.watch.stop()
        self.inboxes = {}

    # ------------------------------------------------------------------ found

    def wake(self, inbox: str, path: Path | None) -> None:
        """Look at a path, or (None) at a whole inbox, soon; from any thread."""
        self._wakes.put((inbox, path))

    def tick(self) -> None:
        """Wake for the rescans that are due, and look after the observers; the scheduler calls it."""
        now = self._clock.monotonic_s()
        if self._is_watching and len(self.inboxes) < len(self.config.inbox):
            with self._lock:
                self._stop_watching()
                self.watch()
        for name, watched in list(self.inboxes.items()):
            if watched.watch.state.mode == "stopped":
                with self._lock:  # it may have been stopped for good this very moment
                    if self.inboxes.get(name) is watched and not self._stopping.is_set():
                        self._begin_watching(watched)
            elif self._answers(watched):
                watched.watch.check()
            usual_s = self.config.daemon.rescan_s
            rescan_s = min(usual_s, WITH_PROBLEM_S) if watched.problem else usual_s  # somebody mends it
            period_s = watched.watch.rescan_period_s(rescan_s, watched.scan_cpu_s)
            if watched.scanned_s is not None and now - watched.scanned_s >= period_s:
                self.wake(name, None)
        self.departures.look_at_command_line()

    def step(self, timeout_s: float | None) -> None:
        """Hear what woke, look there, and take in what has settled."""
        wakes = self._gather(IDLE_S if timeout_s is None else min(IDLE_S, max(0.0, timeout_s)))
        with self._lock:
            whole = {name for name, path in wakes if path is None}
            for name in whole:
                if name in self.inboxes and name not in self._refused:
                    self._scan(self.inboxes[name])
            for name, path in wakes:
                if path is not None and name in self.inboxes and name not in whole | self._refused.keys():
                    self._look(self.inboxes[name], path)
            settled = self._settler.take_settled()
        for candidate in settled:
            if self._must_stop():
                return
            watched = self._inbox_of(candidate.path)
            if watched is not None:
                self.reader.put(watched.section.name, Order(candidate))
        for inbox, order, result in self.reader.ended():
            self._hear(inbox, order, result)

    def _gather(self, timeout_s: float) -> set[tuple[str, Path | None]]:
        """Return everything that woke, at least one unless the time passed."""
        wakes: set[tuple[str, Path | None]] = set()
        try:
            wakes.add(self._wakes.get(timeout=timeout_s))
            while True:
                wakes.add(self._wakes.get_nowait())
        except thread_queue.Empty:
            return wakes

    def _look(self, watched: WatchedInbox, path: Path) -> None:
        """Look at one path that an event named: a recording, or a folder that came with recordings in it."""
        section = watched.section
        if is_too_deep(path.parent) or not self._answers(watched):
            return
        if path.is_dir() and not path.is_symlink():
            self._scan(watched)
            return
        self._settler.touch(path)
        if not is_inside(path, section.path, recursive=section.recursive):
            return
        found = look_at(path)
        watched.forget(path)  # it may have been away in between, its transcript with it
        if found is not None:
            self._settler.observe(found, section.settle_s)
        else:
            with contextlib.suppress(InboxGoneError):  # a share that went takes every file with it
                self._check_presence(watched)
                self.departures.look_at(section.name, path, functools.partial(self._forget, watched))

    def _scan(self, watched: WatchedInbox) -> None:
        section = watched.section
        began_s = time.thread_time()
        problems: list[str] = []
        is_whole = False
        watched.begin_scan()
        try:
            self._check_presence(watched)
            for found in scan(
                section.path,
                recursive=section.recursive,
                is_known=functools.partial(self._is_known, watched),
                on_problem=lambda path, error: problems.append(unreadable(path, error)),
                on_temporary=functools.partial(self._remove_temporary, section.name),
            ):
                self._settler.observe(found, section.settle_s)
            self.departures.look(section.name, functools.partial(self._forget, watched))
            is_whole = not problems
            self._profiles.hotwords(
                section
            )  # what is wrong with the list is told before a recording needs it
            problems += filter(None, [self._shares.ask(section.path, lambda: why_closed(section.path))])
        except (ShareUnavailableError, HistoryUnavailableError) as error:
            problems.append(error.sentence)
        finally:
            watched.end_scan(is_whole=is_whole)
            watched.scanned_s = self._clock.monotonic_s()
            watched.scan_cpu_s = time.thread_time() - began_s
        if problems:
            watched.complain(problems[0])
        else:
            watched.is_well()

    def _is_known(self, watched: WatchedInbox, path: str, found: os.stat_result) -> bool:
        self._beat()
        return watched.is_known(path, found) or self.reader.has(watched.section.name, path)

    def _check_presence(self, watched: WatchedInbox) -> None:
        folder = watched.section.path
        presence = self._shares.ask(folder, lambda: check_presence(folder, watched.presence))
        if presence != watched.presence:
            watched.presence = presence
            self._settings.remember_presence(folder, presence.to_json())

    def _remove_temporary(self, inbox: str, path: Path) -> None:
        now_s = self._clock.now().timestamp()
        if remove_stale_temporary(path, now_s=now_s, root=self.config.root_of(path)):
            log.info("stale_temporary_removed", inbox=inbox, file=self._shown(inbox, path))

    # ------------------------------------------------------------------ hashed and queued

    def _hear(self, inbox: str, order: Order, result: Ended) -> None:
        """Take in what was read; what an inbox had that is configured no more is nobody's."""
        watched = self._inbox_of(order.candidate.path)
        if watched is None or watched.section.name != inbox:
            return
        try:
            self._take_in(watched, order, result)
        except Exception as error:  # noqa: BLE001 (those behind it go on)
            self._back_off(watched, order.candidate, error)

    def _take_in(self, watched: WatchedInbox, order: Order, result: Ended) -> None:
        """Queue a recording that was read; whatever prevents that now, a later scan finds it again."""
        section, candidate = watched.section, order.candidate
        try:
            if isinstance(result, Exception):
                raise result
            if isinstance(result, NoRecording):
                self._ignore(watched, result.found)
                return
            if not result.sha256:
                if not self._settler.defer(result.found, section.settle_s):
                    self.reader.put(section.name, Order(candidate, is_urged=True))
                return
            self._admission.admit(result, section.name)
        except (NotReadableError, ReadFailedError, TooLargeError) as error:
            if candidate.needs_look and isinstance(error, NotReadableError):
                self._ignore(watched, candidate)
            else:
                self._admission.tell_unreadable(section.name, candidate, error)
        except RecordingGoneError as error:
            log.debug(
                "recording_changed",
                inbox=section.name,
                file=self._shown(section.name, candidate.path),
                problem=str(error),
            )
        except WorkError as error:
            self._admission.complain(section.name, candidate, error)
            self._settler.observe(candidate, max(section.settle_s, WHEN_CLEARED_S))  # sooner than by a scan
        else:
            watched.forget(result.found.path)
            watched.seen.add(result.found)

    def _ignore(self, watched: WatchedInbox, found: Candidate) -> None:
        is_told = len(watched.ignored) < TOLD_IGNORED
        self._admission.ignore(watched.section.name, found, is_told=is_told)
        watched.forget(found.path)
        watched.ignored.add(found)

    def _back_off(self, watched: WatchedInbox, candidate: Candidate, error: Exception) -> None:
        """Leave a file alone, longer each time, whose taking in went wrong as nobody expected."""
        section = watched.section
        strikes = self._admission.tell_unexpected(section.name, candidate, error)
        wait_s = min(MAX_BACK_OFF_S, self.config.daemon.retry_after_s * 2.0 ** min(strikes - 1, 32))
        self._settler.rest(candidate, wait_s, section.settle_s)

    def submit(self, path: Path, profile: Profile, *, priority: int) -> Enqueued:
        """Queue a file named on the command line under that profile; from any thread.

        Raises a :class:`~asr_daemon.errors.WorkError`.
        """
        return self._admission.submit(path, profile, priority=priority, is_given_up=self._stopping.is_set)

    def _forget(self, watched: WatchedInbox, path: Path) -> None:
        """Take what lies at that path for a new file: it is gone, or somebody asks for another try."""
        watched.forget(path)
        self._settler.forget(path)
        self._admission.forget(path)
        if os.path.lexists(path):
            self.wake(watched.section.name, path)

    def forget(self, inbox: str, path: Path) -> None:
        """Look at that path anew: what lay there is gone. From any thread."""
        if watched := self.inboxes.get(inbox):
            watched.forget(path)

    def settling(self, folder: Path) -> int:
        """Return how many recordings below that folder wait for quiet."""
        return len(self._settler.paths_below(folder))

    def _inbox_of(self, path: Path) -> WatchedInbox | None:
        return next((w for w in list(self.inboxes.values()) if w.section.path in path.parents), None)
