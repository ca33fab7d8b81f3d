"""What commands ask of the running daemon, or of one that they start for themselves."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.access import EVERY_INBOX, Accesses, parse_rights
from asr_daemon.clock import to_stamp
from asr_daemon.control.health import health
from asr_daemon.control.live_desk import LiveCommands
from asr_daemon.control.notice_commands import NoticeCommands
from asr_daemon.control.speakers import SpeakerCommands
from asr_daemon.control.status import live_status
from asr_daemon.control.waiting import waiting_rows
from asr_daemon.errors import (
    ConfigurationError,
    InboxGoneError,
    ShareUnavailableError,
    UsageError,
    WorkError,
)
from asr_daemon.files.writable import RESTART, why_closed
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState
from asr_daemon.hotwords import read_hotwords
from asr_daemon.queue.arrivals import NotFoundError
from asr_daemon.queue.inbox_profiles import hotword_places, with_hotwords

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts

log = structlog.get_logger()
SOMEBODY_WAITS = -1  # priority of what is named on the command line


class Commands:
    """One method a command; arguments and answers are plain JSON."""

    def __init__(self, parts: Parts, reload: Callable[[], list[str]]) -> None:
        self._parts = parts
        self._reload = reload
        self._accesses = Accesses(parts.history, parts.clock)
        speakers = SpeakerCommands(parts)
        self._commands: dict[str, Callable[..., Answer]] = {
            "status": self.status,
            "health": self.health,
            "submit": self.submit,
            "cancel": self.cancel,
            "retry": self.retry,
            "retry_with_other_hotwords": self.retry_with_other_hotwords,
            "write_outputs": self.write_outputs,
            "forget": self.forget,
            "pause": self.pause,
            "resume": self.resume,
            "backup": self.backup,
            "reload": self.reload,
            "configuration": self.configuration,
            "access_add": self.access_add,
            "access_list": self.access_list,
            "access_remove": self.access_remove,
            "notify_test": NoticeCommands(parts).test,
            "notify_retry": NoticeCommands(parts).retry,
            "live_open": LiveCommands(parts).open,
            "speakers_enrolled": speakers.enrolled,
            "speakers_enrol": speakers.enrol,
            "speakers_forget": speakers.forget,
            "speakers_of_recording": speakers.of_recording,
            "speakers_rename": speakers.rename,
            "speakers_regroup": speakers.regroup,
        }

    def answer(self, request: Answer) -> Answer:
        """Carry out ``{"command": NAME, ...}``.

        Raises :class:`~asr_daemon.errors.OperatorError`: :class:`~asr_daemon.errors.UsageError` where there
        is no such command, or where it does not take what was given.
        """
        name = request.pop("command", "")
        command = self._commands.get(name)
        if command is None:
            raise UsageError(f"no such command: {name!r}")
        try:
            inspect.signature(command).bind(**request)
        except TypeError as error:
            raise UsageError(f"{name}: {error}") from None
        return command(**request)

    def status(self) -> Answer:
        """Return what only the running daemon knows."""
        return {**live_status(self._parts), "next": waiting_rows(self._parts)}

    def health(self) -> Answer:
        """Return whether the daemon does its work."""
        found = health(self._parts)
        return {"problems": list(found.problems), "inboxes": found.inboxes, "phase": found.phase}

    def submit(
        self,
        paths: list[str],
        inbox: str = COMMAND_LINE,
        hotwords: str | None = None,
        speakers: bool | None = None,
        descriptors: Sequence[int] = (),
    ) -> Answer:
        """Queue files named on the command line; return their recordings' numbers, or why not, in order.

        They are recognised under an inbox's profile; ``hotwords`` names another list for it ("": none), and
        ``speakers`` says whether their speakers are told apart.
        ``descriptors``: the same files, open, for those that the service itself cannot open.
        """
        parts = self._parts
        if inbox != COMMAND_LINE:
            parts.config.require_inbox(inbox)
        profile = parts.profiles.profile(inbox)
        if hotwords is not None:
            profile = with_hotwords(profile, self._read_hotwords(Path(hotwords)) if hotwords else None)
        if speakers and not profile.speaker_model:
            profile = parts.profiles.with_speakers(profile)
        elif speakers is False:
            profile = replace(profile, speaker_model="", max_speakers=0, speakers_expected=0)
        results: list[dict[str, Any]] = []
        for path, descriptor in itertools.zip_longest(paths, descriptors[: len(paths)]):
            try:
                with parts.shares.handed.holding(Path(path), descriptor):
                    queued = parts.intake.submit(Path(path), profile, priority=SOMEBODY_WAITS)
            except WorkError as error:
                results.append({"path": path, "error": f"{Path(path).name}: {error}", "code": error.code})
                continue
            if queued.job_state in (JobState.FAILED, JobState.QUARANTINED):
                parts.arrivals.retry(queued.recording)  # who asks by name wants another try
            results.append({"path": path, "recording": queued.recording, "job": queued.job})
        parts.dispatcher.wake()
        return {"results": results}

    def cancel(self, recordings: list[int]) -> Answer:
        """Wait for these recordings no more; what is in work of them stops."""
        for recording in recordings:
            self._parts.arrivals.cancel(recording)
        log.info("recordings_cancelled", recordings=recordings, by="command line")
        self._parts.dispatcher.wake()
        return {"count": len(recordings)}

    def retry(
        self, recordings: list[int] | None = None, state: str | None = None, code: str | None = None
    ) -> Answer:
        """Begin recordings anew: by number, or all that failed or were quarantined (of one failure class)."""
        arrivals = self._parts.arrivals
        count = 0
        for recording in recordings or ():
            self._require_file(recording)
            arrivals.retry(recording)
            count += 1
        for each in ("failed", "quarantined") if state == "any" else (state,) if state else ():
            count += arrivals.retry_all(JobState(each), code)
        log.info("retry_asked", recordings=recordings, state=state, code=code, count=count)
        self._parts.dispatcher.wake()
        return {"count": count}

    def write_outputs(self, recordings: list[int]) -> Answer:
        """Write the files of recordings anew; return what became of them, recording by recording."""
        done = {recording: self._parts.deliverer.anew.write(recording) for recording in recordings}
        return {"recordings": [{"recording": number, **asdict(each)} for number, each in done.items()]}

    def forget(self, recordings: list[int]) -> Answer:
        """Forget the text of recordings for good; return what became of it, file by file."""
        told = []
        for recording in recordings:
            done = self._parts.deliverer.forgetter.forget(recording)
            told.append(
                {
                    "recording": recording,
                    "removed": list(done.removed),
                    "kept": list(done.kept),
                    "problem": done.problem,
                    "backups": done.held.backups,
                    "backups_until": None if done.held.until is None else to_stamp(done.held.until),
                }
            )
        self._parts.dispatcher.wake()
        return {"forgotten": told}

    def _require_file(self, recording: int) -> None:
        """Raise :class:`NotFoundError` where the recording's file is gone, and its share there to say so."""
        parts = self._parts
        filed = Recordings(parts.history, parts.clock).get(recording)
        if filed is None:
            return
        if filed.recording.archived_at:
            raise NotFoundError.archived(filed.recording)
        section = parts.config.find_inbox(filed.recording.inbox)
        try:
            if section is not None:
                parts.shares.require(section)
            is_there = parts.shares.exists(filed.recording.path)
        except ShareUnavailableError:
            return
        if not is_there:
            raise NotFoundError.gone(filed.recording)

    def retry_with_other_hotwords(self, inbox: str) -> Answer:
        """Put back the finished recordings of an inbox whose hotword list has changed since.

        Raises :class:`HotwordFileError` where the list cannot be read: that is no empty list.
        """
        parts = self._parts
        section = parts.config.require_inbox(inbox)
        if section.hotwords is not None:
            self._read_hotwords(section.hotwords)
        count = parts.arrivals.retry_with_other_hotwords(inbox, parts.profiles.profile(inbox))
        log.info("retry_asked", inbox=inbox, count=count, by="hotwords changed")
        parts.dispatcher.wake()
        return {"count": count}

    def _read_hotwords(self, path: Path) -> Any:
        parts = self._parts
        return read_hotwords(path, hotword_places(parts.config), parts.shares.ask)

    def pause(self) -> Answer:
        """Begin no further recording; what is in work is finished."""
        return self._pause(True, "queue_paused")

    def resume(self) -> Answer:
        """Go on."""
        return self._pause(False, "queue_resumed")

    def _pause(self, paused: bool, event: str) -> Answer:
        self._parts.settings.pause(paused)
        self._parts.dispatcher.wake()
        log.info(event)
        return {}

    def reload(self) -> Answer:
        """Take up the changed configuration; return which inboxes are of no use before a restart, and why.

        Raises :class:`~asr_daemon.errors.ConfigurationError` where it was refused.
        """
        if problems := self._reload():
            raise ConfigurationError(problems)
        needs_restart = []
        for inbox in self._parts.config.inbox:
            with contextlib.suppress(InboxGoneError):
                why = self._parts.shares.ask(inbox.path, functools.partial(why_closed, inbox.path))
                if RESTART in why:
                    needs_restart.append(f"inbox {inbox.name!r}: {why}")
        return {"needs_restart": needs_restart}

    def configuration(self) -> Answer:
        """Return the configuration in force."""
        return {"configuration": self._parts.config.model_dump(mode="json")}

    def access_add(self, name: str, inboxes: list[str], rights: str) -> Answer:
        """Let somebody use the gateway; return the token."""
        for inbox in inboxes:
            if inbox != EVERY_INBOX:
                self._parts.config.require_inbox(inbox)
        token = self._accesses.add(name, inboxes, parse_rights(rights))
        log.info("access_added", access=name, inboxes=inboxes, may=rights)
        return {"token": token}

    def access_list(self) -> Answer:
        """Return who may use the gateway."""
        return {
            "accesses": [
                {
                    "name": each.name,
                    "inboxes": list(each.inboxes),
                    "rights": sorted(map(str, each.rights)),
                    "created_at": each.created_at,
                    "used_at": each.used_at,
                }
                for each in self._accesses.all()
            ]
        }

    def access_remove(self, name: str) -> Answer:
        """Let somebody use the gateway no more."""
        self._accesses.remove(name)
        log.info("access_removed", access=name)
        return {}

    def backup(self) -> Answer:
        """Take a backup now."""
        return self._parts.upkeep.back_up()
