"""Where a recording lies, for people: its path within its inbox, and whether it lies there still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.errors import InboxGoneError
from asr_daemon.history.states import RecordingState
from asr_daemon.inboxes.share import Shares

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.history.reading import Entry


class Places:
    """The inboxes as configured; a share that does not answer is asked once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._shares = Shares()

    def shown(self, inbox: str, path: Path) -> str:
        """Return the path within the inbox as valid text; the bare name where it lies below none."""
        return self._config.shown_path(inbox, path)

    def is_gone(self, entry: Entry) -> bool | None:
        """Return whether its file is not there any more; None where that cannot be known, or is archived."""
        if entry.is_archived or entry.state == RecordingState.SUPERSEDED:
            return None
        section = self._config.find_inbox(entry.inbox)
        root = section.path if section is not None else entry.path.parent
        try:
            return self._shares.ask(root, lambda: root.is_dir() and not _lies_at(entry.path))
        except (InboxGoneError, OSError):
            return None


def _lies_at(path: Path) -> bool:
    """Return whether anything lies there; raises ``OSError`` where the caller may not know."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
