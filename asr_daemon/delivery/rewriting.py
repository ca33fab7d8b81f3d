"""Files of a recording that say something else now: written anew, where nobody edited them.

Enters: recordings whose corrections are later than their files, or whose speakers got other names. Leaves:
the files with the text in force, each whole, in the inbox or the archive; one that a person edited, or took
away, stays as it is. What cannot be written now (share gone, disk full, a kill in between) is due again: the
row that says what the files hold comes last. Nothing raises but what the history raises.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.delivery.outputs import digest_of
from asr_daemon.delivery.rendering import document_of, word_look
from asr_daemon.errors import HistoryUnavailableError, WorkError
from asr_daemon.files.publish import publish
from asr_daemon.history.outputs import outputs_of
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.printable import valid_text
from asr_daemon.transcripts.writers import FORMATS, rendered

if TYPE_CHECKING:
    from asr_daemon.delivery.writing import Writing
    from asr_daemon.history.outputs import Output
    from asr_daemon.history.recordings import Filed

log = structlog.get_logger()

REST_FACTOR = 5.0  # who edits hours of a meeting must not have all of it written anew with every word


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of the files of a job, by their names."""

    written: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()  # by a person, or taken away: left alone
    problems: tuple[str, ...] = ()


class Rewriter:
    """Writes what is corrected; runs in a thread of the schedule, and never beside a delivery."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._recordings = Recordings(writing.history, writing.clock)
        self._problems: dict[tuple[str, bool], str] = {}  # what was said of an inbox, or its archive, last
        self._not_before_s: dict[int, float] = {}  # recordings that were written a moment ago

    def revision(self, recording: int) -> int:
        """Return how often a recording's text was corrected."""
        row = self._writing.history.one("revisions", recording=recording)
        return 0 if row is None else int(row["revision"])

    def is_written(self, recording: int, revision: int) -> None:
        """Remember that its files hold what that revision says."""
        if revision:
            with self._writing.history.transaction() as history:
                history.run("set_written_revision", recording=recording, revision=revision)

    def rewrite_all(self) -> int:
        """Write anew what is due; return of how many recordings."""
        count = 0
        closed: set[tuple[str, bool]] = set()  # an inbox, or archive, that cannot be written is asked once
        now_s = self._writing.clock.monotonic_s()
        self._not_before_s = {key: at_s for key, at_s in self._not_before_s.items() if at_s > now_s}
        for row in self._writing.history.all("to_rewrite"):
            if row["id"] in self._not_before_s:
                continue
            began_s = time.monotonic()
            with self._writing.lock:
                filed = self._recordings.get(row["id"])
                if filed is None or _place(filed) in closed:
                    continue
                try:
                    count += self._rewrite(filed) is not None
                except HistoryUnavailableError:
                    raise
                except WorkError as error:
                    closed.add(_place(filed))
                    self._complain(filed, error)
                else:
                    self._problems.pop(_place(filed), None)
            rest_s = REST_FACTOR * (time.monotonic() - began_s)
            self._not_before_s[row["id"]] = self._writing.clock.monotonic_s() + rest_s
        return count

    def rewrite(self, job: int, inbox: str | None = None) -> Rewritten:
        """Write the files of a job's recordings anew: of all inboxes, or of one."""
        written: list[str] = []
        edited: list[str] = []
        problems: list[str] = []
        for row in self._writing.history.all("done_recordings_of_job", job=job):
            with self._writing.lock:
                filed = self._recordings.get(row["id"])
                if filed is None or inbox not in (None, filed.recording.inbox):
                    continue
                try:
                    done = self._rewrite(filed)
                except HistoryUnavailableError:
                    raise
                except WorkError as error:
                    problems.append(f"{filed.recording.name}: {error}")
                else:
                    written += done.written if done else ()
                    edited += done.edited if done else ()
        return Rewritten(tuple(written), tuple(edited), tuple(problems))

    def _rewrite(self, filed: Filed) -> Rewritten | None:
        """Write a recording's files anew; None where that is not for now, or not for us."""
        recording, work = filed.recording, filed.work
        if recording.state is not RecordingState.DONE:
            return None  # it is written, as it is in force, when it is delivered
        if work is None or work.state is not JobState.DONE:
            return None
        revision = self.revision(recording.id)
        outputs = [each for each in outputs_of(self._writing.history, recording.id) if each.format in FORMATS]
        if outputs:
            inbox = self._writing.home(recording)
            if inbox is None:
                return None  # it was taken out of the configuration, and may come back
            self._writing.root(inbox, recording)  # raises where its share is not there
        document = document_of(self._writing.history, filed, word_look(self._writing.config()))
        written: list[str] = []
        kept: list[str] = []
        for output in outputs:
            data = rendered(document, output.format)
            name = valid_text(output.path.name)
            (written if self._write(recording.id, output, data) else kept).append(name)
        self.is_written(recording.id, revision)
        log.info(
            "transcript_rewritten",
            job=recording.job,
            inbox=recording.inbox,
            file=self._writing.config().shown_path(recording.inbox, recording.path),
            outputs=written,
            kept=kept,
            revision=revision,
        )
        return Rewritten(tuple(written), tuple(kept))

    def _write(self, recording: int, output: Output, data: bytes) -> bool:
        """Replace a file that is as we wrote it; False where it is somebody's now, or is gone."""
        config = self._writing.config()
        if not config.keeps(output.path):
            return False
        root = config.root_of(output.path)
        found = self._writing.shares.ask(
            root, lambda: digest_of(output.path, root, (*output.sizes, len(data)))
        )
        if found is None or not (output.is_as_written(found) or found == hashlib.sha256(data).hexdigest()):
            return False
        self._writing.outputs.plan_again(recording, output, data, found)
        publish(output.path, data, root=root)
        with self._writing.history.transaction() as history:
            self._writing.outputs.confirm(history, [output.path])
        return True

    def _complain(self, filed: Filed, error: WorkError) -> None:
        if self._problems.get(_place(filed)) != str(error):
            self._problems[_place(filed)] = str(error)
            log.warning("correction_waits", inbox=filed.recording.inbox, error=error.code, problem=str(error))


def _place(filed: Filed) -> tuple[str, bool]:
    """Return whose files they are, and whether they lie in the archive."""
    return filed.recording.inbox, bool(filed.recording.archived_at)
