"""Which finished recordings are due for their inbox's archive, and the row that says that they are there.

Enters: recordings whose transcripts are written. Leaves: recordings and transcripts in the archive, then the
row. After a crash in between the move is finished by the next round: :mod:`asr_daemon.delivery.moving`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import from_stamp
from asr_daemon.delivery.moving import archive
from asr_daemon.delivery.outputs import MOST_BYTES
from asr_daemon.errors import InboxGoneError, RecordingGoneError, WorkError
from asr_daemon.files.temporary import sweep
from asr_daemon.history.outputs import outputs_of
from asr_daemon.history.recordings import Recordings
from asr_daemon.inboxes.candidate import mtime_of
from asr_daemon.printable import valid_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.delivery.joining import Joiner
    from asr_daemon.files.overlap import Overlap
    from asr_daemon.history import History
    from asr_daemon.history.outputs import Output
    from asr_daemon.history.recordings import Recording
    from asr_daemon.inboxes.share import Shares

log = structlog.get_logger()

SWEEP_S = 600.0


class Archiver:
    """Moves what is done; runs in the ticker's thread."""

    def __init__(
        self,
        config: Config,
        history: History,
        clock: Clock,
        shares: Shares,
        on_gone: Callable[[str, Path], None],
        joiner: Joiner | None = None,
    ) -> None:
        """``joiner`` says which parts of a recording are to lie together for a while."""
        self.config = config
        self._joiner = joiner
        self._history = history
        self._clock = clock
        self._recordings = Recordings(history, clock)
        self._shares = shares
        self._on_gone = on_gone
        self._problems: dict[str, str] = {}
        self._overlaps: list[Overlap] | None = None  # looked for once a configuration
        self._swept_s: dict[Path, float] = {}

    def reload(self, config: Config) -> None:
        """Take up another configuration."""
        self.config = config
        self._overlaps = None

    def archive_all(self) -> int:
        """Move every finished recording of an inbox that has an archive; return how many."""
        inboxes = {inbox.name: inbox for inbox in self.config.inbox if inbox.archive is not None}
        if not inboxes:
            return 0
        moved = 0
        for recording in self._recordings.archivable(inboxes):
            inbox = inboxes.get(recording.inbox)
            if inbox is None or (inbox.join and self._joiner is not None and self._joiner.rests(recording)):
                continue
            try:
                self._archive(inbox, recording)
            except InboxGoneError as error:  # the archive's or the inbox's share: for all of them
                self._complain(inbox.name, error)
                del inboxes[inbox.name]
            except WorkError as error:
                self._complain(inbox.name, error)
            else:
                moved += 1
                self._problems.pop(inbox.name, None)
        return moved

    def _archive(self, inbox: InboxSection, recording: Recording) -> None:
        assert inbox.archive is not None  # noqa: S101 (only such inboxes are asked for)
        self._refuse_overlap(inbox)
        self._shares.require(inbox)
        outputs = [
            output.path
            for output in outputs_of(self._history, recording.id)
            if inbox.path in output.path.parents and _may_be_a_transcript(output)
        ]
        if _has_changed(recording):
            return  # another version: it is found, transcribed and archived in its turn
        when = from_stamp(recording.written_at).astimezone()
        if inbox.join and self._joiner is not None:
            when = self._joiner.archived_with(recording)
        try:
            moved = archive(recording.path, outputs, inbox.archive, inbox.name, when, root=inbox.path)
        except RecordingGoneError:
            if os.path.lexists(recording.path):
                raise
            moved = {}  # somebody took it away: nothing is left to do
        lies_at = moved.pop(recording.path, None)
        self._recordings.archive(recording.id, lies_at, moved)
        self._on_gone(inbox.name, recording.path)
        if lies_at is not None:
            self._sweep(lies_at.parent, inbox.archive)
        log.info(
            "recording_archived",
            job=recording.job,
            inbox=inbox.name,
            file=self.config.shown_path(inbox.name, recording.path),
            folder=valid_text(lies_at.parent) if lies_at else "",
            files=[valid_text(path.name) for path in (*moved.values(), lies_at) if path],
        )

    def _refuse_overlap(self, inbox: InboxSection) -> None:
        """Raise where the archive really lies in an inbox, links resolved: all would be found again."""
        if self._overlaps is None:
            self._overlaps = self.config.overlaps(self._shares.real_path)
        for overlap in self._overlaps:
            if overlap.inbox == inbox.name and overlap.key == "archive":
                raise InboxGoneError(overlap.sentence)

    def _sweep(self, folder: Path, root: Path) -> None:
        """Remove the half copy that a kill left: what is archived again goes to the same month's folder."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._swept_s.get(folder, -SWEEP_S) + SWEEP_S:
            self._swept_s[folder] = now_s
            for name in sweep(folder, now_s=self._clock.now().timestamp(), root=root):
                log.info("stale_temporary_removed", file=name)

    def _complain(self, inbox: str, error: WorkError) -> None:
        if self._problems.get(inbox) != str(error):
            self._problems[inbox] = str(error)
            log.warning("archive_waits", inbox=inbox, error=error.code, problem=str(error))


def _may_be_a_transcript(output: Output) -> bool:
    """Whether what lies there may go along: what somebody made huge in its place would fill the archive."""
    try:
        size_bytes = output.path.lstat().st_size
    except OSError:
        return False
    if size_bytes <= MOST_BYTES or size_bytes in output.sizes:
        return True
    log.warning("output_not_archived", file=output.path.name, size_bytes=size_bytes)
    return False


def _has_changed(recording: Recording) -> bool:
    try:
        found = recording.path.lstat()
    except FileNotFoundError:
        return False
    return (found.st_size, mtime_of(found)) != (recording.size_bytes, recording.mtime_ns)
