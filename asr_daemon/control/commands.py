"""What commands ask of the running daemon, or of one that they start for themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.errors import JobError, UsageError
from asr_daemon.hotwords import read_hotwords
from asr_daemon.queue.inbox_profiles import with_hotwords
from asr_daemon.queue.jobs import COMMAND_LINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Daemon

log = structlog.get_logger()
SOMEBODY_WAITS = -1  # priority of what is named on the command line


class Steering:
    """One method a command; arguments and answers are plain JSON."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def answer(self, request: Answer) -> Answer:
        """Carry out ``{"command": NAME, ...}``; raises :class:`~asr_daemon.errors.OperatorError`."""
        command = request.pop("command", "")
        commands: dict[str, Callable[..., Answer]] = {
            "status": self.status,
            "submit": self.submit,
            "retry": self.retry,
            "retry_with_other_hotwords": self.retry_with_other_hotwords,
            "pause": self.pause,
            "resume": self.resume,
            "backup": self.backup,
        }
        if command not in commands:
            raise UsageError(f"no such command: {command!r}")
        try:
            return commands[command](**request)
        except TypeError as error:
            raise UsageError(f"{command}: {error}") from None

    def status(self) -> Answer:
        """Return what only the running daemon knows."""
        return self._daemon.live()

    def submit(self, paths: list[str], inbox: str = COMMAND_LINE, hotwords: str | None = None) -> Answer:
        """Queue files named on the command line; return their recordings' numbers, or why not, in order.

        They are recognised under an inbox's profile; ``hotwords`` names another list for it ("": none).
        """
        if inbox != COMMAND_LINE:
            self._daemon.config.require_inbox(inbox)
        profile = self._daemon.profiles.profile(inbox)
        if hotwords is not None:
            profile = with_hotwords(profile, read_hotwords(Path(hotwords)) if hotwords else None)
        results: list[dict[str, Any]] = []
        for path in paths:
            try:
                queued = self._daemon.intake.submit(Path(path), profile, priority=SOMEBODY_WAITS)
            except JobError as error:
                results.append({"path": path, "error": f"{Path(path).name}: {error}", "code": error.code})
                continue
            if queued.job_state in ("failed", "quarantined"):  # who asks by name wants another try
                self._daemon.queue.retry(queued.recording)
            results.append({"path": path, "recording": queued.recording, "job": queued.job})
        self._daemon.consumer.wake.set()
        return {"results": results}

    def retry(
        self, recordings: list[int] | None = None, state: str | None = None, code: str | None = None
    ) -> Answer:
        """Begin recordings anew: by number, or all that failed or were quarantined (of one failure class)."""
        queue = self._daemon.queue
        count = 0
        for recording in recordings or ():
            queue.retry(recording)
            count += 1
        for each in ("failed", "quarantined") if state == "any" else (state,) if state else ():
            count += queue.retry_all(each, code)
        log.info("retry_asked", recordings=recordings, state=state, code=code, count=count)
        self._daemon.consumer.wake.set()
        return {"count": count}

    def retry_with_other_hotwords(self, inbox: str) -> Answer:
        """Put back the finished recordings of an inbox whose hotword list has changed since.

        Raises :class:`HotwordFileError` where the list cannot be read: that is no empty list.
        """
        section = self._daemon.config.require_inbox(inbox)
        if section.hotwords is not None:
            read_hotwords(section.hotwords)
        count = self._daemon.queue.retry_with_other_hotwords(inbox, self._daemon.profiles.profile(inbox))
        log.info("retry_asked", inbox=inbox, count=count, by="hotwords changed")
        self._daemon.consumer.wake.set()
        return {"count": count}

    def pause(self) -> Answer:
        """Begin no further recording; what is in work is finished."""
        return self._set_paused("1", "queue_paused")

    def resume(self) -> Answer:
        """Go on."""
        return self._set_paused("0", "queue_resumed")

    def _set_paused(self, value: str, event: str) -> Answer:
        self._daemon.queue.set_setting("paused", value)
        self._daemon.consumer.wake.set()
        log.info(event)
        return {}

    def backup(self) -> Answer:
        """Take a backup now."""
        return self._daemon.upkeep.back_up()
