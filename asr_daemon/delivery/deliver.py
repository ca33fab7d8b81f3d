"""From finished work to files in the share, then to the row that says so. Never the other way round.

Enters: a recording that waits and whose job has ended. Leaves: its transcripts (or its failure file) beside
it, written whole or not at all, and the recording's state. What cannot be written now (disk full, share
gone) stays waiting and is tried again; a folder that may not be written sends them to the fall-back folder.

A file's name is planned in the history before it is written: after a crash in between, the same name is used
again. Nothing is replaced but what this program wrote for that very recording.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import from_stamp
from asr_daemon.delivery.outputs import FAILURE, Outputs
from asr_daemon.errors import DiskFullError, InboxGoneError, InboxReadOnlyError, JobError, job_error
from asr_daemon.files.publish import publish, write_error
from asr_daemon.inboxes.presence import InboxPresence, check_presence
from asr_daemon.inboxes.share import Answering
from asr_daemon.queue.jobs import COMMAND_LINE
from asr_daemon.transcripts.rendering import document_of
from asr_daemon.transcripts.writers import RENDERERS
from asr_daemon.transcripts.writers.failure import render_failure

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config, InboxSection
    from asr_daemon.history import History

log = structlog.get_logger()


class Deliverer:
    """Writes what is finished; one recording at a time."""

    def __init__(
        self,
        config: Config,
        history: History,
        clock: Clock,
        on_gone: Callable[[str, Path], None] = lambda _inbox, _path: None,
        beat: Callable[[], None] = lambda: None,
        answering: Answering | None = None,
    ) -> None:
        self.config = config
        self._history = history
        self._clock = clock
        self._on_gone = on_gone
        self._beat = beat
        self._answering = answering or Answering()
        self._outputs = Outputs(history, clock)
        self._lock = threading.Lock()  # two recordings must not choose the same name at once

    # ------------------------------------------------------------------ which

    def deliver_all(self) -> int:
        """Write whatever waits to be written; return how many recordings were served."""
        return self._deliver_each(self._history.all("undelivered"))

    def deliver_job(self, job: int) -> int:
        """Write the files of every recording that waits for that job."""
        return self._deliver_each(self._history.all("undelivered_of_job", job=job))

    def _deliver_each(self, rows: Iterable[sqlite3.Row]) -> int:
        served = 0
        closed: set[str] = set()  # a full disk, or a share that is gone, is asked once a round
        for row in rows:
            self._beat()
            if row["inbox"] in closed:
                continue
            problem = self._deliver(row["recording"])
            served += problem is None
            if isinstance(problem, (DiskFullError, InboxGoneError)):
                closed.add(row["inbox"])
        return served

    def deliver(self, recording: int) -> bool:
        """Write one recording's transcripts or failure file; False where it has to wait. Never raises."""
        return self._deliver(recording) is None

    def _deliver(self, recording: int) -> Exception | None:
        """Return why it has to wait."""
        try:
            with self._lock:
                row = self._history.one("get_recording", recording=recording)
                if row is None or row["state"] != "waiting":
                    return None
                return self._attempt(row)
        except JobError as error:  # of the history itself
            log.warning("transcript_waits", recording=recording, error=error.code, problem=str(error))
            return error

    def _attempt(self, row: sqlite3.Row) -> Exception | None:
        bound = log.bind(job=row["job_id"], inbox=row["inbox"], file=row["name"])
        inbox = self.config.find_inbox(row["inbox"])
        problem: Exception
        try:
            if row["inbox"] == COMMAND_LINE:
                if row["job_state"] not in ("queued", "running"):
                    self._settle(
                        row, "done" if row["job_state"] == "done" else "failed", row["error_message"]
                    )
            elif inbox is not None:  # else: it was taken out of the configuration, and may come back
                self._deliver_to(inbox, row, bound)
        except JobError as error:
            problem = error
            if row["problem"] != str(error):
                bound.warning("transcript_waits", error=error.code, problem=str(error))
        except Exception as error:  # noqa: BLE001 (one recording's trouble must not stop those behind it)
            problem = error
            if row["problem"] != str(error):
                bound.exception("delivery_failed")
        else:
            return None
        if row["problem"] != str(problem):
            with self._history.transaction() as history:
                history.run("set_recording_problem", recording=row["id"], problem=str(problem))
        return problem

    # ------------------------------------------------------------------ one recording

    def require_inbox(self, inbox: InboxSection) -> None:
        """Raise InboxGoneError where the inbox is not there, or does not answer."""
        remembered = self._history.one("get_setting", key=f"presence:{inbox.path}")
        known = InboxPresence.from_json(remembered["value"]) if remembered else None
        self._answering.ask(inbox.path, lambda: check_presence(inbox.path, known))

    def _deliver_to(self, inbox: InboxSection, row: sqlite3.Row, bound: structlog.stdlib.BoundLogger) -> None:
        path = Path(os.fsdecode(row["path"]))
        self.require_inbox(inbox)
        if not os.path.lexists(path):
            self._outputs.withdraw(row["id"], {FAILURE}, inbox.path)
            self._settle(row, "gone")
            self._on_gone(inbox.name, path)
            bound.info("recording_gone")
            return
        if row["job_state"] in ("queued", "running"):
            return
        if row["job_state"] != "done":
            error = job_error(row["error_code"], row["error_message"])
            self._write_failure(inbox, row, path, error)
            self._settle(row, "failed", row["error_message"])
            return
        document = document_of(self._history, row)
        texts: dict[str, str] = {kind: RENDERERS[kind](document) for kind in inbox.formats}
        written, problem = self._write(inbox, row, path, texts)
        self._outputs.withdraw(row["id"], {FAILURE}, inbox.path)
        self._settle(row, "done", problem, written)
        bound.info(
            "transcript_written",
            outputs=[out.name for out in written],
            duration_ms=row["duration_ms"],
            sha256=row["sha256"],
        )

    def tell(self, recording: int, error: JobError) -> None:
        """Write the failure file of a recording that never reached the queue."""
        row = self._history.one("get_recording", recording=recording)
        inbox = self.config.find_inbox(row["inbox"]) if row else None
        if row is None or inbox is None:
            return
        try:
            with self._lock:
                self._write_failure(inbox, row, Path(os.fsdecode(row["path"])), error)
        except JobError as problem:
            log.warning("failure_file_not_written", file=row["name"], problem=str(problem))

    def _write_failure(self, inbox: InboxSection, row: sqlite3.Row, path: Path, error: JobError) -> None:
        """Tell the people in the share, in a file beside the recording."""
        moment = from_stamp(row["finished_at"]) if row["finished_at"] else self._clock.now()
        text = render_failure(path.name, error, moment.astimezone())
        written, _ = self._write(inbox, row, path, {FAILURE: text})
        with self._history.transaction() as history:
            self._outputs.confirm(history, written)

    def _settle(
        self, row: sqlite3.Row, state: str, problem: str | None = None, written: Iterable[Path] = ()
    ) -> None:
        with self._history.transaction() as history:
            self._outputs.confirm(history, written)
            history.run(
                "set_recording_state",
                recording=row["id"],
                state=state,
                problem=problem,
                written_at=self._clock.stamp() if state == "done" else None,
            )

    # ------------------------------------------------------------------ its files

    def _write(
        self, inbox: InboxSection, row: sqlite3.Row, recording: Path, texts: dict[str, str]
    ) -> tuple[list[Path], str | None]:
        """Write texts by their kind, beside the recording or in the fall-back folder; return what and why."""
        data = {kind: text.encode("utf-8", "replace") for kind, text in texts.items()}
        try:
            return self._publish(row, recording, data, inbox.path), None
        except InboxReadOnlyError as error:
            root = self.config.fallback_dir
            stand_in = root / inbox.name / recording.relative_to(inbox.path)
            try:
                stand_in.parent.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise write_error(stand_in, problem) from None
            return self._publish(row, stand_in, data, root), f"{error}; it lies in {stand_in.parent}"

    def _publish(self, row: sqlite3.Row, recording: Path, data: dict[str, bytes], root: Path) -> list[Path]:
        """Write all of them, then take away what an earlier round wrote under another stem."""
        while True:
            plans = self._outputs.plan(row["id"], recording, root, data)
            try:
                for kind, plan in plans.items():
                    publish(plan.target, data[kind], root=root, replace=plan.is_ours)
            except FileExistsError:  # somebody took that name this very moment: another stem
                self._outputs.forget(plan.target)
                continue
            written = [plan.target for plan in plans.values()]
            self._outputs.withdraw(row["id"], data, root, keep=written)
            return written
