"""Found, settled, hashed, queued: everything up to the moment a recording waits for the recogniser.

Runs in one thread. A rescan is the mechanism; events and the scheduler only wake it. Nothing here is
remembered that the next scan would not find again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue as thread_queue
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.clock import to_stamp
from asr_daemon.errors import (
    InboxGoneError,
    JobError,
    NotReadableError,
    ReadFailedError,
    RecordingGoneError,
)
from asr_daemon.files.temporary import remove_stale_temporary
from asr_daemon.inboxes import scan as scanning
from asr_daemon.inboxes.fingerprint import fingerprint, is_open_for_writing, open_recording
from asr_daemon.inboxes.presence import InboxPresence, check_presence
from asr_daemon.inboxes.scan import Candidate, candidate_of, shown_name
from asr_daemon.inboxes.seen import SeenFiles
from asr_daemon.inboxes.settle import Settler
from asr_daemon.inboxes.share import Answering
from asr_daemon.inboxes.watch import InboxWatch
from asr_daemon.queue.jobs import COMMAND_LINE, WHEN_CLEARED_S

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config, InboxSection
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.history import History
    from asr_daemon.queue.inbox_profiles import InboxProfiles
    from asr_daemon.queue.jobs import Enqueued, Queue
    from asr_daemon.queue.profile import Profile

log = structlog.get_logger()

IDLE_S = 15.0  # how long it rests at most: each round is a sign of life


@dataclass(slots=True)
class WatchedInbox:
    """An inbox and what is known of it."""

    section: InboxSection
    watch: InboxWatch
    presence: InboxPresence | None  # how it was there when it was last seen; None: never
    seen: SeenFiles = field(default_factory=SeenFiles)
    problem: str = ""
    scanned_s: float | None = None  # when the last scan ended
    scan_cpu_s: float = 0.0  # what it cost


class Intake:
    """Finds recordings and brings them to the queue."""

    def __init__(
        self,
        config: Config,
        history: History,
        queue: Queue,
        profiles: InboxProfiles,
        deliverer: Deliverer,
        clock: Clock,
        on_queued: Callable[[], None],
        beat: Callable[[], None] = lambda: None,
        answering: Answering | None = None,
    ) -> None:
        self.config = config
        self.profiles = profiles
        self.inboxes: dict[str, WatchedInbox] = {}
        self._history = history
        self._queue = queue
        self._deliverer = deliverer
        self._clock = clock
        self._on_queued = on_queued
        self._beat = beat
        self._answering = answering or Answering()
        self._settler = Settler(clock.monotonic_s, look=scanning.look_at)
        self._wakes: thread_queue.SimpleQueue[tuple[str, Path | None]] = thread_queue.SimpleQueue()
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # `submit` comes from another thread
        self._unreadable: dict[Path, str] = {}

    # ------------------------------------------------------------------ life

    def watch(self) -> None:
        """Begin to watch the inboxes of the configuration."""
        self._let_strangers_go()
        for section in self.config.inbox:
            remembered = self._queue.setting(f"presence:{section.path}")
            watched = WatchedInbox(
                section,
                watch=InboxWatch(
                    section.name,
                    section.path,
                    recursive=section.recursive,
                    mode=section.watch,
                    clock=self._clock,
                    on_wake=self.wake,
                    on_problem=_write_watch_problem,
                ),
                presence=InboxPresence.from_json(remembered) if remembered else None,
            )
            for row in self._history.each("known_signatures", inbox=section.name):
                watched.seen.add_look(os.fsdecode(row["path"]), row["size_bytes"], row["mtime_ns"])
            self.inboxes[section.name] = watched
            self._begin_watching(watched)

    def _begin_watching(self, watched: WatchedInbox) -> None:
        """Begin; where the share does not answer, the tick does once it answers."""
        if self._answers(watched):
            watched.watch.start()
            self.wake(watched.section.name, None)

    def _answers(self, watched: WatchedInbox) -> bool:
        folder = watched.section.path
        try:
            self._answering.ask(folder, functools.partial(os.path.lexists, folder))
        except InboxGoneError as error:
            self._complain(watched, str(error))
            return False
        return True

    def _let_strangers_go(self) -> None:
        """Wait no more for recordings of an inbox that is not configured; if it returns, they are found."""
        names = json.dumps([section.name for section in self.config.inbox])
        for row in self._history.all("strangers", inboxes=names):
            self._mark_gone(row["id"])
            log.info("recording_given_up", inbox=row["inbox"], file=row["name"])

    def reload(self, config: Config, profiles: InboxProfiles) -> None:
        """Take up another configuration: every inbox is watched and scanned anew."""
        with self._lock:
            self._stop_watching()
            self.config, self.profiles = config, profiles
            self.watch()

    def run(self) -> None:
        """Take in recordings until :meth:`stop`."""
        while not self._must_stop():
            try:
                self.step(self._settler.next_due_s())
            except Exception:
                log.exception("intake_failed")

    def _must_stop(self) -> bool:
        """Whether to end; who asks makes a step."""
        self._beat()
        return self._stopping.is_set()

    def stop(self) -> None:
        """End the loop soon."""
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
        for name, watched in list(self.inboxes.items()):
            if watched.watch.state.mode == "stopped":
                with self._lock:  # it may have been stopped for good this very moment
                    if self.inboxes.get(name) is watched and not self._stopping.is_set():
                        self._begin_watching(watched)
            elif self._answers(watched):
                watched.watch.check()
            period_s = watched.watch.rescan_period_s(self.config.daemon.rescan_s, watched.scan_cpu_s)
            if watched.scanned_s is not None and now - watched.scanned_s >= period_s:
                self.wake(name, None)

    def step(self, timeout_s: float | None) -> None:
        """Hear what woke, look there, and take in what has settled."""
        wakes = self._gather(IDLE_S if timeout_s is None else min(IDLE_S, max(0.0, timeout_s)))
        with self._lock:
            whole = {name for name, path in wakes if path is None}
            for name in whole:
                if name in self.inboxes:
                    self._scan(self.inboxes[name])
            for name, path in wakes:
                if path is not None and name in self.inboxes and name not in whole:
                    self._look(self.inboxes[name], path)
            settled = self._settler.take_settled()
        for candidate in settled:
            if self._must_stop():
                return
            with self._lock:
                try:
                    self._take_in(candidate)
                except Exception:  # those behind it go on; a later scan finds it again
                    log.exception("recording_not_taken_in", file=shown_name(candidate.path))

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
        if path.is_dir() and not path.is_symlink():
            self._scan(watched)
            return
        self._settler.touch(path)
        if not scanning.is_inside(path, section.path, recursive=section.recursive):
            return
        found = scanning.look_at(path)
        watched.seen.forget(path)  # it may have been away in between, its transcript with it
        if found is not None:
            self._settler.observe(found, section.settle_s)
        else:
            with contextlib.suppress(InboxGoneError):  # a share that went takes every file with it
                self._check_presence(watched)
                self._look_after_failures(watched)

    def _scan(self, watched: WatchedInbox) -> None:
        section = watched.section
        began_s = time.thread_time()
        problems: list[str] = []
        is_whole = False
        watched.seen.begin_scan()
        try:
            self._check_presence(watched)
            for found in scanning.scan(
                section.path,
                recursive=section.recursive,
                is_known=functools.partial(self._is_known, watched),
                on_problem=lambda path, error: problems.append(f"{path}: {error.strerror}"),
                on_temporary=self._remove_temporary,
            ):
                self._settler.observe(found, section.settle_s)
            self._look_after_failures(watched)
            self._look_after_waiting(watched)
            is_whole = not problems
        except JobError as error:  # the share is gone, or the history cannot be written
            problems.append(str(error))
        finally:
            watched.seen.end_scan(is_whole=is_whole)
            watched.scanned_s = self._clock.monotonic_s()
            watched.scan_cpu_s = time.thread_time() - began_s
        if problems:
            self._complain(watched, problems[0])
        elif watched.problem:
            log.info("inbox_back", inbox=section.name)
            watched.problem = ""

    def _is_known(self, watched: WatchedInbox, path: str, found: os.stat_result) -> bool:
        self._beat()
        return watched.seen.is_known(path, found)

    def _check_presence(self, watched: WatchedInbox) -> None:
        section = watched.section
        presence = self._answering.ask(section.path, lambda: check_presence(section.path, watched.presence))
        if presence != watched.presence:
            watched.presence = presence
            self._queue.set_setting(f"presence:{section.path}", presence.to_json())

    def _complain(self, watched: WatchedInbox, problem: str) -> None:
        if watched.problem != problem:
            watched.problem = problem
            log.warning("inbox_problem", inbox=watched.section.name, problem=problem)

    def _remove_temporary(self, path: Path) -> None:
        if remove_stale_temporary(path, now_s=self._clock.now().timestamp()):
            log.info("stale_temporary_removed", file=path.name)

    def _look_after_failures(self, watched: WatchedInbox) -> None:
        """A deleted failure file asks for another try; one whose recording is gone goes, too."""
        for row in self._history.all("failure_files", inbox=watched.section.name):
            recording, failure = _path(row["path"]), _path(row["failure_path"])
            if not os.path.lexists(recording):
                with contextlib.suppress(OSError):  # a folder that may not be written
                    failure.unlink(missing_ok=True)
                self._mark_gone(row["recording"])
                self._forget_failure(row)
                watched.seen.forget(recording)
            elif not os.path.lexists(failure):
                self._forget_failure(row)
                if row["job"] is not None:
                    self._queue.retry(row["recording"])
                    self._on_queued()
                log.info(
                    "retry_asked", inbox=watched.section.name, file=recording.name, by="failure file deleted"
                )

    def _forget_failure(self, row: sqlite3.Row) -> None:
        with self._history.transaction() as history:
            history.run("forget_output", path=row["failure_path"])

    def _look_after_waiting(self, watched: WatchedInbox) -> None:
        """Recordings that were taken away before their turn are no longer waited for."""
        for row in self._history.all("waiting_recordings", inbox=watched.section.name):
            if not os.path.lexists(_path(row["path"])):
                self._mark_gone(row["id"])
                watched.seen.forget(_path(row["path"]))
                log.info("recording_gone", inbox=watched.section.name, file=row["name"])

    def _mark_gone(self, recording: int) -> None:
        with self._history.transaction() as history:
            history.run(
                "set_recording_state", recording=recording, state="gone", problem=None, written_at=None
            )

    # ------------------------------------------------------------------ hashed and queued

    def _take_in(self, candidate: Candidate) -> None:
        """Hash a settled recording and queue it; whatever prevents that now, a later scan finds it again."""
        watched = self._inbox_of(candidate.path)
        if watched is None:
            return
        section = watched.section
        try:
            queued = self._queue_file(
                candidate.path,
                section.path,
                section.name,
                self.profiles.profile(section.name),
                settle_s=section.settle_s,
            )
        except (NotReadableError, ReadFailedError) as error:
            self._tell_unreadable(watched, candidate, error)
            return
        except RecordingGoneError as error:
            log.debug(
                "recording_changed", inbox=section.name, file=shown_name(candidate.path), problem=str(error)
            )
            return
        except JobError as error:
            if self._unreadable.get(candidate.path) != str(error):
                self._unreadable[candidate.path] = str(error)
                log.warning(
                    "recording_not_queued",
                    inbox=section.name,
                    file=shown_name(candidate.path),
                    error=error.code,
                    problem=str(error),
                )
            self._settler.observe(
                candidate, max(section.settle_s, WHEN_CLEARED_S)
            )  # soon, not at the next scan
            return
        if queued is not None:
            self._unreadable.pop(candidate.path, None)

    def submit(self, path: Path, profile: Profile, *, priority: int) -> Enqueued:
        """Queue a file named on the command line under that profile; raises :class:`JobError`."""
        with self._lock:
            queued = self._queue_file(path, path.parent, COMMAND_LINE, profile, priority=priority)
        assert queued is not None  # noqa: S101 (nothing defers it)
        return queued

    def _queue_file(
        self,
        path: Path,
        root: Path,
        inbox: str,
        profile: Profile,
        *,
        settle_s: float | None = None,
        priority: int = 0,
    ) -> Enqueued | None:
        """Hash and queue a file; None where its writer still has it open (asked only with ``settle_s``)."""
        descriptor = open_recording(path, root)
        try:
            found = candidate_of(path, os.fstat(descriptor))
            if (
                settle_s is not None
                and is_open_for_writing(descriptor)
                and self._settler.defer(found, settle_s)
            ):
                return None
            content = fingerprint(descriptor, self._must_stop)
            found = candidate_of(path, os.fstat(descriptor))
        finally:
            os.close(descriptor)
        queued = self._queue.put(inbox, found, content.sha256, profile, priority=priority)
        if inbox != COMMAND_LINE:
            self.inboxes[inbox].seen.add(found)
        log.info(
            "recording_queued",
            job=queued.job,
            inbox=inbox,
            file=shown_name(path),
            sha256=content.sha256,
            size_bytes=content.size_bytes,
            known_content=not queued.is_new_work,
        )
        if queued.job_state in ("done", "failed", "quarantined"):
            self._deliverer.deliver(queued.recording)  # a twin: nothing is recognised again
        else:
            self._on_queued()
        return queued

    def _tell_unreadable(self, watched: WatchedInbox, candidate: Candidate, error: JobError) -> None:
        """Say once, in the log and in the share, that a file may not be read; each scan tries it again."""
        if self._unreadable.get(candidate.path) == str(error):
            return
        recording = self._queue.put_unreadable(watched.section.name, candidate, error)
        self._unreadable[candidate.path] = str(error)
        log.warning(
            "recording_not_readable",
            inbox=watched.section.name,
            file=shown_name(candidate.path),
            problem=str(error),
        )
        self._deliverer.tell(recording, error)

    def forget(self, inbox: str, path: Path) -> None:
        """Look at that path anew: what lay there is gone. From any thread."""
        if watched := self.inboxes.get(inbox):
            watched.seen.forget(path)

    def _inbox_of(self, path: Path) -> WatchedInbox | None:
        return next((w for w in self.inboxes.values() if w.section.path in path.parents), None)

    def status(self) -> list[dict[str, Any]]:
        """Return, for each inbox, how it is watched and what is wrong with it."""
        return [
            {
                "name": name,
                "path": os.fspath(watched.section.path),
                "watch": {
                    "mode": watched.watch.state.mode,
                    "since": to_stamp(watched.watch.state.since),
                    "file_system": watched.watch.state.fs_type,
                    "restarts": watched.watch.state.restarts,
                    "problem": watched.watch.state.last_problem,
                },
                "problem": watched.problem,
                "settling": sum(1 for path in self._settler.paths_below(watched.section.path)),
            }
            for name, watched in list(self.inboxes.items())
        ]


def _write_watch_problem(inbox: str, problem: str) -> None:
    log.warning("watch_problem", inbox=inbox, problem=problem)


def _path(stored: bytes) -> Path:
    return Path(os.fsdecode(stored))
