"""What all share who write, or take away, files of recordings, and where those lie.

Enters: recordings. Leaves: the inbox, and the folder, that their files belong to. Fails where a share is not
there, or as the history does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.delivery.moving import require_archive

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.delivery.outputs import Outputs
    from asr_daemon.history import History
    from asr_daemon.history.recordings import Recording
    from asr_daemon.inboxes.share import Shares


@dataclass(frozen=True, slots=True)
class Writing:
    """One of a daemon; ``lock`` is held by whoever writes: two must not choose the same name at once."""

    history: History
    shares: Shares
    clock: Clock
    config: Callable[[], Config]
    outputs: Outputs
    lock: threading.Lock

    def home(self, recording: Recording) -> InboxSection | None:
        """Return the inbox of a recording; None where it, or the archive it lies in, is not configured."""
        inbox = self.config().find_inbox(recording.inbox)
        return None if inbox is None or (recording.archived_at and inbox.archive is None) else inbox

    def root(self, inbox: InboxSection, recording: Recording) -> Path:
        """Return the folder below which a recording's files lie.

        Raises :class:`~asr_daemon.errors.InboxGoneError` where its share is not there.
        """
        if recording.archived_at and inbox.archive is not None:
            require_archive(inbox.archive, inbox.name, self.shares)
            return inbox.archive
        self.shares.require(inbox)
        return inbox.path
