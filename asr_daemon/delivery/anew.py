"""A recording's files written anew because somebody asks for it: nothing is recognised.

Enters: the number of a recording. Leaves: the files of every format of its inbox, as that is configured now,
with the text in force, in the inbox or the archive: what was taken away is there again, what a person edited
stays as it is. What cannot be done is said, in both languages. Fails as the history does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from asr_daemon.delivery.outputs import digest_of
from asr_daemon.delivery.rendering import document_of, word_look
from asr_daemon.errors import HistoryUnavailableError, WorkError
from asr_daemon.history.outputs import outputs_of
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.printable import valid_text
from asr_daemon.sentence import Sentence
from asr_daemon.transcripts.writers import FORMATS, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.delivery.writing import Writing
    from asr_daemon.history.outputs import Output
    from asr_daemon.history.recordings import Filed

log = structlog.get_logger()

UNKNOWN = Sentence("there is no such recording; `asr-daemon history` lists them", "没有这个录音。")
NOT_YET = Sentence(
    "its files are written once its transcript is there", "这个录音还没有转写好；转写好以后文件会自动写出。"
)
WITHOUT_TEXT = Sentence(
    "it has no transcript; `asr-daemon retry ID` transcribes it again", "这个录音没有文字稿，请先重新转写。"
)
REPLACED = Sentence("another recording lies in its place now", "这个录音已被同名的另一个录音代替。")
IN_NO_INBOX = Sentence(
    "it lies in no inbox, where nothing is written; `asr-daemon show ID` prints it",
    "这个录音不在收件文件夹里，不会写出文件；可以在页面上下载。",
)
NOT_CONFIGURED = Sentence(
    "its inbox, or the archive it lies in, is not in the configuration",
    "这个录音所在的收件文件夹或归档文件夹已不在配置中，请联系管理员。",
)
_WHY_NOT = {
    RecordingState.WAITING: NOT_YET,
    RecordingState.FAILED: WITHOUT_TEXT,
    RecordingState.GONE: WITHOUT_TEXT,
    RecordingState.CANCELLED: WITHOUT_TEXT,
    RecordingState.SUPERSEDED: REPLACED,
}


@dataclass(frozen=True, slots=True)
class WrittenAnew:
    """What became of a recording's files, by their names; ``problem``: why nothing was written, or ""."""

    written: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()  # a person edited them
    problem: str = ""


class OutputsAnew:
    """Writes files again, never beside a delivery; any thread."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._recordings = Recordings(writing.history, writing.clock)
        self.on_written: Callable[[int], Sequence[str]] = _nothing  # returns what is written of it besides

    def write(self, recording: int) -> WrittenAnew:
        """Write a recording's files anew."""
        with self._writing.lock:
            filed = self._recordings.get(recording)
            if filed is None:
                return WrittenAnew(problem=UNKNOWN)
            inbox = self._writing.home(filed.recording)
            if why := _why_not(filed, inbox):
                return WrittenAnew(problem=why)
            assert inbox is not None  # noqa: S101 (else there was a reason)
            try:
                done = self._write(inbox, filed)
            except HistoryUnavailableError:
                raise
            except WorkError as error:
                return WrittenAnew(problem=error.sentence)
        return replace(done, written=(*done.written, *self.on_written(recording)))

    def _write(self, inbox: InboxSection, filed: Filed) -> WrittenAnew:
        recording = filed.recording
        root = self._writing.root(inbox, recording)
        ours = [each for each in outputs_of(self._writing.history, recording.id) if each.format in FORMATS]
        edited = {each.format: each.path for each in ours if self._is_edited(each)}
        wanted = dict.fromkeys((*inbox.formats, *(each.format for each in ours)))
        document = document_of(self._writing.history, filed, word_look(self._writing.config()))
        data = {kind: rendered(document, kind) for kind in wanted if kind not in edited}
        written = self._writing.outputs.publish(recording.id, recording.path, root, data) if data else []
        with self._writing.history.transaction() as history:
            self._writing.outputs.confirm(history, written)
        log.info(
            "transcript_written_anew",
            job=recording.job,
            inbox=recording.inbox,
            file=self._writing.config().shown_path(recording.inbox, recording.path),
            outputs=[valid_text(path.name) for path in written],
            kept=[valid_text(path.name) for path in edited.values()],
        )
        return WrittenAnew(
            tuple(valid_text(path.name) for path in written),
            tuple(valid_text(path.name) for path in edited.values()),
        )

    def _is_edited(self, output: Output) -> bool:
        root = self._writing.config().root_of_ours(output.path)
        if root is None or not self._writing.shares.exists(output.path):
            return False
        found = self._writing.shares.ask(root, lambda: digest_of(output.path, root, output.sizes))
        return found is not None and not output.is_as_written(found)


def _nothing(_recording: int) -> Sequence[str]:
    return ()


def _why_not(filed: Filed, inbox: InboxSection | None) -> str:
    """Return why a recording's files cannot be written, or ""."""
    recording, work = filed.recording, filed.work
    if recording.state is not RecordingState.DONE:
        return _WHY_NOT[recording.state]
    if work is None or work.state is not JobState.DONE:
        return WITHOUT_TEXT
    if recording.inbox == COMMAND_LINE:
        return IN_NO_INBOX
    return NOT_CONFIGURED if inbox is None else ""
