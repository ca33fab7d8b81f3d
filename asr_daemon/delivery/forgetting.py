"""Forgetting a recording: its text out of the history, then its files, but for those that a person edited.

Enters: the number of a recording. Leaves: :class:`Forgotten`. The sound stays where it is, and is not
transcribed again unless somebody asks. A share that is gone, or a kill in between, leaves files for later:
:meth:`Forgetter.finish_all`. Fails as the history does.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.backup import BackupError
from asr_daemon.backup.holding import Held, held_since
from asr_daemon.clock import from_stamp
from asr_daemon.delivery.moving import require_archive
from asr_daemon.delivery.outputs import FAILURE
from asr_daemon.errors import HistoryUnavailableError, OperatorError, ShareUnavailableError
from asr_daemon.history.forgetting import Forgetting
from asr_daemon.history.outputs import outputs_of
from asr_daemon.history.recordings import Recordings
from asr_daemon.printable import valid_text
from asr_daemon.transcripts.writers import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from asr_daemon.delivery.writing import Writing
    from asr_daemon.history.recordings import Filed

log = structlog.get_logger()

KINDS = frozenset({*FORMATS, FAILURE})
PLAYBACK_FOLDER = "playback"  # below the state folder: copies of the sound to listen to


class NothingToForgetError(OperatorError):
    """There is no such recording."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of a recording's files, and what holds its text still."""

    removed: tuple[str, ...]  # names
    kept: tuple[str, ...]  # a person edited them
    problem: str  # why files are left for later, or ""
    held: Held


class Forgetter:
    """Forgets, never beside a delivery; any thread."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._recordings = Recordings(writing.history, writing.clock)
        self._forgetting = Forgetting(writing.history, writing.clock)
        self.on_forgotten: Callable[[int], Sequence[str]] = _nothing  # returns other files that stay

    def forget(self, recording: int, who: str = "") -> Forgotten:
        """Forget a recording's text because ``who`` said so; raises :class:`NothingToForgetError`."""
        with self._writing.lock:
            filed = self._recordings.get(recording)
            if filed is None:
                told = f"there is no recording {recording}; `asr-daemon history` lists them"
                raise NothingToForgetError(told)
            versions = self._forgetting.forget(recording, who)
            removed, kept, problem = self._take_files_away(filed, versions)
        kept += self.on_forgotten(recording)
        self._drop_copies(filed)
        self._forgetting.erase()
        held = self.held(recording)
        log.info(
            "recording_forgotten",
            job=filed.recording.job,
            inbox=filed.recording.inbox,
            recording=recording,
            removed=len(removed),
            kept=len(kept),
        )
        return Forgotten(tuple(removed), tuple(kept), problem, held)

    def held(self, recording: int) -> Held:
        """Return what holds a recording's text besides the history: backups that were taken since it came."""
        try:
            return held_since(self._writing.config(), self._found_at(recording), self._writing.clock.now())
        except BackupError as error:
            log.warning("backups_not_listed", problem=str(error))
            return Held(0)

    def finish_all(self) -> None:
        """Go on with what is left: files of a share that is back, work that was under way."""
        for recording in self._forgetting.half_forgotten():
            with self._writing.lock:
                filed = self._recordings.get(recording)
                if filed is not None:
                    self._take_files_away(filed, self._forgetting.forget(recording))
        self._forgetting.erase()

    def _take_files_away(self, filed: Filed, versions: list[int]) -> tuple[list[str], list[str], str]:
        """Return the names of files that are gone, of those that stay, and why some are left."""
        inbox = self._writing.config().find_inbox(filed.recording.inbox)
        removed: list[str] = []
        kept: list[str] = []
        if inbox is None:
            return removed, kept, ""
        try:
            self._writing.shares.require(inbox)
            if filed.recording.archived_at and inbox.archive is not None:
                require_archive(inbox.archive, inbox.name, self._writing.shares)
            for version in versions:
                outputs = [
                    each for each in outputs_of(self._writing.history, version) if each.format in KINDS
                ]
                self._writing.outputs.withdraw(version, KINDS, inbox.path)
                for output in outputs:
                    is_there = self._writing.shares.exists(output.path)
                    (kept if is_there else removed).append(valid_text(output.path.name))
        except HistoryUnavailableError:
            raise
        except ShareUnavailableError as error:
            return removed, kept, error.sentence
        return removed, kept, ""

    def _drop_copies(self, filed: Filed) -> None:
        if filed.work is not None:
            for path in (self._writing.config().state_dir / PLAYBACK_FOLDER).glob(f"{filed.work.sha256}.*"):
                with suppress(OSError):
                    path.unlink()

    def _found_at(self, recording: int) -> datetime:
        row = self._writing.history.one("get_recording", recording=recording)
        assert row is not None  # noqa: S101 (it was read before)
        return from_stamp(row["found_at"])


def _nothing(_recording: int) -> Sequence[str]:
    return ()
