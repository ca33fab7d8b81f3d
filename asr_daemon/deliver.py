"""From finished work to files in the share, then to the row that says so. Never the other way round.

Enters: a recording that waits and whose job has ended. Leaves: its transcripts (or its failure file) beside
it, written whole or not at all, and the recording's state. What cannot be written now (disk full, share
gone) stays waiting and is tried again; a folder that may not be written sends them to the fall-back folder.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import from_stamp
from asr_daemon.errors import InboxGoneError, InboxReadOnlyError, JobError, job_error
from asr_daemon.queue import COMMAND_LINE
from asr_daemon.rendering import document_of
from asr_daemon.writers import RENDERERS
from asr_daemon.writers.failure import render_failure
from asr_daemon.writers.names import failure_path, output_path, same_name_key
from asr_daemon.writers.publish import publish

if TYPE_CHECKING:
    import sqlite3

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config, InboxSection
    from asr_daemon.history import History

log = structlog.get_logger()
FAILURE = "failure"


class Deliverer:
    """Writes what is finished; one recording at a time."""

    def __init__(self, config: Config, history: History, clock: Clock) -> None:
        self.config = config
        self._history = history
        self._clock = clock
        self._lock = threading.Lock()  # two recordings must not choose the same name at once

    def deliver_all(self) -> int:
        """Write whatever waits to be written; return how many recordings were served."""
        return sum(self.deliver(row["recording"]) for row in self._history.all("undelivered"))

    def deliver(self, recording: int) -> bool:
        """Write one recording's transcripts or failure file; False where it has to wait."""
        with self._lock:
            row = self._history.one("get_recording", recording=recording)
            if row is None or row["state"] != "waiting":
                return False
            bound = log.bind(job=row["job_id"], inbox=row["inbox"], file=row["name"])
            inbox = self.config.find_inbox(row["inbox"])
            if row["inbox"] == COMMAND_LINE or inbox is None:
                if row["job_state"] not in ("queued", "running"):
                    self._settle(row, "done" if row["job_state"] == "done" else "failed")
                return True
            try:
                self._deliver_to(inbox, row, bound)
            except JobError as error:
                if row["problem"] != str(error):
                    with self._history.transaction() as history:
                        history.run("set_recording_problem", recording=recording, problem=str(error))
                    bound.warning("transcript_waits", error=error.code, problem=str(error))
                return False
            return True

    def _deliver_to(self, inbox: InboxSection, row: sqlite3.Row, bound: structlog.stdlib.BoundLogger) -> None:
        path = Path(os.fsdecode(row["path"]))
        if not inbox.path.is_dir():
            raise InboxGoneError(f"the folder {inbox.path} is not there")
        if not os.path.lexists(path):
            self._withdraw_failure(row)
            self._settle(row, "gone")
            bound.info("recording_gone")
            return
        if row["job_state"] in ("queued", "running"):
            return
        if row["job_state"] != "done":
            self._write_failure(row, path, job_error(row["error_code"], row["error_message"]))
            self._settle(row, "failed")
            return
        document = document_of(self._history, row)
        written = [self._write(row, path, kind, RENDERERS[kind](document)) for kind in inbox.formats]
        self._withdraw_failure(row)
        self._settle(row, "done")
        bound.info(
            "transcript_written",
            outputs=[out.name for out in written],
            duration_ms=row["duration_ms"],
            sha256=row["sha256"],
        )

    def tell(self, recording: int, error: JobError) -> None:
        """Write the failure file of a recording that never reached the queue."""
        row = self._history.one("get_recording", recording=recording)
        if row is None:
            return
        try:
            with self._lock:
                self._write_failure(row, Path(os.fsdecode(row["path"])), error)
        except JobError as problem:
            log.warning("failure_file_not_written", file=row["name"], problem=str(problem))

    def _write_failure(self, row: sqlite3.Row, path: Path, error: JobError) -> None:
        """Tell the people in the share, in a file beside the recording."""
        moment = from_stamp(row["finished_at"]) if row["finished_at"] else self._clock.now()
        self._write(row, path, FAILURE, render_failure(path.name, error, moment.astimezone()))

    # ------------------------------------------------------------------ one file

    def _write(self, row: sqlite3.Row, recording: Path, kind: str, text: str) -> Path:
        data = text.encode("utf-8", "replace")
        try:
            return self._publish(row, recording, kind, data)
        except InboxReadOnlyError:
            stand_in = self.config.fallback_dir / row["inbox"] / recording.name
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            return self._publish(row, stand_in, kind, data)

    def _publish(self, row: sqlite3.Row, recording: Path, kind: str, data: bytes) -> Path:
        target = self._target(row["id"], recording, kind)
        with self._history.transaction() as history:
            history.run(
                "plan_output",
                path=os.fsencode(target),
                same_name=_same_name(target),
                recording=row["id"],
                format=kind,
            )
        publish(target, data)
        with self._history.transaction() as history:
            history.run("confirm_output", path=os.fsencode(target), now=self._clock.stamp())
        return target

    def _target(self, recording: int, path: Path, kind: str) -> Path:
        """Return the name that this recording's file has, or gets: never one that is not ours."""
        for row in self._history.all("recording_outputs", recording=recording):
            own = Path(os.fsdecode(row["path"]))
            if row["format"] == kind and own.parent == path.parent:
                return own

        def is_taken(candidate: Path) -> bool:
            owner = self._history.one("output_owner", same_name=_same_name(candidate))
            return owner is not None or os.path.lexists(candidate)

        if kind == FAILURE:
            return failure_path(path, is_taken)
        return output_path(path, f".{kind}", is_taken)

    def _withdraw_failure(self, row: sqlite3.Row) -> None:
        for output in self._history.all("recording_outputs", recording=row["id"]):
            if output["format"] == FAILURE:
                Path(os.fsdecode(output["path"])).unlink(missing_ok=True)
                with self._history.transaction() as history:
                    history.run("forget_output", path=output["path"])

    def _settle(self, row: sqlite3.Row, state: str) -> None:
        problem = None if state in ("done", "gone") else row["error_message"]
        with self._history.transaction() as history:
            history.run(
                "set_recording_state",
                recording=row["id"],
                state=state,
                problem=problem,
                written_at=self._clock.stamp() if state == "done" else None,
            )


def _same_name(path: Path) -> bytes:
    return same_name_key(path).encode("utf-8", "surrogateescape")
