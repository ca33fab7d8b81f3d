"""The desk where recordings are listened to: copies that are right in time, and their peaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asr_daemon.control import answers as a
from asr_daemon.control import playback_messages as p
from asr_daemon.control.playbacks import BusyError
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.sounds import open_sound
from asr_daemon.errors import RecordingGoneError
from asr_daemon.inboxes.candidate import mtime_of

if TYPE_CHECKING:
    from asr_daemon.access import Access
    from asr_daemon.control.correcting import Doorkeeper
    from asr_daemon.control.playbacks import Playbacks
    from asr_daemon.daemon import Parts
    from asr_daemon.history.readers import Readers
    from asr_daemon.history.recordings import Filed


class PlayingDesk:
    """Serves one request after the other, from any thread."""

    def __init__(
        self, parts: Parts, readers: Readers, keeper: Doorkeeper, playbacks: Playbacks | None
    ) -> None:
        self._parts = parts
        self._readers = readers
        self._keeper = keeper
        self._given = playbacks

    @property
    def _playbacks(self) -> Playbacks:
        if self._given is None:
            raise RefusedError("unavailable", "there is no folder for copies", "现在无法播放。")
        return self._given

    def playback(self, person: Access, request: p.GetPlayback) -> p.Playback:
        """Return how it stands with the copy; where there is none it is made from now on."""
        filed, sha256 = self._filed(person, request.recording)
        if self._playbacks.is_there(sha256):
            return p.Playback("ready", 1.0, "")
        try:
            making = self._playbacks.want(sha256, lambda: open_as_hashed(self._parts, filed))
        except BusyError:
            raise RefusedError(
                "unavailable", "too many recordings are waited for", "系统正忙，请稍后再试。"
            ) from None
        return p.Playback("failed" if making.problem else "making", making.progress, making.problem)

    def open(self, person: Access, request: p.OpenPlayback) -> tuple[a.Opened, int]:
        """Return the copy, or its peaks; where there is none it is made from now on, and that is said."""
        filed, sha256 = self._filed(person, request.recording)
        descriptor = self._playbacks.open(sha256, request.what) if self._playbacks.is_there(sha256) else None
        if descriptor is None:
            stands = self.playback(person, p.GetPlayback(request.recording))
            if stands.state == "failed":
                raise RefusedError("conflict", stands.problem, "这个录音无法播放。")
            raise RefusedError("unavailable", "the copy is being made", "正在准备播放，请稍候。")
        return a.Opened(filed.recording.name, os.fstat(descriptor).st_size), descriptor

    def _filed(self, person: Access, recording: int) -> tuple[Filed, str]:
        with self._readers.reader() as history:
            filed = self._keeper.filed(history, person, recording)
        if filed.work is None:
            raise RefusedError("conflict", "this recording could not be read", "这个录音读不出来。")
        return filed, filed.work.sha256


def open_as_hashed(parts: Parts, filed: Filed) -> int:
    """Open a recording, if it is still what was hashed; raises a :class:`~asr_daemon.errors.WorkError`."""
    recording = filed.recording
    descriptor = open_sound(parts, recording)
    found = os.fstat(descriptor)
    if (found.st_size, mtime_of(found)) != (recording.size_bytes, recording.mtime_ns):
        os.close(descriptor)
        raise RecordingGoneError("The recording was changed since.")
    return descriptor
