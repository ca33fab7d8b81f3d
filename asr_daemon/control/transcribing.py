"""A file that somebody sends and waits for: queued before the rest, followed to its last word.

Enters: a request with a descriptor. Leaves: what is heard, as it is committed, then the transcript. The wait
is for changes, not by the clock. It can be left at any time: the work goes on, and who sends the same again
joins it where it is.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.control import messages as m
from asr_daemon.control.kept_uploads import KeptUploads
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.status import live_status
from asr_daemon.delivery.rendering import render
from asr_daemon.errors import JobError, RecordingGoneError, Retry, WorkError, work_error
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.hotwords.entry import Replacement, Word, parse_line
from asr_daemon.sentence import chinese_of
from asr_daemon.transcripts.writers.document import says_something
from asr_daemon.transcripts.writers.paragraphs import join

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from asr_daemon.access import Access
    from asr_daemon.control.desk import Desk
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.history.readers import Readers
    from asr_daemon.history.recordings import Filed
    from asr_daemon.queue.job import Enqueued
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()

SOMEBODY_WAITS = -1  # priority, as of what is named on the command line
HEARTBEAT_S = 15.0  # who waits hears at least that often: each end knows that the other one lives
QUIET_S = 0.1
SETTLED_WITHIN_S = 5.0
LEFT = (RecordingState.GONE, RecordingState.CANCELLED, RecordingState.SUPERSEDED)
LANGUAGES = ("zh", "yue", "en", "ja", "ko", "auto")


class Transcribing:
    """Serves one such request after the other, from any thread."""

    def __init__(self, parts: Parts, desk: Desk, readers: Readers) -> None:
        self._parts = parts
        self._desk = desk
        self._readers = readers
        self._kept = KeptUploads(parts)

    def serve(self, ask: m.Ask, descriptor: int | None) -> Generator[m.Told, None, None]:
        """Yield what is heard, then the transcript; the descriptor is the caller's to close.

        Raises :class:`~asr_daemon.control.desk.RefusedError`, or what the history raises.
        """
        request = ask.request
        assert isinstance(request, m.Transcribe)  # noqa: S101 (it is called for that)
        if descriptor is None:
            raise RefusedError("refused", "no file came along", "没有收到文件。")
        person = self._desk.asker(ask)
        inbox = self._inbox(person, request.inbox)
        profile = self._profile(inbox, request)
        path, queued = self._submit(person, request.name, profile, descriptor)
        if inbox != COMMAND_LINE:
            Recordings(self._parts.history, self._parts.clock).send_to(queued.recording, inbox)
        if queued.job_state in (JobState.FAILED, JobState.QUARANTINED):
            self._parts.arrivals.retry(queued.recording)  # who sends it again wants another try
        self._parts.dispatcher.wake()
        try:
            yield from self._follow(ask, queued.recording, request.format)
        finally:
            self._wait_until_settled(queued.recording)
            self._kept.look(path)

    # ------------------------------------------------------------------ in

    def _inbox(self, person: Access, wanted: str) -> str:
        """Return the inbox whose profile counts, and whose people see it; COMMAND_LINE: none's."""
        own = [each.name for each in self._parts.config.inbox if person.may(Right.UPLOAD, each.name)]
        if wanted:
            if wanted not in own:
                raise RefusedError("not_found", "there is no such inbox", "没有这个文件夹。")
            return wanted
        if Right.UPLOAD not in person.rights:
            raise RefusedError("forbidden", "this token may not upload", "您没有这个权限。")
        return own[0] if len(own) == 1 else COMMAND_LINE

    def _profile(self, inbox: str, request: m.Transcribe) -> Profile:
        if request.language and request.language not in LANGUAGES:
            told = f"language: choose of {', '.join(LANGUAGES)}"
            raise RefusedError("refused", told, f"语言只能是 {'、'.join(LANGUAGES)}。")
        profile = self._parts.profiles.profile(inbox)
        if request.language:
            profile = replace(profile, language=request.language)
        return with_more(profile, request.hotwords)

    def _submit(self, person: Access, name: str, profile: Profile, descriptor: int) -> tuple[Path, Enqueued]:
        is_last = False
        while True:
            try:
                path = self._kept.take(descriptor, name, person.name, profile)
                queued = self._parts.intake.submit(path, profile, priority=SOMEBODY_WAITS)
            except RecordingGoneError as error:  # its time was over, this very moment
                if is_last:
                    raise of_work(error) from None
                is_last = True
            except WorkError as error:
                raise of_work(error) from None
            else:
                log.info("transcription_asked", job=queued.job, access=person.name, file=path.name)
                return path, queued

    # ------------------------------------------------------------------ out

    def _follow(self, ask: m.Ask, recording: int, kind: str) -> Generator[m.Told, None, None]:
        heard = _Heard()
        told_s = self._parts.clock.monotonic_s()
        version: int | None = self._parts.changes.after(-1, within_s=0.0)
        while version is not None:
            with self._readers.reader() as history:
                filed = Recordings(history, self._parts.clock).get(recording)
                if filed is None or filed.recording.state in LEFT or filed.work is None:
                    raise RefusedError("conflict", "it was cancelled", "这个任务已被取消。")
                text = heard.more(
                    (row["number"], row["text"])
                    for row in history.all("first_texts", job=filed.work.id, first=heard.count)
                )
                whole = self._whole(history, filed, kind) if filed.work.state is JobState.DONE else None
            now_s = self._parts.clock.monotonic_s()
            if text or whole or now_s - told_s >= HEARTBEAT_S:
                self._desk.asker(ask)  # one that was removed hears no more
                yield m.Heard(text)
                told_s = now_s
            if whole is not None:
                yield whole
                return
            if filed.work.state.is_over:
                raise of_work(work_error(filed.work.error_code, filed.work.error_message))
            require_recogniser(self._parts)
            version = self._parts.changes.after(version, within_s=HEARTBEAT_S, quiet_s=QUIET_S)
        raise RefusedError("unavailable", "the daemon ends", "转写服务正在停止。")

    def _wait_until_settled(self, recording: int) -> None:
        """Wait a moment: a text is told once it is committed, its file is needed until it is settled."""
        until_s = self._parts.clock.monotonic_s() + SETTLED_WITHIN_S
        version: int | None = self._parts.changes.after(-1, within_s=0.0)
        while version is not None and self._parts.clock.monotonic_s() < until_s:
            with self._readers.reader() as history:
                filed = Recordings(history, self._parts.clock).get(recording)
            is_over = filed is not None and filed.work is not None and filed.work.state.is_over
            if filed is None or not is_over or filed.recording.state is not RecordingState.WAITING:
                return
            version = self._parts.changes.after(version, within_s=SETTLED_WITHIN_S)

    @staticmethod
    def _whole(history: History, filed: Filed, kind: str) -> m.Transcribed:
        whole = render(history, filed, "json")
        heard = _Heard()
        heard.more(enumerate(segment["text"] for segment in json.loads(whole)["segments"]))
        return m.Transcribed(heard.whole, whole, render(history, filed, kind) if kind else "")


