"""An inbox that is watched, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from asr_daemon.inboxes.presence import InboxPresence
from asr_daemon.inboxes.seen import IgnoredFiles, SeenFiles
from asr_daemon.inboxes.watch import InboxWatch

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.history.recordings import Recordings
    from asr_daemon.history.settings import Settings

log = structlog.get_logger()


@dataclass(slots=True)
class WatchedInbox:
    """One inbox; belongs to the intake."""

    section: InboxSection
    watch: InboxWatch
    presence: InboxPresence | None  # how it was there when it was last seen; None: never
    seen: SeenFiles = field(default_factory=SeenFiles)
    ignored: IgnoredFiles = field(default_factory=IgnoredFiles)
    problem: str = ""
    scanned_s: float | None = None  # when the last scan ended
    scan_cpu_s: float = 0.0  # what it cost

    @classmethod
    def of(
        cls,
        section: InboxSection,
        settings: Settings,
        recordings: Recordings,
        clock: Clock,
        on_wake: Callable[[str, Path | None], None],
    ) -> WatchedInbox:
        """Return the inbox as the history remembers it; nothing is watched yet."""
        remembered = settings.presence(section.path)
        watched = cls(
            section,
            watch=InboxWatch(
                section.name,
                section.path,
                recursive=section.recursive,
                mode=section.watch,
                clock=clock,
                on_wake=on_wake,
                on_problem=_write_watch_problem,
            ),
            presence=InboxPresence.from_json(remembered) if remembered else None,
        )
        for path, size_bytes, mtime_ns in recordings.known_looks(section.name):
            watched.seen.add_look(path, size_bytes, mtime_ns)
        return watched

    def is_known(self, path: str, found: os.stat_result) -> bool:
        """Return whether a scan may pass over that file."""
        return self.seen.is_known(path, found) or self.ignored.is_known(path, found)

    def forget(self, path: Path) -> None:
        """Look at whatever lies at that path."""
        self.seen.forget(path)
        self.ignored.forget(path)

    def begin_scan(self) -> None:
        """Begin to take note of what a whole scan meets."""
        self.seen.begin_scan()
        self.ignored.begin_scan()

    def end_scan(self, *, is_whole: bool) -> None:
        """Forget what the scan did not meet, unless it could not look everywhere."""
        self.seen.end_scan(is_whole=is_whole)
        self.ignored.end_scan(is_whole=is_whole)

    def complain(self, problem: str) -> None:
        """Say what is wrong with it, once."""
        if self.problem != problem:
            self.problem = problem
            log.warning("inbox_problem", inbox=self.section.name, problem=problem)

    def is_well(self) -> None:
        """Say that nothing is wrong with it any more."""
        if self.problem:
            log.info("inbox_back", inbox=self.section.name)
            self.problem = ""


def _write_watch_problem(inbox: str, problem: str) -> None:
    log.warning("watch_problem", inbox=inbox, problem=problem)
