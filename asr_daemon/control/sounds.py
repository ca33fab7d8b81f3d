"""The sound of a recording, opened: in its inbox, the archive, or where uploads of programs are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.kept_uploads import FOLDER
from asr_daemon.errors import RecordingGoneError
from asr_daemon.history.recordings import COMMAND_LINE
from asr_daemon.inboxes.fingerprint import open_recording

if TYPE_CHECKING:
    from asr_daemon.daemon import Parts
    from asr_daemon.history.recordings import Recording


def open_sound(parts: Parts, recording: Recording) -> int:
    """Return a descriptor, which the caller closes; below the folder that it lies in no link is followed.

    Raises a :class:`~asr_daemon.errors.WorkError`.
    """
    if recording.inbox == COMMAND_LINE:
        root = parts.config.state_dir / FOLDER
    else:
        inbox = parts.config.require_inbox(recording.inbox)
        root = inbox.path
        if recording.archived_at and inbox.archive is not None:
            root = inbox.archive
        else:
            parts.shares.require(inbox)
    if root not in recording.path.parents:
        raise RecordingGoneError(f"{recording.name!r} lies in no folder that is configured")
    return open_recording(recording.path, root)