class _Heard:
    """Running text, as far as it goes without a gap: segments are recognised in any order."""

    def __init__(self) -> None:
        self.whole = ""
        self.count = 0  # of segments that are in it

    def more(self, texts: Iterable[tuple[int, str]]) -> str:
        """Take further segments in order; return what they add."""
        before = len(self.whole)
        for number, text in texts:
            if number != self.count:
                break
            self.count += 1
            line = " ".join(text.split())
            if says_something(line):
                self.whole = join(self.whole, line) if self.whole else line
        return self.whole[before:]


def require_recogniser(parts: Parts) -> None:
    """Raise :class:`RefusedError` where nothing is transcribed at present."""
    together = live_status(parts)["recogniser"]
    if together["state"] in ("blocked", "paused"):
        why = together["problem"] or "the queue is paused"
        chinese = chinese_of(together["problem"]) or "暂停转写中。"
        raise RefusedError("unavailable", f"nothing is transcribed at present: {why}", chinese)


def with_more(profile: Profile, lines: Iterable[str]) -> Profile:
    """Return the profile with further lines as of a hotword file; those that say nothing are passed over."""
    words, replacements = dict.fromkeys(profile.hotwords), dict(profile.replacements)
    for number, line in enumerate(lines, 1):
        match parse_line(line, number, Path()):
            case Word(text):
                words.setdefault(text)
            case Replacement(wrong, right):
                replacements.setdefault(wrong, right)
    return replace(profile, hotwords=tuple(words), replacements=tuple(replacements.items()))


def of_work(error: WorkError) -> RefusedError:
    """Return what a failure means to who sent the file: the file's fault, a passing one, or ours."""
    if isinstance(error, JobError):
        is_the_files = error.retry is Retry.NEVER
        return RefusedError("refused" if is_the_files else "internal", str(error), error.chinese)
    return RefusedError("unavailable", str(error), error.chinese)
