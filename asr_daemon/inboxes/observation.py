"""One inbox's file events, as watchdog's inotify observer tells them.

Enters: a folder. Leaves: calls of :meth:`~asr_daemon.inboxes.watch.InboxWatch.wake` from watchdog's threads.
May fail to start with ``OSError``; may die at any time, which :meth:`InotifyObservation.is_alive` shows.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import inotify
from watchdog.observers.inotify import InotifyObserver

from asr_daemon.inboxes.candidate import is_candidate
from asr_daemon.inboxes.scan import is_inside
from asr_daemon.transcripts.names import FAILURE_SUFFIX

if TYPE_CHECKING:
    from asr_daemon.inboxes.watch import InboxWatch

log = structlog.get_logger()

# A folder that appears while its parent is walked is registered twice: harmless, and not worth a warning.
warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)

_EVENTS: list[type[FileSystemEvent]] = [  # not opening and reading: that is mostly ourselves
    *(FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent),
    *(DirCreatedEvent, DirMovedEvent, DirDeletedEvent),
]


def _forget_watch(self: Any, wd: int) -> None:
    """Forget a watch in the books of watchdog's group, whether or not they fit each other."""
    books = self._active_callbacks_by_path
    path = self._active_callbacks_by_watch.pop(wd, None)
    if books.get(path) == wd:
        del books[path]


# watchdog 7.1 raises KeyError where folders change places faster than it reads of it: its books of paths and
# of watches differ, its thread ends, and the observer cannot even be stopped: threads and descriptors stay.
_FORGET = "_remove_watch_internally"
if hasattr(getattr(inotify, "InotifyWatchGroup", None), _FORGET):
    setattr(inotify.InotifyWatchGroup, _FORGET, _forget_watch)


class Observer(Protocol):
    """As much of watchdog's observer as is used."""

    def start(self) -> None:
        """Begin; raises ``OSError``."""

    def stop(self) -> None:
        """Ask it to end."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""

    def is_alive(self) -> bool:
        """Return whether all of it still works."""


class InotifyObservation:
    """watchdog's inotify observer of one inbox, with its handler."""

    def __init__(self, watch: InboxWatch) -> None:
        self._watch = watch
        self._observer = InotifyObserver()
        self._is_damaged = False
        self._guard_reader()
        self._overflow = _LossHandler(watch)
        logging.getLogger("watchdog").addHandler(self._overflow)

    def start(self) -> None:
        """Begin; raises ``OSError``."""
        watch = self._watch
        real = Path(os.path.realpath(watch.folder))  # of a link, only the link itself would be watched
        self._observer.schedule(
            _Handler(watch, real), str(real), recursive=watch.recursive, event_filter=_EVENTS
        )
        self._observer.start()

    def _guard_reader(self) -> None:
        """Let no single event end the thread that reads all of them (watchdog 7; it has one an observer)."""
        reader = getattr(self._observer, "_inotify_fd", None)
        if reader is None:
            return
        handle = reader.handle_event

        def handle_or_tell(event: object) -> None:
            try:
                handle(event)
            except Exception as error:  # noqa: BLE001 (whatever it is: look at everything, and observe anew)
                log.warning("watch_event_lost", inbox=self._watch.name, problem=repr(error))
                self._is_damaged = True
                self._watch.wake(None)

        reader.handle_event = handle_or_tell

    def stop(self) -> None:
        """Ask it to end; its descriptors are closed whatever goes wrong."""
        logging.getLogger("watchdog").removeHandler(self._overflow)
        reader = getattr(self._observer, "_inotify_fd", None)
        try:
            self._observer.stop()
        finally:
            if reader is not None:
                reader.stop()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if self._observer.is_alive():
            self._observer.join(timeout)

    def is_alive(self) -> bool:
        """Return whether no event was lost and all threads live: dispatcher, emitters, inotify's reader."""
        reader = getattr(self._observer, "_inotify_fd", self._observer)
        threads = (self._observer, reader, *self._observer.emitters)
        return not self._is_damaged and all(thread.is_alive() for thread in threads)


class _Handler(FileSystemEventHandler):
    """Passes on what concerns recordings, by the path that the inbox is configured with."""

    def __init__(self, watch: InboxWatch, real: Path) -> None:
        self._watch = watch
        self._real = real

    def on_any_event(self, event: FileSystemEvent) -> None:
        watch = self._watch
        if event.is_directory:
            watch.wake(None)
            return
        for told in (event.src_path, event.dest_path):
            if told:
                path = self._as_configured(Path(os.fsdecode(told)))
                is_retry = isinstance(event, FileDeletedEvent) and path.name.endswith(FAILURE_SUFFIX)
                if (is_retry or is_candidate(path.name)) and is_inside(
                    path, watch.folder, recursive=watch.recursive
                ):
                    watch.wake(path)

    def _as_configured(self, path: Path) -> Path:
        """Return the path below the inbox; one that leads elsewhere as it is."""
        return self._watch.folder / path.relative_to(self._real) if self._real in path.parents else path


class _LossHandler(logging.Handler):
    """Whatever watchdog warns of (an overflowed queue above all), the answer is a rescan."""

    def __init__(self, watch: InboxWatch) -> None:
        super().__init__(logging.WARNING)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        """Wake the daemon."""
        del record
        self._watch.wake(None)
