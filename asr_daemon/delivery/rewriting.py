"""Written anew, in place: transcripts whose speakers got other names, or were told apart anew.

Enters: a job. Leaves: the files of its recordings that are still as we wrote them, with the text of now;
those that a person edited stay, and are named. What lies in an archive is nobody's to rewrite: it was handed
over. What could not be written is said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.delivery.outputs import FAILURE, Outputs, digest_of
from asr_daemon.delivery.rendering import document_of
from asr_daemon.errors import WorkError
from asr_daemon.files.publish import publish
from asr_daemon.history.outputs import outputs_of
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.transcripts.writers import RENDERERS

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.history import History
    from asr_daemon.history.outputs import Output
    from asr_daemon.history.recordings import Filed
    from asr_daemon.inboxes.share import Shares

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of the files, by their names."""

    written: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()  # by a person: left alone
    problems: tuple[str, ...] = ()


class Rewriter:
    """Writes finished transcripts anew."""

    def __init__(self, deliverer: Deliverer, history: History, shares: Shares, clock: Clock) -> None:
        self._deliverer = deliverer
        self._history = history
        self._shares = shares
        self._recordings = Recordings(history, clock)
        self._outputs = Outputs(history, clock)

    def rewrite(self, job: int, inbox: str | None = None) -> Rewritten:
        """Write the files of a job's recordings anew: of all inboxes, or of one."""
        written: list[str] = []
        edited: list[str] = []
        problems: list[str] = []
        for row in self._history.all("done_recordings_of_job", job=job):
            filed = self._recordings.get(row["id"])
            if filed is None or inbox not in (None, filed.recording.inbox):
                continue
            try:
                with self._deliverer.writing:
                    self._rewrite(filed, written, edited)
            except WorkError as error:
                problems.append(f"{filed.recording.name}: {error}")
        log.info(
            "transcripts_rewritten", job=job, written=len(written), edited=len(edited), problems=problems
        )
        return Rewritten(tuple(written), tuple(edited), tuple(problems))

    def _rewrite(self, filed: Filed, written: list[str], edited: list[str]) -> None:
        recording, work = filed.recording, filed.work
        section = self._deliverer.config.find_inbox(recording.inbox)
        is_done = work is not None and work.state is JobState.DONE and recording.state is RecordingState.DONE
        if section is None or not is_done:
            return
        self._shares.require(section)
        document = document_of(self._history, filed)
        for output in outputs_of(self._history, recording.id):
            root = self._deliverer.config.root_of(output.path)
            if output.format == FAILURE or not self._deliverer.config.keeps(output.path):
                continue
            found = digest_of(output.path, root, output.sizes)
            if found is None:
                continue  # taken away
            if not output.is_as_written(found):
                edited.append(_name(output.path))
                continue
            self._replace(recording.id, output, RENDERERS[output.format](document), root)
            written.append(_name(output.path))

    def _replace(self, recording: int, output: Output, text: str, root: Path) -> None:
        """Plan, write, confirm: as the first time (deliver.py)."""
        data = text.encode("utf-8", "replace")
        self._outputs.plan_again(recording, output, data)
        publish(output.path, data, root=root)
        with self._history.transaction() as history:
            self._outputs.confirm(history, [output.path])


def _name(path: Path) -> str:
    """Return what a file is called, as valid text."""
    return os.fsencode(path.name).decode("utf-8", "replace")
