"""Transcripts that lie in the fall-back folder because their inbox may not be written, until it may.

Enters: recordings that wait to be written. Leaves: which of them need no try, and what is wrong with an
inbox. Such a recording goes on waiting; a folder is asked once a round, however many wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.errors import InboxGoneError
from asr_daemon.files.writable import why_closed
from asr_daemon.history.outputs import outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from asr_daemon.history import History
    from asr_daemon.history.recordings import Recording


@dataclass(frozen=True, slots=True)
class _Held:
    inbox: str
    folder: Path  # where the recording lies
    problem: str


class HeldTranscripts:
    """What was written elsewhere; ``ask(folder, call)`` is :meth:`Shares.ask`."""

    def __init__(self, history: History, ask: Callable[[Path, Callable[[], str]], str]) -> None:
        self._history = history
        self._ask = ask
        self._held: dict[int, _Held] = {}
        self._closed: dict[Path, str] = {}  # as of this round

    def hold(self, recording: Recording, problem: str) -> None:
        """Take note that a recording's transcripts lie elsewhere, for that reason."""
        folder = recording.path.parent
        self._held[recording.id] = _Held(recording.inbox, folder, problem)
        self._closed[folder] = self._why_closed(folder)

    def let_go(self, recording: int) -> None:
        """They lie where they belong, or are not waited for any more."""
        self._held.pop(recording, None)

    def begin_round(self, waiting: Collection[Recording], fallback_dir: Path) -> None:
        """Ask every folder anew; ``waiting`` is all that waits to be written."""
        self._held = {
            recording.id: held
            for recording in waiting
            if (held := self._held.get(recording.id) or self._remembered(recording, fallback_dir))
        }
        folders = {held.folder for held in self._held.values()}
        self._closed = {folder: why for folder in folders if (why := self._why_closed(folder))}

    def waits(self, recording: Recording) -> bool:
        """Whether it lies elsewhere as it should, and its folder cannot be written still."""
        held = self._held.get(recording.id)
        return held is not None and held.problem == recording.problem and bool(self._closed.get(held.folder))

    def problem(self, inbox: str) -> str:
        """Return why transcripts of an inbox lie elsewhere, or ""."""
        for held in list(self._held.values()):
            if held.inbox == inbox:
                return self._closed.get(held.folder) or held.problem
        return ""

    def _remembered(self, recording: Recording, fallback_dir: Path) -> _Held | None:
        """Return what an earlier run of the daemon wrote elsewhere."""
        if not recording.problem:
            return None
        outputs = outputs_of(self._history, recording.id)
        if not any(output.written_sha256 and fallback_dir in output.path.parents for output in outputs):
            return None
        return _Held(recording.inbox, recording.path.parent, recording.problem)

    def _why_closed(self, folder: Path) -> str:
        try:
            return self._ask(folder, lambda: why_closed(folder))
        except InboxGoneError as error:
            return str(error)
