"""Files that somebody sent to be transcribed and not put into an inbox, kept until their text is committed.

They lie in the state folder, a folder for each: what was taken survives every process that is killed. Enters:
a descriptor, whose it is and what is asked of it. Leaves: a path, the same for the same content, owner and
profile, so that who sends it again finds the work that runs. ``[gateway] keep_uploads_h`` after the text is
there the file is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import from_stamp
from asr_daemon.control.uploads import fit_name
from asr_daemon.errors import DiskFullError, EmptyFileError, NotDecodableError
from asr_daemon.files.publish import publish_copy
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import RecordingState
from asr_daemon.inboxes.fingerprint import fingerprint
from asr_daemon.inboxes.handed import SPARE_BYTES
from asr_daemon.transcripts.names import fitting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.daemon import Parts
    from asr_daemon.history.recordings import Filed
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()

FOLDER = "uploads"  # in the state folder
ASTRAY_AFTER_S = 3600.0  # a file that was never queued: the daemon was killed in between
HOUR_S = 3600.0


class KeptUploads:
    """The folder; any thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._folder = parts.config.state_dir / FOLDER

    def take(self, descriptor: int, name: str, owner: str, profile: Profile) -> Path:
        """Keep what a descriptor holds; return its path.

        Raises a :class:`~asr_daemon.errors.WorkError`, :class:`~asr_daemon.errors.DiskFullError` before
        anything is written.
        """
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotDecodableError("What was sent is no file.")
        if not found.st_size:
            raise EmptyFileError
        content = fingerprint(descriptor).sha256
        whose = hashlib.sha256(f"{owner}\n{profile.digest}\n{content}".encode("utf-8", "replace"))
        folder = self._folder / whose.hexdigest()[:32]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stem, dot, suffix = fit_name(name).rpartition(".")
        path = folder / (fitting(stem, dot + suffix) if stem else fitting(suffix, ""))
        if path.exists():
            return path
        if shutil.disk_usage(folder).free < found.st_size + SPARE_BYTES:
            raise DiskFullError("There is no room for what was sent on the disk of the state folder.")
        with contextlib.suppress(FileExistsError):  # sent twice at the same moment
            publish_copy(path, descriptor, root=self._folder)
        return path

    def sweep(self) -> None:
        """Remove what is due."""
        for path in self._files():
            with contextlib.suppress(OSError):
                if self._is_due(path):
                    self._remove(path)

    def look(self, path: Path) -> None:
        """Remove one file, if it is due already."""
        with contextlib.suppress(OSError):
            if self._is_due(path):
                self._remove(path)

    def _files(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            for folder in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    yield from folder.iterdir()
                    folder.rmdir()  # an empty one

    def _remove(self, path: Path) -> None:
        path.unlink()
        with contextlib.suppress(OSError):  # another of the same content lies there
            path.parent.rmdir()
        log.info("upload_removed", file=path.name)

    def _is_due(self, path: Path) -> bool:
        recordings = Recordings(self._parts.history, self._parts.clock)
        recording = recordings.current(path, COMMAND_LINE)
        filed = None if recording is None else recordings.get(recording.id)
        if filed is None:
            return time.time() - path.stat().st_mtime > ASTRAY_AFTER_S
        section = self._parts.config.gateway
        kept_s = section.keep_uploads_h * HOUR_S if section is not None else 0.0
        ended_s = _ended_s(filed, path)
        if ended_s is None or not kept_s:
            return ended_s is not None
        return self._parts.clock.now().timestamp() - ended_s >= kept_s


def _ended_s(filed: Filed, path: Path) -> float | None:
    """Return when nobody needed it any more, by the wall clock; None where somebody does."""
    if filed.recording.state is RecordingState.WAITING:
        return None
    if filed.work is not None and filed.work.state.is_over and filed.work.finished_at:
        return max(from_stamp(filed.work.finished_at).timestamp(), path.stat().st_mtime)
    return path.stat().st_mtime  # cancelled
